"""Vector arithmetic in latent space: mean(a) - mean(b) + c changes c by the difference between a and b."""

import pathlib

import numpy as np

from gan_jax.analysis.subject import NotApplicable, Subject, figure, save, show
from gan_jax.evaluation.generate import balanced_labels

_SHARE = 0.1  # of a class, in each of the two groups (highest and lowest values of an attribute)
_STEPS = (-1, -0.5, 0, 0.5, 1)
_NUM_MOVED, _SHOWN = 200, 10
_NUM_AVERAGED = 3  # examples, as in the paper
_TRIALS = 200


def ink(images: np.ndarray) -> np.ndarray:
    """Mean grey value [N], in [0, 1], of images uint8 [N, H, W, C]; heavy strokes have a high value."""
    return images.mean(axis=(1, 2, 3), dtype=np.float64) / 255


def slant(images: np.ndarray) -> np.ndarray:
    """Slant [N] in pixels to the right for each pixel up, by image moments: mu_11 / mu_02; positive: leans right.

    mu_11 = sum I (x - mean x)(y - mean y) and mu_02 = sum I (y - mean y)^2, y upwards, of images uint8 [N, H, W, C],
    bright strokes on black. 0 for an image without extent.
    """
    mass = images.mean(axis=3, dtype=np.float64)
    mass /= np.maximum(mass.sum(axis=(1, 2), keepdims=True), 1e-9)
    x, y = np.arange(mass.shape[2])[None, None, :], -np.arange(mass.shape[1])[None, :, None]
    x, y = (axis - (mass * axis).sum(axis=(1, 2), keepdims=True) for axis in (x, y))
    covariance, variance = (mass * x * y).sum(axis=(1, 2)), (mass * y**2).sum(axis=(1, 2))
    return np.where(variance > 1e-9, covariance / np.maximum(variance, 1e-9), 0.0)


ATTRIBUTES = {"ink": ink, "slant": slant}


def extremes(values: np.ndarray, classes: np.ndarray, share: float, least: int = 1) -> tuple[list, list]:
    """(high, low): for each class, the rows of its highest and of its lowest `share` of values.

    Both are lists of arrays, one for every class with at least 2 `least` rows; each array has at least `least` rows.
    The groups are formed within each class, so that the two groups do not differ in their classes.
    """
    high, low = [], []
    for label in np.unique(classes):
        rows = np.flatnonzero(classes == label)
        count = max(least, int(share * len(rows)))
        if len(rows) >= 2 * count:
            order = rows[np.argsort(values[rows], kind="stable")]
            high.append(order[-count:])
            low.append(order[:count])
    return high, low


class _Scale:
    """An attribute in standard deviations from the mean of its class among the generated images."""

    def __init__(self, values: np.ndarray, classes: np.ndarray):
        self._moments = {}
        for label in np.unique(classes):
            class_values = values[classes == label]
            self._moments[label] = (class_values.mean(), class_values.std())

    def mean(self, values: np.ndarray, classes: np.ndarray) -> float | None:
        """Mean score of values [N] in classes [N]. Ignores classes that are absent or do not vary; None without any."""
        rows = [(value, *self._moments.get(label, (0, 0))) for value, label in zip(values, classes, strict=True)]
        # By rounding, equal values have a small deviation too.
        scores = [(value - mean) / deviation for value, mean, deviation in rows if deviation > 1e-9]
        return float(np.mean(scores)) if scores else None


def arithmetic(subject: Subject, folder: pathlib.Path) -> dict:
    """arithmetic.png: the direction mean z(most) - mean z(least) of an attribute, added to other z of every class.

    DCGAN, section 6.3.2 (arXiv 1511.06434): single vectors are unstable, means of several vectors are not. The groups
    are the upper and the lower tenth of every class by ink and by slant, about num_images / 10 images each.

    <attribute>_before, <attribute>_after_<step>: mean of the attribute over 200 other z, in standard deviations within
        a class, before and after adding <step> times the direction.
    <attribute>_class_kept: share of these images whose predicted class stays the same after half a direction.

    Classes are the conditions. If the generator takes no label, they are the classifier's predictions, and the analogy
    of the paper is computed too, see `_analogy`.
    """
    generated = subject.generated
    classes = generated.labels if subject.conditional else generated.predicted
    z, labels = subject.draw_z(_NUM_MOVED, stream=3), balanced_labels(_NUM_MOVED, subject.dataset.num_classes)
    before, numbers, panels = subject.with_features(subject.generate(z, labels), labels), {}, {}
    before_classes = labels if subject.conditional else before.predicted
    for name, measure in ATTRIBUTES.items():
        values = measure(generated.images)
        groups = extremes(values, classes, _SHARE)
        if not groups[0]:
            raise NotApplicable(f"no class has two of the {subject.num_images} generated images; raise --num_images")
        high, low = map(np.concatenate, groups)
        direction = subject.z[high].mean(axis=0) - subject.z[low].mean(axis=0)
        moved = [subject.with_features(subject.generate(z + step * direction, labels), labels) for step in _STEPS]
        scale = _Scale(values, classes)
        after = {
            step: scale.mean(measure(examples.images), before_classes)
            for step, examples in zip(_STEPS, moved, strict=True)
        }
        numbers[f"{name}_before"] = after.pop(0)
        numbers |= {f"{name}_after_{step:+g}": value for step, value in after.items()}
        numbers[f"{name}_class_kept"] = float(np.mean(moved[_STEPS.index(0.5)].predicted == before.predicted))
        numbers[f"{name}_direction_length"] = float(np.linalg.norm(direction))
        panels[name] = np.stack([examples.images[:_SHOWN] for examples in moved], axis=1)
    analogy_images, names = None, []
    if not subject.conditional:
        analogy, analogy_images, names = _analogy(subject)
        numbers |= analogy
    _draw(panels, analogy_images, names, folder)
    first = {key: numbers[key] for key in ("ink_after_+1", "slant_after_+1")}
    return {**first, **numbers, "z_length": float(np.linalg.norm(subject.z, axis=1).mean()), "num_others": _NUM_MOVED}


def _analogy(subject: Subject) -> tuple[dict, np.ndarray | None, list[str]]:
    """Tests heavy A - light A + light B = heavy B for 200 random pairs of classes A, B.

    a (heavy A), b (light A) and c (light B) are each the mean z of 3 examples.
    Returns (numbers, images, names):
    numbers: how often the predicted class of the sum is B, and how often that of c alone (a mean of z is no sample of
        the prior); the ink of both in standard deviations within B.
    images: [rows, 13, H, W, C]: the examples of a and their mean, the same for b and c, and the sum; None if fewer
        than 2 classes have enough images.
    names: a label for each row of images.
    """
    generated, rng = subject.generated, np.random.default_rng(subject.seed)
    values = ink(generated.images)
    heavy, light = extremes(values, generated.predicted, 1 / 3, least=_NUM_AVERAGED)
    if len(heavy) < 2:
        return {"analogy_class_kept": None}, None, []
    pairs = [rng.choice(len(heavy), 2, replace=False) for _ in range(_TRIALS)]
    pick = lambda rows: rng.choice(rows, _NUM_AVERAGED, replace=False)  # noqa: E731
    groups = np.array([[pick(heavy[a]), pick(light[a]), pick(light[b])] for a, b in pairs])  # [trials, 3, 3]
    means = subject.z[groups].mean(axis=2)  # [trials, 3, Z]
    points = np.concatenate([means, (means[:, 0] - means[:, 1] + means[:, 2])[:, None]], axis=1)
    images = subject.generate(points.reshape(-1, points.shape[-1]), np.zeros(4 * _TRIALS, int))
    answers = subject.extract(images)[1].argmax(axis=1).reshape(_TRIALS, 4)
    images = images.reshape(_TRIALS, 4, *images.shape[1:])
    start, wanted = generated.predicted[groups[:, 0, 0]], generated.predicted[groups[:, 2, 0]]
    scale = _Scale(values, generated.predicted)
    members = generated.images[groups[:_SHOWN]]
    columns = [column for g in range(3) for column in (members[:, g], images[:_SHOWN, g, None])]
    numbers = {
        "analogy_class_kept": float(np.mean(answers[:, 3] == wanted)),
        "analogy_class_of_mean_c": float(np.mean(answers[:, 2] == wanted)),
        "analogy_ink_of_mean_c": scale.mean(ink(images[:, 2]), wanted),
        "analogy_ink_of_sum": scale.mean(ink(images[:, 3]), wanted),
    }
    class_names = subject.dataset.class_names
    names = [f"A {class_names[a]}, B {class_names[b]}" for a, b in zip(start[:_SHOWN], wanted[:_SHOWN], strict=True)]
    return numbers, np.concatenate([*columns, images[:_SHOWN, 3, None]], axis=1), names


def _draw(panels: dict[str, np.ndarray], analogy: np.ndarray | None, names: list[str], folder: pathlib.Path) -> None:
    """panels: attribute -> images [rows, steps, H, W, C]. analogy, names: from `_analogy`."""
    widths = [len(_STEPS)] * len(panels) + ([] if analogy is None else [analogy.shape[1]])
    plot, (axes,) = figure(1, len(widths), sum(widths) * 0.75 + 1, 8.5, width_ratios=widths)
    titles = {"ink": "lighter to heavier strokes", "slant": "leaning left to right"}
    for panel, (name, images) in zip(axes, panels.items(), strict=False):
        show(panel, images.reshape(-1, *images.shape[2:]), len(_STEPS), f"{name}: {titles[name]}")
        panel.set_xticks((np.arange(len(_STEPS)) + 0.5) * (images.shape[3] + 2), [f"{step:+g}" for step in _STEPS])
        panel.set_xlabel("directions added to z")
    if analogy is not None:
        title = "heavy A - light A + light B = the sum, last column; of each group its three examples and their mean z"
        show(axes[-1], analogy.reshape(-1, *analogy.shape[2:]), analogy.shape[1], title)
        height, width = (side + 2 for side in analogy.shape[2:4])
        ticks = {1: "heavy A", 3: "mean", 5: "light A", 7: "mean", 9: "light B", 11: "mean", 12: "sum"}
        axes[-1].set_xticks([(column + 0.5) * width for column in ticks], ticks.values())
        axes[-1].set_yticks((np.arange(len(names)) + 0.5) * height, names)
        for column in (4, 8, 12):
            axes[-1].axvline(column * width - 1.5, color="tab:orange", linewidth=2)
    save(plot, folder / "arithmetic.png")
