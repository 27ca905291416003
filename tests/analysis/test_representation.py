"""The linear classifier on D's features: its parts against reference results, and the analysis of a small run."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from gan_jax import cli
from gan_jax.analysis import representation
from gan_jax.networks.build import build_discriminator
from tests.analysis.subjects import untrained_subject

# Imports of TensorFlow give warnings about other packages.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("shape", [(28, 28), (7, 5), (4, 4), (2, 3), (1, 1)])
def test_pooling_equals_pytorch(torch, shape):
    x = np.random.default_rng(0).normal(size=(2, *shape, 3)).astype(np.float32)
    expected = torch.nn.functional.adaptive_max_pool2d(torch.from_numpy(x).permute(0, 3, 1, 2), 4)
    assert np.array_equal(representation.pool(jnp.asarray(x), 4), expected.permute(0, 2, 3, 1).numpy())


def test_linear_accuracy_of_separable_and_of_meaningless_labels():
    rng = np.random.default_rng(0)
    labels, test_labels = np.arange(300) % 3, np.arange(600) % 3
    x, test_x = (np.eye(3)[y] + 0.1 * rng.normal(size=(len(y), 3)) for y in (labels, test_labels))
    assert representation.linear_accuracy(x, labels, test_x, test_labels, np.random.default_rng(1)) == 1.0
    chance = representation.linear_accuracy(x, rng.permutation(labels), test_x, rng.permutation(test_labels), rng)
    assert abs(chance - 1 / 3) < 5 * math.sqrt(2 / 9 / 600)


def test_the_strength_is_chosen_on_training_images_only():
    rng = np.random.default_rng(0)
    labels = np.arange(600) % 2
    # One feature gives the class, the others are noise, so the strength of the regularisation matters.
    x = np.concatenate([labels[:, None] - 0.5, 2 * rng.normal(size=(600, 300))], axis=1) / 35
    train_rows, test_rows = slice(0, 100), slice(100, None)
    accuracy = representation.linear_accuracy(
        x[train_rows], labels[train_rows], x[test_rows], labels[test_rows], np.random.default_rng(0)
    )
    # The choice does not depend on the test labels: for inverted labels, the accuracy is 1 minus this one.
    accuracy_of_inverted = representation.linear_accuracy(
        x[train_rows], labels[train_rows], x[test_rows], 1 - labels[test_rows], np.random.default_rng(0)
    )
    assert accuracy + accuracy_of_inverted == pytest.approx(1.0)


def test_layers_are_centred_and_have_equal_weights_at_any_scale():
    rng = np.random.default_rng(0)
    layers = [rng.normal(0.3, 0.1, (500, 4)).astype(np.float32), rng.normal(-20.0, 10.0, (500, 4)).astype(np.float32)]
    x, standardized_rows = representation._standardize(layers, [layer[:7] for layer in layers])
    assert x.dtype == np.float32
    np.testing.assert_allclose(x.mean(axis=0), 0.0, atol=1e-4)
    np.testing.assert_allclose(np.square(x[:, :4]).sum(axis=1).mean(), 0.5, rtol=1e-3)
    np.testing.assert_allclose(np.square(x).sum(axis=1).mean(), 1.0, rtol=1e-3)
    assert np.array_equal(standardized_rows, x[:7])


def _network(*overrides):
    """(module, images [2, 9, 9, 1] -> its variables, images)."""
    overrides = ["widths=8,16", *overrides]
    config = cli.parse_config("configs/dcgan.py", [f"--config.discriminator.{override}" for override in overrides])
    module = build_discriminator(config.discriminator, 3, 2)
    keys, labels = {"params": jax.random.key(1), "dropout": jax.random.key(2)}, jnp.zeros(2, jnp.int32)
    images = jax.random.normal(jax.random.key(0), (2, 9, 9, 1))
    return module, lambda x: module.init(keys, x, labels, train=True), images


SHAPES = {
    ("norm=batch",): [(5, 5, 8), (3, 3, 16)],
    ("family=mlp",): [(8,), (16,)],
    ("family=resnet",): [(9, 9, 8), (4, 4, 8), (4, 4, 16), (2, 2, 16)],
    ("conditioning=multiply", "norm=conditional_batch"): [(5, 5, 8), (3, 3, 16)],
}


@pytest.mark.parametrize("overrides", SHAPES, ids=str)
def test_hidden_layers_of_every_family(overrides):
    module, init, images = _network(*overrides)
    outputs = jax.eval_shape(lambda x: representation.hidden(module, init(x), x, 3), images)
    assert [output.shape for output in outputs] == [(2, *shape) for shape in SHAPES[overrides]]


def test_hidden_layers_are_those_of_the_images_and_not_of_a_reference_batch():
    module, init, images = _network("norm=virtual_batch", "conditioning=concat")
    hidden_layers = jax.jit(lambda x: representation.hidden(module, init(images), x, 3))
    outputs, reversed_outputs = hidden_layers(images), hidden_layers(images[::-1])
    assert [output.shape for output in outputs] == [(2, 5, 5, 8), (2, 3, 3, 16)]
    for output, other in zip(outputs, reversed_outputs, strict=True):
        np.testing.assert_allclose(output, other[::-1], atol=1e-5)
        assert not np.allclose(output[0], output[1])


def test_batches_are_padded_and_cut(monkeypatch):
    monkeypatch.setattr(representation, "_BATCH_SIZE", 4)
    shapes = []

    def twice(x, y):
        shapes.append(x.shape)
        return {"sum": x + y}

    x = np.arange(10.0, dtype=np.float32)
    assert np.array_equal(representation.compiled_in_batches(twice, x, x)["sum"], 2 * x)
    assert shapes == [(4,)]


def test_on_a_run_of_no_steps(config, tmp_path):
    config.discriminator.family = "dcgan"
    subject = untrained_subject(config)
    numbers = representation.representation(subject, tmp_path)
    accuracies = {name: value for name, value in numbers.items() if name.startswith("accuracy")}
    assert set(accuracies) == {f"accuracy_{name}_12" for name in ("discriminator", "untrained", "pixels")}
    assert all(0 <= value <= 1 for value in accuracies.values())
    assert numbers["num_test"] == 6
    assert numbers["num_features"] == 8 * (4 * 4 + 3 * 3)
    assert Image.open(tmp_path / "representation.png").size[0] > 500
    # `untrained` gives the initial discriminator of the run.
    for leaves in zip(
        *map(jax.tree.leaves, (representation.untrained(subject), subject.run.discriminator()[1])), strict=True
    ):
        np.testing.assert_allclose(*leaves, rtol=1e-6)
