"""What the discriminator learned about images without being told: its features under a linear classifier."""

import pathlib
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from gan_jax.analysis.subject import Subject, figure, save
from gan_jax.data.dataset import Split, balanced, to_float
from gan_jax.devices import compiler
from gan_jax.evaluation.batching import in_batches
from gan_jax.gan.step import inference_variables
from gan_jax.layers.norms import CONDITIONAL_NORMS
from gan_jax.layers.post_layer import PostLayer
from gan_jax.losses.build import weighted_terms
from gan_jax.runs import initial_state

_SIDE = 4
_LABELS = (100, 1000)
_MOST_VALUES = 200_000_000  # features x images, 0.8 GB: networks with many channels get fewer images
_DRAWS = 5
_BATCH_SIZE = 500
_STRENGTHS = (30.0, 3.0, 0.3, 0.03)
_FIFTHS, _HELD_OUT = 5, 100
_NAMES = {"discriminator": "trained discriminator", "untrained": "untrained discriminator", "pixels": "pixels"}
_MARKERS = {"discriminator": "o", "untrained": "s", "pixels": "^"}


def pool(x: jax.Array, side: int) -> jax.Array:
    """Maxima of x [B, H, W, C] over a side x side grid of windows, [B, side, side, C].

    Window i of n pixels is [floor(i n / side), ceil((i + 1) n / side)), as in PyTorch's adaptive_max_pool2d: windows of
    a side that `side` does not divide overlap, and those of a smaller one repeat pixels.
    """
    for axis in (1, 2):
        size = x.shape[axis]
        windows = [(i * size // side, -(-(i + 1) * size // side)) for i in range(side)]
        parts = [jax.lax.slice_in_dim(x, start, stop, axis=axis).max(axis) for start, stop in windows]
        x = jnp.stack(parts, axis)
    return x


def hidden(module: nn.Module, variables: dict, images: jax.Array, num_classes: int) -> list[jax.Array]:
    """The output of every hidden layer of a discriminator in inference mode, in their order: [B, ..., C] each.

    images float [B, H, W, C]. No true label enters: where features depend on a label (conditioning at the input,
    conditional norms) it is the point midway between all classes, weight 1 / K on each, the same for every image. The
    other discriminators' features do not depend on it, those under a projection head among them.
    """
    outputs, labels = [], jnp.full((len(images), num_classes), 1.0 / num_classes)
    if "reference" in variables:  # Its labels are stacked onto these.
        reference = variables["reference"]
        rows = jax.nn.one_hot(reference["labels"], num_classes)
        variables = {**variables, "reference": {**reference, "labels": rows}}

    def keep(call: Callable, args: tuple, kwargs: dict, context: Any) -> Any:
        output = call(*args, **kwargs)
        if isinstance(context.module, PostLayer) and context.method_name == "__call__":
            outputs.append(output[0][-len(images) :])  # The rows of a reference batch come first.
        return output

    with nn.intercept_methods(keep):
        module.apply(variables, images, labels, train=False)
    return outputs


def untrained(subject: Subject) -> dict:
    """The variables of the discriminator at step 0 of the run: same config, same seed, same initial batch.

    Running moments of batch norm are then still 0 and 1. Moments of training images instead change the accuracy of
    these features by less than half a point (MNIST, DCGAN).
    """
    run = subject.run
    seed, size = run.config.seed, run.config.init_batch_size
    examples = initial_state.init_examples(subject.dataset.train, seed, size)
    # Compiled as one, so that the generator's part is dropped.
    start = jax.jit(lambda: initial_state.init_state(run.gan, seed, examples).discriminator)
    return inference_variables(start())


def compiled_in_batches(function: Callable, *arrays: np.ndarray) -> Any:
    """function(*arrays) of many rows, compiled, a batch at a time, as NumPy."""
    program, size = compiler.jit(function), min(_BATCH_SIZE, len(arrays[0]))
    return in_batches(lambda index, *batch: program(*batch), arrays, size)


def _encoder(module: nn.Module, variables: dict, num_classes: int) -> Callable:
    """uint8 [N, H, W, C] -> a layer's features [N, F], for each hidden layer, pooled to at most 4 x 4."""

    def encode(images: jax.Array) -> list[jax.Array]:
        outputs = hidden(module, variables, to_float(images), num_classes)
        # A smaller grid than 4 x 4 would only repeat itself.
        pooled = [pool(x, min(_SIDE, *x.shape[1:3])) if x.ndim == 4 else x for x in outputs]
        return [x.reshape(len(x), -1) for x in pooled]

    return encode


def _comparable(seen: list[np.ndarray], others: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Layers [N, F_l] side by side, [N, F], and those of other images alike: rows of `seen` have a mean |x|^2 of 1.

    Every feature is centred. One scale for a whole layer: dividing each feature by its own would raise those that are
    almost always 0; it costs DCGAN's features 1 to 2 points of accuracy at 100 labels of MNIST.
    """
    means = [layer.mean(axis=0) for layer in seen]
    scales = [np.sqrt(layer.var(axis=0).mean()) + np.float32(1e-12) for layer in seen]
    root = np.float32(np.sqrt(sum(layer.shape[1] for layer in seen)))
    return tuple(
        np.concatenate([(x - m) / (s * root) for x, m, s in zip(layers, means, scales, strict=True)], axis=1)
        for layers in (seen, others)
    )


def linear_accuracy(
    x: np.ndarray, labels: np.ndarray, test_x: np.ndarray, test_labels: np.ndarray, rng: np.random.Generator
) -> float:
    """Share of the rows of test_x [M, F] whose class a linear classifier names that was fitted on x [N, F].

    argmax_k (w_k . x + b_k), where w and b minimise sum_n (w_k . x_n + b_k - t_nk)^2 + a |w_k|^2, t = 1 for the row's
    class and -1 for the others. Rows are expected to have a mean |x|^2 near 1, `a` is one of 30, 3, 0.3, 0.03: the best
    on balanced fifths of x, each held out in turn until 100 rows were (the largest of equals); then all of x is fitted.

    Least squares has a closed form: no iterations that end too early. On MNIST, DCGAN's features lose nothing by it
    against logistic regression; pixels lose 4 points at 10,000 labels.
    """
    from sklearn.linear_model import RidgeClassifier

    order, size = balanced(labels, len(labels), rng), max(len(labels) // _FIFTHS, 1)
    folds = range(min(_FIFTHS, -(-_HELD_OUT // size), len(labels) // size))

    def score(strength: float, fitted: np.ndarray, held: np.ndarray, held_labels: np.ndarray) -> float:
        classifier = RidgeClassifier(alpha=strength, solver="cholesky").fit(x[fitted], labels[fitted])
        return classifier.score(held, held_labels)

    def held_out_score(strength: float) -> float:
        parts = [order[fold * size : (fold + 1) * size] for fold in folds]
        return np.mean([score(strength, np.setdiff1d(order, part), x[part], labels[part]) for part in parts])

    strength = max(_STRENGTHS, key=held_out_score)  # The first of equals.
    return float(score(strength, order, test_x, test_labels))


def representation(subject: Subject, folder: pathlib.Path) -> dict:
    """representation.png: test accuracy of a linear classifier on D's features, by the number of labels it is given.

    Section 5.1 of the DCGAN paper (arXiv 1511.06434): the outputs of all hidden layers in inference mode, max-pooled to
    4 x 4, side by side; a regularised linear classifier on top (least squares where the paper has an L2-SVM). Beside it
    the same of the untrained discriminator and of the pixels: random convolutions are a strong representation, so what
    training taught is the difference to `untrained`, not the accuracy. Labelled images are balanced draws from the
    train split, the same for all three: 5 of 100 labels, 5 of 1,000, and all labels.

    accuracy_<features>_<labels>: in [0, 1], mean over the draws; _standard_deviation: between them, on the same test
    images. discriminator_saw_labels: D met labels in training, so that its features are no unsupervised ones.
    """
    (module, variables), classes = subject.run.discriminator(), subject.dataset.num_classes
    encoders = {
        "discriminator": _encoder(module, variables, classes),
        "untrained": _encoder(module, untrained(subject), classes),
        "pixels": lambda images: [to_float(images).reshape(len(images), -1)],
    }
    train_split = subject.dataset.train
    num_features = sum(x.shape[1] for x in jax.eval_shape(encoders["discriminator"], train_split.images[:1]))
    most = max(_MOST_VALUES // max(num_features, train_split.images[0].size), 1)
    chosen = balanced(train_split.labels, most, np.random.default_rng(subject.seed))
    labelled = Split(train_split.images[chosen], train_split.labels[chosen])
    test = subject.some(subject.dataset.test, most)
    accuracies = {name: _accuracies(encode, labelled, test, subject.seed) for name, encode in encoders.items()}
    about = {
        "num_features": num_features,
        "num_test": len(test.labels),
        "discriminator_saw_labels": _saw_labels(subject.run.config),
    }
    _draw(accuracies, about["discriminator_saw_labels"], folder)
    return {**_numbers(accuracies), **about}


def _numbers(accuracies: dict[str, dict[int, list[float]]]) -> dict[str, float]:
    """The most labels first: there the difference between trained and untrained is the surest."""
    numbers = {}
    for size in sorted(accuracies["pixels"], reverse=True):
        for name, by_size in accuracies.items():
            numbers[f"accuracy_{name}_{size}"] = float(np.mean(by_size[size]))
            if len(by_size[size]) > 1:
                numbers[f"accuracy_{name}_{size}_standard_deviation"] = float(np.std(by_size[size], ddof=1))
    return numbers


def _saw_labels(config: ConfigDict) -> bool:
    section = config.discriminator
    takes = section.head == "projection" or section.conditioning != "none" or section.norm in CONDITIONAL_NORMS
    return bool(takes or any(term.uses_labels for term in weighted_terms(config.d_loss)))


def _accuracies(encode: Callable, labelled: Split, test: Split, seed: int) -> dict[int, list[float]]:
    """Number of labels -> the accuracy of each draw of so many."""
    x, test_x = _comparable(compiled_in_batches(encode, labelled.images), compiled_in_batches(encode, test.images))
    total = len(labelled.labels)
    sizes = {size: _DRAWS for size in _LABELS if size < total} | {total: 1}
    found = {}
    for size, draws in sizes.items():
        rngs = [np.random.default_rng([seed, size, draw]) for draw in range(draws)]
        rows = [balanced(labelled.labels, size, rng) for rng in rngs]
        found[size] = [
            linear_accuracy(x[chosen], labelled.labels[chosen], test_x, test.labels, rng)
            for chosen, rng in zip(rows, rngs, strict=True)
        ]
    return found


def _draw(accuracies: dict[str, dict[int, list[float]]], saw_labels: bool, folder: pathlib.Path) -> None:
    drawn, ((axes,),) = figure(1, 1, 8, 5)
    for index, (name, by_size) in enumerate(accuracies.items()):
        places = np.arange(len(by_size)) + (index - 1) * 0.2  # side by side: they are often alike
        means = [100 * np.mean(found) for found in by_size.values()]
        spreads = [100 * np.std(found, ddof=1) if len(found) > 1 else 0.0 for found in by_size.values()]
        axes.errorbar(places, means, spreads, fmt=_MARKERS[name], capsize=4, markersize=8, label=_NAMES[name])
        for place, mean, spread in zip(places, means, spreads, strict=True):
            axes.annotate(f"{mean:.1f}", (place, mean + spread), (0, 7), textcoords="offset points", ha="center")
    sizes = list(accuracies["pixels"])
    axes.set_xticks(range(len(sizes)), [f"{size:,}" for size in sizes])
    axes.set(xlabel="labels (balanced draws of training images)", ylabel="test accuracy, %")
    note = "\nD met labels in training: these are no unsupervised features" if saw_labels else ""
    axes.set_title(f"Linear classifier on features; bars: standard deviation over {_DRAWS} draws{note}", fontsize=11)
    axes.margins(0.1, 0.15)
    axes.grid(axis="y", alpha=0.3)
    axes.legend(loc="lower right")
    save(drawn, folder / "representation.png")
