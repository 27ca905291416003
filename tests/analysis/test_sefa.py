"""SeFa: directions against NumPy's singular vectors, and the analysis of a generator with one strong direction."""

import dataclasses
import json

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from gan_jax import cli
from gan_jax.analysis.sefa import directions, sefa
from gan_jax.analysis.subject import NotApplicable
from gan_jax.gan.player import inference_variables
from gan_jax.networks.build import build_generator
from tests.analysis.subjects import pixel_features, untrained_subject

SIZE, CLASSES = 7, 3


def generator(family, *overrides):
    """(module, variables) of a small generator, at the start."""
    widths = "8,8" if family != "mlp" else "16,8"
    settings = (f"family={family}", f"widths={widths}", *overrides)
    config = cli.parse_config("configs/cgan.py", [f"--config.generator.{override}" for override in settings])
    module = build_generator(config.generator, (8, 8, 1), CLASSES, 4)
    keys = {"params": jax.random.key(0), "dropout": jax.random.key(1)}
    z, labels = jax.random.normal(jax.random.key(2), (4, SIZE)), jnp.arange(4) % CLASSES
    return module, jax.jit(lambda: module.init(keys, z, labels, train=True))()


def kernel_of(variables):
    params = variables["params"]
    return np.float64(params.get("network", params)["Dense_0"]["kernel"])


def check(found, matrix):
    """matrix: [Z, F], the part of the kernel that z is multiplied by."""
    eigenvalues, vectors = found
    left, singular, _ = np.linalg.svd(matrix, full_matrices=True)
    np.testing.assert_allclose(eigenvalues, singular**2, rtol=1e-3)
    np.testing.assert_allclose(np.abs(np.sum(vectors * left.T, axis=1)), 1, atol=1e-3)
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(SIZE), atol=1e-6)
    assert (vectors[np.arange(SIZE), np.abs(vectors).argmax(axis=1)] > 0).all()


@pytest.mark.parametrize("family", ["mlp", "dcgan", "resnet"])
@pytest.mark.parametrize("conditioning", ["none", "concat", "one_hot"])
def test_directions_equal_singular_vectors_of_the_rows_of_z(family, conditioning):
    module, variables = generator(family, f"conditioning={conditioning}")
    kernel = kernel_of(variables)
    assert len(kernel) == SIZE + {"none": 0, "concat": 10, "one_hot": CLASSES}[conditioning]
    check(directions(module, variables, SIZE, CLASSES), kernel[:SIZE])


def test_of_a_normalised_kernel_it_is_the_normalised_one():
    module, variables = generator("mlp", "kernel_norm=weight", "conditioning=concat")
    kernel, layer = kernel_of(variables), variables["params"]["Dense_0"]
    normalised = kernel / np.linalg.norm(kernel, axis=0) * np.float64(layer["scale"])
    assert np.abs(normalised / kernel).std() > 0.01, "otherwise the directions would be the same"
    check(directions(module, variables, SIZE, CLASSES), normalised[:SIZE])


def test_a_reference_batch_changes_nothing():
    module, variables = generator("mlp", "norm=virtual_batch", "conditioning=concat")
    check(directions(module, variables, SIZE, CLASSES), kernel_of(variables)[:SIZE])


def test_multiplication_by_an_embedding_is_averaged_over_the_classes():
    module, variables = generator("mlp", "conditioning=multiply")
    (name,) = [name for name in variables["params"] if name.startswith("Multiply")]
    embedding = np.float64(variables["params"][name]["LabelEmbedding_0"]["embedding"])  # [K, Z]
    kernel = kernel_of(variables)
    mean = sum((row[:, None] * kernel) @ (row[:, None] * kernel).T for row in embedding) / CLASSES
    expected, vectors = np.linalg.eigh(mean)
    found, rows = directions(module, variables, SIZE, CLASSES)
    np.testing.assert_allclose(found, expected[::-1], rtol=1e-3)
    np.testing.assert_allclose(np.abs(np.sum(rows.T[:, ::-1] * vectors, axis=0)), 1, atol=1e-3)


def test_the_analysis_of_a_generator_with_one_strong_direction(config, tmp_path):
    """The row 7 of the first kernel is 30 times as large: the first direction is that entry of z."""
    subject = dataclasses.replace(untrained_subject(config), extract=pixel_features)
    state = subject.run.state
    strong = jax.tree.map_with_path(
        lambda path, leaf: leaf.at[7].multiply(30) if "'Dense_0'" in str(path) and leaf.ndim == 2 else leaf,
        state.generator,
    )
    subject = dataclasses.replace(subject, run=subject.run._replace(state=state._replace(generator=strong)))
    size = config.prior.features
    _, vectors = directions(subject.run.gan.generator, inference_variables(strong), size, CLASSES)
    assert np.abs(vectors[0] - np.eye(size)[7]).max() < 0.1
    numbers = sefa(subject, tmp_path)
    assert list(numbers)[:2] == ["change_1", "change_2"]
    assert numbers["change_1"] > 3 > numbers["change_2"]
    assert numbers["eigenvalue_share_1"] > 0.5
    assert all(0 <= numbers[f"class_kept_{index}"] <= 1 for index in (1, 2, 3, 4, "random"))
    json.dumps(numbers, allow_nan=False)
    with Image.open(tmp_path / "sefa.png") as picture:
        assert min(picture.size) > 300


def test_a_generator_that_does_not_change_gives_none(config, tmp_path):
    subject = dataclasses.replace(untrained_subject(config), extract=pixel_features)
    blank = jax.tree.map(jnp.zeros_like, subject.run.state.generator)
    subject = dataclasses.replace(subject, run=subject.run._replace(state=subject.run.state._replace(generator=blank)))
    numbers = sefa(subject, tmp_path)
    assert (numbers["change_1"], numbers["eigenvalue_share_1"]) == (None, 0.0)


def test_a_generator_without_a_dense_layer_is_left_out():
    class Convolutional(nn.Module):
        def __call__(self, z, labels, train):
            return z[:, None, None, :]

    with pytest.raises(NotApplicable, match="no dense layer"):
        directions(Convolutional(), {}, SIZE, CLASSES)
