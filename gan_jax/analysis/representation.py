"""The quality of the discriminator's features: the accuracy of a linear classifier on them."""

import pathlib
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from gan_jax.analysis.subject import NotApplicable, Subject, figure, save
from gan_jax.data.dataset import Split, balanced, to_float
from gan_jax.devices import compiler
from gan_jax.evaluation.batching import in_batches
from gan_jax.gan.player import inference_variables
from gan_jax.layers.norms import CONDITIONAL_NORMS
from gan_jax.layers.post_layer import PostLayer
from gan_jax.losses.build import weighted_terms
from gan_jax.runs import initial_state

_SIDE = 4
_LABELS = (100, 1000)
_MAX_VALUES = 200_000_000  # features x images, 0.8 GB; a network with many channels gets fewer images
_NUM_SUBSETS = 5
_BATCH_SIZE = 500
_STRENGTHS = (30.0, 3.0, 0.3, 0.03)
_FIFTHS, _HELD_OUT = 5, 100
_NAMES = {"discriminator": "trained discriminator", "untrained": "untrained discriminator", "pixels": "pixels"}
_MARKERS = {"discriminator": "o", "untrained": "s", "pixels": "^"}


def pool(x: jax.Array, side: int) -> jax.Array:
    """Maxima of x [B, H, W, C] over a side x side grid of windows, [B, side, side, C].

    Along an axis of n pixels, window i is [floor(i n / side), ceil((i + 1) n / side)), as in PyTorch's
    adaptive_max_pool2d. Windows overlap if n is not divisible by `side`.
    """
    for axis in (1, 2):
        size = x.shape[axis]
        windows = [(i * size // side, -(-(i + 1) * size // side)) for i in range(side)]
        maxima = [jax.lax.slice_in_dim(x, start, stop, axis=axis).max(axis) for start, stop in windows]
        x = jnp.stack(maxima, axis)
    return x


def hidden(module: nn.Module, variables: dict, images: jax.Array, num_classes: int) -> list[jax.Array]:
    """The outputs [B, ..., C] of all hidden layers of a discriminator in inference mode, in order.

    images: float [B, H, W, C].
    The discriminator gets no true label. If its features depend on a label (conditioning at the input, conditional
    norms), every image gets the weight 1 / K for each class. The features of all other discriminators, also with a
    projection head, do not depend on the label.
    """
    outputs, labels = [], jnp.full((len(images), num_classes), 1.0 / num_classes)
    if "reference" in variables:  # Labels of a reference batch are concatenated with `labels`.
        reference = variables["reference"]
        rows = jax.nn.one_hot(reference["labels"], num_classes)
        variables = {**variables, "reference": {**reference, "labels": rows}}

    def record_output(call: Callable, args: tuple, kwargs: dict, context: Any) -> Any:
        output = call(*args, **kwargs)
        if isinstance(context.module, PostLayer) and context.method_name == "__call__":
            outputs.append(output[0][-len(images) :])  # Rows of a reference batch come first.
        return output

    with nn.intercept_methods(record_output):
        module.apply(variables, images, labels, train=False)
    return outputs


def untrained(subject: Subject) -> dict:
    """The discriminator's variables at step 0 of the run: same config, same seed, same initial batch.

    At step 0 the running statistics of batch norm are 0 and 1. With statistics of training images, the accuracy of the
    features changes by less than half a point (MNIST, DCGAN).
    """
    run = subject.run
    seed, size = run.config.seed, run.config.init_batch_size
    examples = initial_state.init_examples(subject.dataset.train, seed, size)
    # Compiled as one program, so that XLA removes the initialisation of the generator.
    init_discriminator = jax.jit(lambda: initial_state.init_state(run.gan, seed, examples).discriminator)
    return inference_variables(init_discriminator())


def compiled_in_batches(function: Callable, *arrays: np.ndarray) -> Any:
    """function(*arrays) of many rows, compiled, a batch at a time, as NumPy."""
    program, size = compiler.jit(function), min(_BATCH_SIZE, len(arrays[0]))
    return in_batches(lambda index, *batch: program(*batch), arrays, size)


def _encoder(module: nn.Module, variables: dict, num_classes: int) -> Callable:
    """A function uint8 [N, H, W, C] -> list of features [N, F], one for each hidden layer, pooled to at most 4 x 4."""

    def encode(images: jax.Array) -> list[jax.Array]:
        outputs = hidden(module, variables, to_float(images), num_classes)
        # Pooling a smaller grid to 4 x 4 would only repeat its values.
        pooled = [pool(x, min(_SIDE, *x.shape[1:3])) if x.ndim == 4 else x for x in outputs]
        return [x.reshape(len(x), -1) for x in pooled]

    return encode


def _standardize(train: list[np.ndarray], test: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Concatenates layers [N, F_l] to [N, F], centred and scaled so that the training rows have a mean |x|^2 of 1.

    Means and scales are those of the training rows, with one scale for each layer. A scale for each feature would
    amplify features that are almost always 0; it costs DCGAN's features 1 to 2 points of accuracy at 100 labels of
    MNIST.
    """
    means = [layer.mean(axis=0) for layer in train]
    scales = [np.sqrt(layer.var(axis=0).mean()) + np.float32(1e-12) for layer in train]
    root = np.float32(np.sqrt(sum(layer.shape[1] for layer in train)))
    return tuple(
        np.concatenate([(x - m) / (s * root) for x, m, s in zip(layers, means, scales, strict=True)], axis=1)
        for layers in (train, test)
    )


def linear_accuracy(
    x: np.ndarray, labels: np.ndarray, test_x: np.ndarray, test_labels: np.ndarray, rng: np.random.Generator
) -> float:
    """Accuracy on test_x [M, F] of a linear classifier that is fitted to x [N, F].

    The predicted class is argmax_k (w_k . x + b_k). w and b minimise sum_n (w_k . x_n + b_k - t_nk)^2 + a |w_k|^2 with
    t = 1 for the row's class and -1 for the other classes. Rows should have a mean |x|^2 near 1.
    a is the best of 30, 3, 0.3 and 0.03 (the largest of equals) by cross-validation on balanced fifths of x. Only as
    many fifths are held out as 100 held-out rows need. Then the classifier is fitted to all of x.

    Least squares has a closed form, so there are no iterations that could end too early. On MNIST, DCGAN's features
    lose nothing against logistic regression; pixels lose 4 points at 10,000 labels.
    """
    from sklearn.linear_model import RidgeClassifier

    order, size = balanced(labels, len(labels), rng), max(len(labels) // _FIFTHS, 1)
    folds = range(min(_FIFTHS, -(-_HELD_OUT // size), len(labels) // size))

    def score(strength: float, rows: np.ndarray, scored_x: np.ndarray, scored_labels: np.ndarray) -> float:
        classifier = RidgeClassifier(alpha=strength, solver="cholesky").fit(x[rows], labels[rows])
        return classifier.score(scored_x, scored_labels)

    def cross_validation_score(strength: float) -> float:
        held_out = [order[fold * size : (fold + 1) * size] for fold in folds]
        return np.mean([score(strength, np.setdiff1d(order, rows), x[rows], labels[rows]) for rows in held_out])

    strength = max(_STRENGTHS, key=cross_validation_score)  # The first of equals.
    return float(score(strength, order, test_x, test_labels))


def representation(subject: Subject, folder: pathlib.Path) -> dict:
    """representation.png: test accuracy of a linear classifier on D's features, by the number of labels.

    Section 5.1 of the DCGAN paper (arXiv 1511.06434). Features are the outputs of all hidden layers in inference mode,
    max-pooled to 4 x 4 and concatenated. The classifier is regularised least squares; the paper has an L2-SVM. The
    same classifier is also fitted to the features of the untrained discriminator and to the pixels. Random
    convolutions are a strong representation, so the effect of training is the difference to `untrained`, not the
    accuracy. Labelled images are balanced subsets of the training split, the same for all three kinds of features: 5
    subsets of 100 labels, 5 subsets of 1,000 labels, and all labels.

    accuracy_<features>_<labels>: in [0, 1], mean over the subsets.
    accuracy_<features>_<labels>_standard_deviation: between the subsets, on the same test images.
    discriminator_saw_labels: whether D was trained with labels; then its features are not unsupervised.
    """
    (module, variables), classes = subject.run.discriminator(), subject.dataset.num_classes
    if classes < 2:
        raise NotApplicable("there is one class only")
    encoders = {
        "discriminator": _encoder(module, variables, classes),
        "untrained": _encoder(module, untrained(subject), classes),
        "pixels": lambda images: [to_float(images).reshape(len(images), -1)],
    }
    train_split = subject.dataset.train
    num_features = sum(x.shape[1] for x in jax.eval_shape(encoders["discriminator"], train_split.images[:1]))
    max_images = max(_MAX_VALUES // max(num_features, train_split.images[0].size), 1)
    rows = balanced(train_split.labels, max_images, np.random.default_rng(subject.seed))
    labelled = Split(train_split.images[rows], train_split.labels[rows])
    test = subject.subset(subject.dataset.test, max_images)
    accuracies = {name: _accuracies(encode, labelled, test, subject.seed) for name, encode in encoders.items()}
    facts = {
        "num_features": num_features,
        "num_test": len(test.labels),
        "discriminator_saw_labels": _saw_labels(subject.run.config),
    }
    _draw(accuracies, facts["discriminator_saw_labels"], folder)
    return {**_numbers(accuracies), **facts}


def _numbers(accuracies: dict[str, dict[int, list[float]]]) -> dict[str, float]:
    """Means and standard deviations; the most labels first, because there the differences are most reliable."""
    numbers = {}
    for size in sorted(accuracies["pixels"], reverse=True):
        for name, by_size in accuracies.items():
            numbers[f"accuracy_{name}_{size}"] = float(np.mean(by_size[size]))
            if len(by_size[size]) > 1:
                numbers[f"accuracy_{name}_{size}_standard_deviation"] = float(np.std(by_size[size], ddof=1))
    return numbers


def _saw_labels(config: ConfigDict) -> bool:
    """Whether D gets labels, as an input or in a loss term."""
    section = config.discriminator
    takes_labels = section.head == "projection" or section.conditioning != "none" or section.norm in CONDITIONAL_NORMS
    return bool(takes_labels or any(term.uses_labels for term in weighted_terms(config.d_loss)))


def _accuracies(encode: Callable, labelled: Split, test: Split, seed: int) -> dict[int, list[float]]:
    """Number of labels -> the accuracies with all subsets of this size."""
    x, test_x = _standardize(compiled_in_batches(encode, labelled.images), compiled_in_batches(encode, test.images))
    total = len(labelled.labels)
    sizes = {size: _NUM_SUBSETS for size in _LABELS if size < total} | {total: 1}
    accuracies = {}
    for size, num_subsets in sizes.items():
        rngs = [np.random.default_rng([seed, size, subset]) for subset in range(num_subsets)]
        subsets = [balanced(labelled.labels, size, rng) for rng in rngs]
        accuracies[size] = [
            linear_accuracy(x[rows], labelled.labels[rows], test_x, test.labels, rng)
            for rows, rng in zip(subsets, rngs, strict=True)
        ]
    return accuracies


def _draw(accuracies: dict[str, dict[int, list[float]]], saw_labels: bool, folder: pathlib.Path) -> None:
    plot, ((axes,),) = figure(1, 1, 8, 5)
    for index, (name, by_size) in enumerate(accuracies.items()):
        positions = np.arange(len(by_size)) + (index - 1) * 0.2  # shifted, because the values are often nearly equal
        means = [100 * np.mean(values) for values in by_size.values()]
        deviations = [100 * np.std(values, ddof=1) if len(values) > 1 else 0.0 for values in by_size.values()]
        axes.errorbar(positions, means, deviations, fmt=_MARKERS[name], capsize=4, markersize=8, label=_NAMES[name])
        for position, mean, deviation in zip(positions, means, deviations, strict=True):
            axes.annotate(f"{mean:.1f}", (position, mean + deviation), (0, 7), textcoords="offset points", ha="center")
    sizes = list(accuracies["pixels"])
    axes.set_xticks(range(len(sizes)), [f"{size:,}" for size in sizes])
    axes.set(xlabel="labels (balanced draws of training images)", ylabel="test accuracy, %")
    note = "\nD met labels in training: these are no unsupervised features" if saw_labels else ""
    axes.set_title(
        f"Linear classifier on features; bars: standard deviation over {_NUM_SUBSETS} draws{note}", fontsize=11
    )
    axes.margins(0.1, 0.15)
    axes.grid(axis="y", alpha=0.3)
    axes.legend(loc="lower right")
    save(plot, folder / "representation.png")
