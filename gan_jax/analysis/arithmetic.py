"""Vector arithmetic in latent space: mean(a) - mean(b) + c changes in c what sets a apart from b."""

import pathlib

import numpy as np

from gan_jax.analysis.subject import Subject, figure, save, show
from gan_jax.evaluation.generate import balanced_labels

_SHARE = 0.1  # of a class at either end of an attribute
_STEPS = (-1, -0.5, 0, 0.5, 1)
_OTHERS, _SHOWN = 200, 10
_THREE = 3  # examples averaged, as in the paper
_TRIALS = 200


def ink(images: np.ndarray) -> np.ndarray:
    """Mean grey value [N], in [0, 1], of images uint8 [N, H, W, C]: light strokes against heavy ones."""
    return images.mean(axis=(1, 2, 3), dtype=np.float64) / 255


def slant(images: np.ndarray) -> np.ndarray:
    """Pixels to the right for each pixel up [N], by image moments: mu_11 / mu_02; above 0 leans right.

    mu_11 = sum I (x - mean x)(y - mean y) and mu_02 = sum I (y - mean y)^2, y upwards, of images uint8 [N, H, W, C],
    bright strokes on black. 0 for an image without extent.
    """
    mass = images.mean(axis=3, dtype=np.float64)
    mass /= np.maximum(mass.sum(axis=(1, 2), keepdims=True), 1e-9)
    x, y = np.arange(mass.shape[2])[None, None, :], -np.arange(mass.shape[1])[None, :, None]
    x, y = (axis - (mass * axis).sum(axis=(1, 2), keepdims=True) for axis in (x, y))
    both, vertical = (mass * x * y).sum(axis=(1, 2)), (mass * y**2).sum(axis=(1, 2))
    return np.where(vertical > 1e-9, both / np.maximum(vertical, 1e-9), 0.0)


ATTRIBUTES = {"ink": ink, "slant": slant}


def extremes(values: np.ndarray, classes: np.ndarray, share: float, least: int = 1) -> tuple[list, list]:
    """Rows of the highest and of the lowest `share` of values within each class, as two lists of arrays.

    One pair of arrays for every class with at least 2 `least` rows, each of at least `least`. Within a class, so that
    what sets the two groups apart is not which class has more of the attribute.
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
        self._spread = {}
        for label in np.unique(classes):
            own = values[classes == label]
            self._spread[label] = (own.mean(), own.std())

    def mean(self, values: np.ndarray, classes: np.ndarray) -> float | None:
        """Of values [N] in classes [N]; classes that are absent or do not vary are left out, None if all are."""
        pairs = [(value, *self._spread.get(label, (0, 0))) for value, label in zip(values, classes, strict=True)]
        scores = [
            (value - mean) / spread for value, mean, spread in pairs if spread > 1e-9
        ]  # equal values spread by rounding
        return float(np.mean(scores)) if scores else None


def arithmetic(subject: Subject, folder: pathlib.Path) -> dict:
    """arithmetic.png: the direction mean z(most) - mean z(least) of an attribute, added to other z of every class.

    DCGAN, section 6.3.2 (arXiv 1511.06434): single vectors are unstable, means of some are not. The groups are the
    upper and the lower tenth of every class by ink and by slant, so about num_images / 10 each. <attribute>_before and
    _after_<step>: mean over 200 other z, in standard deviations within a class, after adding <step> directions;
    <attribute>_class_kept: share that the classifier calls as before, after half a direction. Classes are conditions;
    where the generator takes no label, the classifier's answers, and then the paper's own sum is tried too, see
    `_analogy`.
    """
    generated = subject.generated
    classes = generated.labels if subject.conditional else generated.predicted
    z, asked = subject.draw_z(_OTHERS, stream=3), balanced_labels(_OTHERS, subject.dataset.num_classes)
    before, numbers, panels = subject.see(subject.generate(z, asked), asked), {}, {}
    others = asked if subject.conditional else before.predicted
    for name, measure in ATTRIBUTES.items():
        values = measure(generated.images)
        high, low = (np.concatenate(rows) for rows in extremes(values, classes, _SHARE))
        direction = subject.z[high].mean(axis=0) - subject.z[low].mean(axis=0)
        moved = [subject.see(subject.generate(z + step * direction, asked), asked) for step in _STEPS]
        scale = _Scale(values, classes)
        after = {step: scale.mean(measure(seen.images), others) for step, seen in zip(_STEPS, moved, strict=True)}
        numbers[f"{name}_before"] = after.pop(0)
        numbers |= {f"{name}_after_{step:+g}": value for step, value in after.items()}
        numbers[f"{name}_class_kept"] = float(np.mean(moved[_STEPS.index(0.5)].predicted == before.predicted))
        numbers[f"{name}_direction_length"] = float(np.linalg.norm(direction))
        panels[name] = np.stack([seen.images[:_SHOWN] for seen in moved], axis=1)
    examples, names = None, []
    if not subject.conditional:
        analogy, examples, names = _analogy(subject)
        numbers |= analogy
    _draw(panels, examples, names, folder)
    first = {key: numbers[key] for key in ("ink_after_+1", "slant_after_+1")}
    return {**first, **numbers, "z_length": float(np.linalg.norm(subject.z, axis=1).mean()), "num_others": _OTHERS}


def _analogy(subject: Subject) -> tuple[dict, np.ndarray | None, list[str]]:
    """heavy A - light A + light B = heavy B? Of classes A, B drawn 200 times, each group 3 examples' mean z.

    Numbers: how often the classifier calls the sum B, and how often mean c (light B) alone, which is already no sample;
    the ink of both in standard deviations within B. Pictures [rows, 13, H, W, C]: a and its mean, b, c, and the sum;
    what the rows are called.
    """
    generated, rng = subject.generated, np.random.default_rng(subject.seed)
    values = ink(generated.images)
    heavy, light = extremes(values, generated.predicted, 1 / 3, least=_THREE)
    if len(heavy) < 2:
        return {"analogy_class_kept": None}, None, []
    pairs = [rng.choice(len(heavy), 2, replace=False) for _ in range(_TRIALS)]
    pick = lambda rows: rng.choice(rows, _THREE, replace=False)  # noqa: E731
    groups = np.array([[pick(heavy[a]), pick(light[a]), pick(light[b])] for a, b in pairs])  # [trials, 3, 3]
    means = subject.z[groups].mean(axis=2)  # [trials, 3, Z]
    points = np.concatenate([means, (means[:, 0] - means[:, 1] + means[:, 2])[:, None]], axis=1)
    images = subject.generate(points.reshape(-1, points.shape[-1]), np.zeros(4 * _TRIALS, int))
    answers = subject.extract(images)[1].argmax(axis=1).reshape(_TRIALS, 4)
    images = images.reshape(_TRIALS, 4, *images.shape[1:])
    start, wanted = generated.predicted[groups[:, 0, 0]], generated.predicted[groups[:, 2, 0]]
    scale = _Scale(values, generated.predicted)
    members = generated.images[groups[:_SHOWN]]
    parts = [part for g in range(3) for part in (members[:, g], images[:_SHOWN, g, None])]
    numbers = {
        "analogy_class_kept": float(np.mean(answers[:, 3] == wanted)),
        "analogy_class_of_mean_c": float(np.mean(answers[:, 2] == wanted)),
        "analogy_ink_of_mean_c": scale.mean(ink(images[:, 2]), wanted),
        "analogy_ink_of_sum": scale.mean(ink(images[:, 3]), wanted),
    }
    names = [f"A {a}, B {b}" for a, b in zip(start[:_SHOWN], wanted[:_SHOWN], strict=True)]
    return numbers, np.concatenate([*parts, images[:_SHOWN, 3, None]], axis=1), names


def _draw(panels: dict[str, np.ndarray], examples: np.ndarray | None, names: list[str], folder: pathlib.Path) -> None:
    widths = [len(_STEPS)] * len(panels) + ([] if examples is None else [examples.shape[1]])
    drawn, (axes,) = figure(1, len(widths), sum(widths) * 0.75 + 1, 8.5, width_ratios=widths)
    titles = {"ink": "lighter to heavier strokes", "slant": "leaning left to right"}
    for panel, (name, images) in zip(axes, panels.items(), strict=False):
        show(panel, images.reshape(-1, *images.shape[2:]), len(_STEPS), f"{name}: {titles[name]}")
        panel.set_xticks((np.arange(len(_STEPS)) + 0.5) * (images.shape[3] + 2), [f"{step:+g}" for step in _STEPS])
        panel.set_xlabel("directions added to z")
    if examples is not None:
        title = "heavy A - light A + light B = the sum, last column; of each group its three examples and their mean z"
        show(axes[-1], examples.reshape(-1, *examples.shape[2:]), examples.shape[1], title)
        height, width = (side + 2 for side in examples.shape[2:4])
        ticks = {1: "heavy A", 3: "mean", 5: "light A", 7: "mean", 9: "light B", 11: "mean", 12: "sum"}
        axes[-1].set_xticks([(column + 0.5) * width for column in ticks], ticks.values())
        axes[-1].set_yticks((np.arange(len(names)) + 0.5) * height, names)
        for column in (4, 8, 12):
            axes[-1].axvline(column * width - 1.5, color="tab:orange", linewidth=2)
    save(drawn, folder / "arithmetic.png")
