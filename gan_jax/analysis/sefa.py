"""The directions of latent space that change the first layer of the generator most."""

import pathlib
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.analysis.subject import NotApplicable, Subject, figure, save, show
from gan_jax.evaluation.generate import balanced_labels
from gan_jax.gan.player import inference_variables
from gan_jax.layers.kernel_norms import Dense

_DIRECTIONS, _RANDOM = 4, 20
_POSITIONS = np.arange(-4, 5, dtype=np.float64)  # standard deviations of an entry of z
_NUM_MOVED, _SHOWN = 200, 6


def first_layer(module: nn.Module, variables: dict, z: jax.Array, labels: jax.Array) -> jax.Array:
    """The output [B, F] of the generator's first dense layer, of z [B, Z] and labels [B]. It is affine in z."""
    outputs = []

    def record_output(call: Any, args: tuple, kwargs: dict, context: Any) -> Any:
        output = call(*args, **kwargs)
        if isinstance(context.module, Dense) and context.method_name == "__call__":
            outputs.append(output[-len(z) :])  # Rows of a reference batch come first.
        return output

    with nn.intercept_methods(record_output):
        module.apply(variables, z, labels, train=False, rngs={"dropout": jax.random.key(0)})
    if not outputs:
        raise NotApplicable("the generator has no dense layer (gan_jax/layers/kernel_norms.py)")
    return outputs[0]


def directions(module: nn.Module, variables: dict, size: int, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """(eigenvalues [Z] in falling order, directions [Z, Z], one unit vector a row), of z of `size` entries.

    SeFa (Shen and Zhou 2020, arXiv 2007.06600): the first layer is A z + b, and a step of length s along a unit vector
    n changes it by s A n. The eigenvectors of A^T A are the orthogonal n with the largest |A n|^2, their eigenvalues.

    A is found from the outputs of the layer at unit vectors and at 0. So it is of the kernel after its
    reparametrisation, and if the layer also reads an embedding of the label, only the rows of z count. If z is
    multiplied by an embedding, A depends on the label, and A^T A is its mean over the classes. An eigenvector has no
    sign: here its largest entry is positive.
    """
    points = jnp.concatenate([jnp.eye(size), jnp.zeros((1, size))])
    outputs = jax.jit(lambda label: first_layer(module, variables, points, jnp.full(size + 1, label)))
    gram = np.zeros((size, size))
    for label in range(num_classes):
        *columns, constant = np.float64(outputs(np.int32(label)))  # columns of A, and b
        transposed = np.array(columns) - constant
        gram += transposed @ transposed.T / num_classes
    eigenvalues, vectors = np.linalg.eigh(gram)
    rows = vectors.T[::-1]
    largest = np.take_along_axis(rows, np.abs(rows).argmax(axis=1)[:, None], axis=1)
    return np.maximum(eigenvalues[::-1], 0), rows * np.sign(largest)


def sefa(subject: Subject, folder: pathlib.Path) -> dict:
    """sefa.png: images of z + s n for the first four directions n of SeFa; a row is one z, a column one s.

    s is in standard deviations of an entry of z, from -4 to 4: the part of z along n has the standard deviation 1 in
    this unit. Numbers are over 200 z with balanced labels, each moved by s = -2 and 2:
    change_<k>: the mean distance in features from the image of z, divided by that of 20 random directions. SeFa looks
        at the first layer only; above 1, the images change more, too.
    class_kept_<k>, class_kept_random: share of the moved images with the predicted class of the image of z.
    eigenvalue_share_<k>: share of the eigenvalue in their sum; random directions have 1 / Z on average.
    """
    run, classes = subject.run, subject.dataset.num_classes
    variables, size = inference_variables(run.state.generator), subject.z.shape[1]
    eigenvalues, vectors = directions(run.gan.generator, variables, size, classes)
    vectors = vectors[:_DIRECTIONS]
    z, labels = subject.draw_z(_NUM_MOVED, stream=4), balanced_labels(_NUM_MOVED, classes)
    unit, numbers = z.std(), {}
    random = np.random.default_rng(subject.seed).normal(size=(_RANDOM, size))
    random /= np.linalg.norm(random, axis=1, keepdims=True)
    changes, kept = _changes(subject, z, labels, 2 * unit * np.concatenate([vectors, random]))
    of_random = changes[len(vectors) :].mean()
    for index in range(len(vectors)):
        numbers[f"change_{index + 1}"] = float(changes[index] / of_random) if of_random > 0 else None
    for index in range(len(vectors)):
        numbers[f"class_kept_{index + 1}"] = float(kept[index])
        share = eigenvalues[index] / eigenvalues.sum() if eigenvalues.any() else 0.0
        numbers[f"eigenvalue_share_{index + 1}"] = float(share)
    _draw(subject, z[:_SHOWN], labels[:_SHOWN], unit * vectors, folder)
    numbers["class_kept_random"] = float(kept[len(vectors) :].mean())
    return {**numbers, "unit": float(unit), "num_moved": 2 * _NUM_MOVED, "num_random": _RANDOM}


def _changes(subject: Subject, z: np.ndarray, labels: np.ndarray, moves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each move [M, Z], both ways: (mean distance in features [M], share of unchanged predicted classes [M])."""
    start = subject.with_features(subject.generate(z, labels), labels)
    distances, kept = [], []
    for move in moves:
        both = [subject.with_features(subject.generate(z + sign * move, labels), labels) for sign in (-1, 1)]
        distances.append([np.linalg.norm(moved.features - start.features, axis=1).mean() for moved in both])
        kept.append([np.mean(moved.predicted == start.predicted) for moved in both])
    return np.mean(distances, axis=1, dtype=np.float64), np.mean(kept, axis=1)


def _draw(subject: Subject, z: np.ndarray, labels: np.ndarray, moves: np.ndarray, folder: pathlib.Path) -> None:
    """One panel for each of the moves [M, Z], with the z [N, Z] as its rows."""
    plot, axes = figure(-(-len(moves) // 2), 2, 11, 8.5)
    for index, (panel, move) in enumerate(zip(axes.ravel(), moves, strict=False)):
        path = z[:, None] + _POSITIONS[:, None] * move  # [N, positions, Z]
        images = subject.generate(path.reshape(-1, z.shape[1]), np.repeat(labels, len(_POSITIONS)))
        show(panel, images, len(_POSITIONS), f"direction {index + 1}")
        width, height = images.shape[2] + 2, images.shape[1] + 2
        panel.set_xticks((np.arange(len(_POSITIONS)) + 0.5) * width, [f"{position:g}" for position in _POSITIONS])
        panel.set_xlabel("standard deviations along the direction")
        if subject.conditional:
            names = [subject.dataset.class_names[label] for label in labels]
            panel.set_yticks((np.arange(len(z)) + 0.5) * height, names)
    for panel in axes.ravel()[len(moves) :]:
        panel.set_axis_off()
    save(plot, folder / "sefa.png")
