"""Walks through latent space: between two points, between two classes, towards the origin."""

import pathlib

import numpy as np

from gan_jax.analysis.subject import NotApplicable, Subject, figure, save, show
from gan_jax.evaluation.generate import balanced_labels
from gan_jax.evaluation.metrics.accuracy import accuracy
from gan_jax.evaluation.metrics.frechet import frechet_distance
from gan_jax.evaluation.metrics.prdc import precision_recall_density_coverage

_PAIRS, _SHOWN_PAIRS = 50, 5
_POINTS = 17  # points of a walk
_PATHS = 20  # walks between two classes
_SHOWN_CLASSES = 10
FACTORS = (0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4)


def linear(a: np.ndarray, b: np.ndarray, t: np.ndarray) -> np.ndarray:
    """(1 - t) a + t b: a, b [..., Z] and t [T] -> [..., T, Z] in float64.

    The point midway between two independent samples of N(0, I) is shorter than both by a factor of about sqrt(2);
    samples of N(0, I) almost never have this length.
    """
    t, (a, b) = np.float64(t)[:, None], (np.float64(end)[..., None, :] for end in (a, b))
    return (1 - t) * a + t * b


def spherical(a: np.ndarray, b: np.ndarray, t: np.ndarray) -> np.ndarray:
    """sin((1 - t) w) / sin(w) a + sin(t w) / sin(w) b with the angle w between a and b; shapes as in `linear`.

    Shoemake 1985 (SIGGRAPH, "Animating rotation with quaternion curves") for unit vectors; White 2016 (arXiv
    1609.04468) for latent spaces. If a and b have the same length, so has every point between them. If a and b are
    nearly parallel or opposite (sin(w) < 1e-6), or one is 0, the result is that of `linear`, because opposite vectors
    define no great circle.
    """
    a, b = np.float64(a), np.float64(b)
    lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    cosine = np.sum(a * b, axis=-1) / np.where(lengths > 0, lengths, 1.0)
    angle = np.where(lengths > 0, np.arccos(np.clip(cosine, -1, 1)), 0.0)[..., None, None]
    is_degenerate, t = np.sin(angle) < 1e-6, np.float64(t)[:, None]
    sine = np.where(is_degenerate, 1.0, np.sin(angle))
    walk = (np.sin((1 - t) * angle) * a[..., None, :] + np.sin(t * angle) * b[..., None, :]) / sine
    return np.where(is_degenerate, linear(a, b, t[:, 0]), walk)


def _walk(subject: Subject, path: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(images [P, T, H, W, C], steps [P, T - 1]) of z [P, T, Z] with labels [P].

    Steps are distances between neighbouring points in features, divided by the distance between the ends. Pairs with
    the same image at both ends are left out of the steps.
    """
    pairs, points, size = path.shape
    images = subject.generate(path.reshape(-1, size), np.repeat(labels, points))
    features = subject.extract(images)[0].astype(np.float64).reshape(pairs, points, -1)
    ends = np.linalg.norm(features[:, -1] - features[:, 0], axis=-1)
    steps = np.linalg.norm(np.diff(features, axis=1), axis=-1)
    differ = ends > 0
    return images.reshape(pairs, points, *images.shape[1:]), steps[differ] / ends[differ, None]


def interpolation(subject: Subject, folder: pathlib.Path) -> dict:
    """interpolation.png: walks between pairs of z, spherical above linear; DCGAN, section 6.1 (arXiv 1511.06434).

    Means over 50 pairs, each with one label; <kind> is spherical or linear:
    <kind>_path_length: length of the path in features, divided by the distance between its ends; at least 1.
    <kind>_largest_step: share of the longest of 16 steps in this length; at least 1/16. Sharp transitions (a large
        share) would be a sign of memorised images.
    <kind>_norm_at_middle: |z| at the middle, divided by the mean |z| of the ends.

    The first two are None if the images at both ends are equal for every pair. With a uniform prior, linear walks stay
    in the cube of the prior; spherical walks may leave it a little.
    """
    ends, labels = subject.draw_z(2 * _PAIRS, stream=1), balanced_labels(_PAIRS, subject.dataset.num_classes)
    t, rows, lines, numbers = np.linspace(0, 1, _POINTS), [], {}, {}
    for kind, interpolate in (("spherical", spherical), ("linear", linear)):
        path = interpolate(ends[:_PAIRS], ends[_PAIRS:], t)
        images, steps = _walk(subject, path, labels)
        norms = np.linalg.norm(path, axis=-1)
        norms /= (norms[:, :1] + norms[:, -1:]) / 2
        rows.append(images[:_SHOWN_PAIRS, ::2])
        lines[kind] = norms.mean(axis=0), steps.mean(axis=0) if len(steps) else None
        length = steps.sum(axis=1)
        numbers[f"{kind}_path_length"] = float(length.mean()) if len(steps) else None
        numbers[f"{kind}_largest_step"] = float((steps.max(axis=1) / length).mean()) if len(steps) else None
        numbers[f"{kind}_norm_at_middle"] = float(norms[:, _POINTS // 2].mean())
    _draw_interpolation(np.stack(rows, axis=1), t, lines, folder)
    first = {key: numbers[key] for key in ("spherical_path_length", "linear_path_length")}
    return {**first, **numbers, "num_pairs": _PAIRS, "num_steps": _POINTS - 1}


def _draw_interpolation(images: np.ndarray, t: np.ndarray, lines: dict, folder: pathlib.Path) -> None:
    """images [pairs, 2, T, H, W, C]: spherical, then linear."""
    pairs, _, columns, height = images.shape[:4]
    plot, ((walks, norms, steps),) = figure(1, 3, 14, 6, width_ratios=[1.5, 1, 1])
    show(walks, images.reshape(-1, *images.shape[3:]), columns, "From one z to another, t = 0 to 1")
    names = [f"{kind} {pair + 1}" for pair in range(pairs) for kind in ("spherical", "linear")]
    walks.set_yticks((np.arange(2 * pairs) + 0.5) * (height + 2), names, fontsize=8)
    for kind, (norm, step) in lines.items():
        norms.plot(t, norm, label=kind)
        if step is not None:
            steps.plot((t[1:] + t[:-1]) / 2, step, label=kind)
    norms.set(xlabel="t (share of the way)", ylabel="|z| / mean |z| of the ends", title="Length of z, mean of pairs")
    steps.set(xlabel="t (share of the way)", ylabel="step / distance of the ends", title="Steps in features, mean")
    norms.legend()
    for axes in (norms, steps):
        axes.set_ylim(bottom=0)
    save(plot, folder / "interpolation.png")


def class_interpolation(subject: Subject, folder: pathlib.Path) -> dict:
    """class_interpolation.png: one z, while the label moves from class k to k + 1 with the weights (1 - t, t).

    There are 20 walks for every k. Numbers are over the walks whose ends have the right predicted classes:
    change_at_mean, change_at_standard_deviation: of the first t with a predicted class other than k (resolution 1/16).
    through_a_third_class: share of walks on which a third class is predicted.
    In training, a generator gets only the weights 0 and 1.
    """
    classes = subject.dataset.num_classes
    if not subject.conditional:
        raise NotApplicable("the generator takes no label")
    if classes < 2:
        raise NotApplicable("there is one class only")
    t, rows = np.linspace(0, 1, _POINTS), subject.weights(np.arange(classes))
    weights = linear(rows, np.roll(rows, -1, axis=0), t)[:, None].repeat(_PATHS, axis=1)  # [K, paths, T, K]
    z = np.broadcast_to(subject.draw_z(_PATHS, stream=2)[:, None], (classes, _PATHS, _POINTS, subject.z.shape[1]))
    images = subject.generate(z.reshape(-1, z.shape[-1]), weights.reshape(-1, classes))
    probabilities = subject.extract(images)[1].reshape(weights.shape)
    answers = probabilities.argmax(axis=-1)
    start = np.arange(classes)[:, None, None]
    end = (start + 1) % classes
    ends_right = (answers[..., :1] == start)[..., 0] & (answers[..., -1:] == end)[..., 0]
    change = t[(answers != start).argmax(axis=-1)][ends_right]
    third = ((answers != start) & (answers != end)).any(axis=-1)[ends_right]
    images = images.reshape(*weights.shape[:3], *images.shape[1:])
    _draw_classes(images[:_SHOWN_CLASSES, 0, ::2], t, probabilities, subject.dataset.class_names, folder)
    return {
        "change_at_mean": float(change.mean()) if len(change) else None,
        "through_a_third_class": float(third.mean()) if len(third) else None,
        "change_at_standard_deviation": float(change.std()) if len(change) else None,
        "num_walks": ends_right.size,
        "num_walks_with_both_ends_right": int(ends_right.sum()),
    }


def _draw_classes(
    images: np.ndarray, t: np.ndarray, probabilities: np.ndarray, class_names: tuple[str, ...], folder: pathlib.Path
) -> None:
    """images [K, T, H, W, C] of one z; probabilities [K, paths, T, K] of all walks."""
    classes, (shown, columns, height) = len(probabilities), images.shape[:3]
    plot, ((walks, curve),) = figure(1, 2, 12, 6.5, width_ratios=[1.2, 1])
    show(walks, images.reshape(-1, *images.shape[2:]), columns, "One z, the label from class to class, t = 0 to 1")
    names = [f"{class_names[label]} to {class_names[(label + 1) % classes]}" for label in range(shown)]
    walks.set_yticks((np.arange(shown) + 0.5) * (height + 2), names)
    index = np.arange(classes)
    mean = probabilities.mean(axis=1)  # [K, T, K]
    first, second = mean[index, :, index], mean[index, :, (index + 1) % classes]
    for name, values in (("first class", first), ("second class", second), ("all others", 1 - first - second)):
        curve.plot(t, values.mean(axis=0), marker=".", label=name)
    curve.set(xlabel="t (weight of the second class)", ylabel="classifier's probability, mean of all walks")
    curve.set(title="What the classifier sees", ylim=(-0.02, 1.02))
    curve.legend()
    save(plot, folder / "class_interpolation.png")


def truncation(subject: Subject, folder: pathlib.Path) -> dict:
    """truncation.png: images of c z and their scores, for factors c from 0.2 to 1.4.

    This is not the truncation of BigGAN (arXiv 1809.11096, section 3.1), which resamples the entries of z beyond a
    threshold. Scaling moves z to lengths that were rare or absent in training: |z| of N(0, I) in Z dimensions is nearly
    always close to sqrt(Z), and factors above 1 leave the cube of a uniform prior. The analysis does not apply to the
    prior `sphere`, because it has one radius.

    All factors use the same z. Scores are against as many test images as generated ones. So the scores of different
    factors are comparable, but not with evaluation.json: the Frechet distance falls with the number of images. Do not
    choose a factor by these scores, because they use the test images.
    """
    if subject.run.config.prior.name == "sphere":
        raise NotApplicable("the prior sphere has one radius, which a factor would leave")
    count = min(subject.num_images, len(subject.dataset.test.labels))
    if count < 2:
        raise NotApplicable("scores need two test images")
    real = subject.extract(subject.subset(subject.dataset.test, count).images)[0]
    z, labels, scores, images = subject.z[:count], subject.generated.labels[:count], {}, []
    for factor in FACTORS:
        examples = subject.with_features(subject.generate(factor * z, labels), labels)
        prdc = precision_recall_density_coverage(real, examples.features, min(5, count - 1))
        scores.setdefault("frechet_distance", []).append(frechet_distance(examples.features, real))
        scores.setdefault("precision", []).append(prdc.precision)
        scores.setdefault("recall", []).append(prdc.recall)
        if subject.conditional:
            scores.setdefault("conditional_accuracy", []).append(accuracy(examples.predicted, labels))
        images.append(examples.images[:_SHOWN_CLASSES])
    _draw_truncation(np.concatenate(images), scores, folder)
    best = int(np.argmin(scores["frechet_distance"]))
    return {
        "best_factor": FACTORS[best],
        "frechet_distance_there": scores["frechet_distance"][best],
        "factors": list(FACTORS),
        **scores,
        "num_real": count,
        "num_generated": count,
    }


def _draw_truncation(images: np.ndarray, scores: dict[str, list[float]], folder: pathlib.Path) -> None:
    columns = len(images) // len(FACTORS)
    plot, ((samples, shares, distance),) = figure(1, 3, 15, 4.5, width_ratios=[1.6, 1, 1])
    show(samples, images, columns, "Images of factor x z, one z a column")
    samples.set_yticks((np.arange(len(FACTORS)) + 0.5) * (images.shape[1] + 2), map(str, FACTORS))
    samples.set_ylabel("factor")
    for name, values in scores.items():
        axes = distance if name == "frechet_distance" else shares
        axes.plot(FACTORS, values, marker=".", label=name.replace("_", " "))
    shares.set(xlabel="factor on z", ylabel="share of images", ylim=(0, 1.02), title="Shares")
    distance.set(xlabel="factor on z", ylabel="Frechet distance (features)", title="Distance to test images")
    distance.set_ylim(bottom=0)
    for axes in (shares, distance):
        axes.axvline(1, color="grey", linewidth=0.8, linestyle=":")
    shares.legend()
    save(plot, folder / "truncation.png")
