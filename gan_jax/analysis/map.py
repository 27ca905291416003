"""A two-dimensional map of the features of real and generated images."""

import pathlib

import numpy as np

from gan_jax.analysis.subject import NotApplicable, Subject, figure, save
from gan_jax.evaluation.metrics.neighbours import distances_among, nearest

_MAX_POINTS = 1000  # real points, and generated points: t-SNE takes seconds at 2,000; more would hide each other
_COMPONENTS = 50
_MAX_NAMED = 20  # classes with a line in the legend; more leave no room for the map


def feature_map(subject: Subject, folder: pathlib.Path) -> dict:
    """map.png: features of test and generated images together, reduced by principal components, then by t-SNE.

    The principal components keep at most 50 dimensions. t-SNE (van der Maaten and Hinton 2008, JMLR 9) has perplexity
    30, less for few points. There are equally many real and generated points, at most 1,000 each. A map shows which
    points are neighbours; distances between groups and sizes of groups have no meaning.

    generated_beside_generated: share of generated points whose nearest neighbour on the map is generated; about 0.5 if
        real and generated points mix.
    real_beside_real: the same for real points.

    The class of a real point is its label. The class of a generated point is its condition or, if the generator takes
    no label, the classifier's prediction.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    generated, count = subject.generated, min(_MAX_POINTS, subject.num_images, len(subject.dataset.test.labels))
    if count < 2:
        raise NotApplicable("a map needs two test images")
    real = subject.subset(subject.dataset.test, count)
    rows = np.random.default_rng(subject.seed).permutation(subject.num_images)[:count]
    features = np.concatenate([subject.extract(real.images)[0], generated.features[rows]]).astype(np.float64)
    components = PCA(min(_COMPONENTS, *features.shape), random_state=subject.seed)
    reduced = components.fit_transform(features)
    tsne = TSNE(perplexity=min(30.0, (2 * count - 1) / 3), init="pca", random_state=subject.seed)
    # The threads of t-SNE wait for each other by spinning: on a busy machine, two took 100 times as long as one.
    with threadpool_limits(1):
        points = tsne.fit_transform(reduced)
    fake = np.arange(2 * count) >= count
    classes = (generated.labels if subject.conditional else generated.predicted)[rows]
    _draw(points, fake, np.concatenate([real.labels, classes]), subject, folder)
    same_kind = fake[nearest(distances_among(points.astype(np.float64)))[0]] == fake
    return {
        "generated_beside_generated": float(same_kind[fake].mean()),
        "real_beside_real": float(same_kind[~fake].mean()),
        "variance_kept": float(components.explained_variance_ratio_.sum()),
        "kl_divergence": float(tsne.kl_divergence_),
        "num_real": count,
        "num_generated": count,
    }


def _draw(points: np.ndarray, fake: np.ndarray, classes: np.ndarray, subject: Subject, folder: pathlib.Path) -> None:
    import matplotlib

    plot, ((by_class, by_kind),) = figure(1, 2, 16, 7.5)
    palette = matplotlib.colormaps["tab10" if subject.dataset.num_classes <= 10 else "tab20"]
    for label in range(subject.dataset.num_classes):
        for kind, marker in ((~fake, "o"), (fake, "x")):
            x, y = points[kind & (classes == label)].T
            marker_style = {"edgecolors": "none"} if marker == "o" else {"linewidths": 0.9}
            by_class.scatter(x, y, s=18, marker=marker, color=palette(label % palette.N), alpha=0.7, **marker_style)
        if subject.dataset.num_classes <= _MAX_NAMED:
            by_class.scatter([], [], s=40, color=palette(label % palette.N), label=subject.dataset.class_names[label])
    for marker, name in (("o", "real"), ("x", "generated")):
        by_class.scatter([], [], s=30, marker=marker, color="black", label=name)
    answer = "condition" if subject.conditional else "classifier's answer"
    by_class.set(title=f"By class (real: label; generated: {answer})")
    for kind, name, color in ((~fake, "real (test)", "tab:blue"), (fake, "generated", "tab:red")):
        by_kind.scatter(*points[kind].T, s=14, color=color, alpha=0.5, edgecolors="none", label=f"{name}: {kind.sum()}")
    by_kind.set(title="By kind")
    for axes in (by_class, by_kind):
        axes.set(xticks=[], yticks=[], xlabel="t-SNE 1 (no unit)", ylabel="t-SNE 2 (no unit)")
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=9)
    save(plot, folder / "map.png")
