"""The linear classifier on the discriminator's features: its pieces against oracles, and the whole on a small run."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from gan_jax import cli
from gan_jax.analysis import representation as room
from gan_jax.networks.build import build_discriminator
from tests.analysis.subjects import untrained_subject

# TensorFlow's own imports warn about things that are not ours.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("shape", [(28, 28), (7, 5), (4, 4), (2, 3), (1, 1)])
def test_pooling_is_that_of_pytorch(torch, shape):
    x = np.random.default_rng(0).normal(size=(2, *shape, 3)).astype(np.float32)
    expected = torch.nn.functional.adaptive_max_pool2d(torch.from_numpy(x).permute(0, 3, 1, 2), 4)
    assert np.array_equal(room.pool(jnp.asarray(x), 4), expected.permute(0, 2, 3, 1).numpy())


def test_linear_accuracy_of_separable_and_of_meaningless_labels():
    rng = np.random.default_rng(0)
    labels, test_labels = np.arange(300) % 3, np.arange(600) % 3
    x, test_x = (np.eye(3)[y] + 0.1 * rng.normal(size=(len(y), 3)) for y in (labels, test_labels))
    assert room.linear_accuracy(x, labels, test_x, test_labels, np.random.default_rng(1)) == 1.0
    chance = room.linear_accuracy(x, rng.permutation(labels), test_x, rng.permutation(test_labels), rng)
    assert abs(chance - 1 / 3) < 5 * math.sqrt(2 / 9 / 600)


def test_the_strength_is_chosen_on_training_images_alone():
    rng = np.random.default_rng(0)
    labels = np.arange(600) % 2
    # One feature tells the class, the others are noise: the strength matters.
    x = np.concatenate([labels[:, None] - 0.5, 2 * rng.normal(size=(600, 300))], axis=1) / 35
    few, rest = slice(0, 100), slice(100, None)
    found = room.linear_accuracy(x[few], labels[few], x[rest], labels[rest], np.random.default_rng(0))
    # What the test labels are decides nothing: turned round, the accuracy is the rest to 1.
    turned = room.linear_accuracy(x[few], labels[few], x[rest], 1 - labels[rest], np.random.default_rng(0))
    assert found + turned == pytest.approx(1.0)


def test_layers_are_centred_and_count_alike_whatever_their_scale():
    rng = np.random.default_rng(0)
    layers = [rng.normal(0.3, 0.1, (500, 4)).astype(np.float32), rng.normal(-20.0, 10.0, (500, 4)).astype(np.float32)]
    x, others = room._comparable(layers, [layer[:7] for layer in layers])
    assert x.dtype == np.float32
    np.testing.assert_allclose(x.mean(axis=0), 0.0, atol=1e-4)
    np.testing.assert_allclose(np.square(x[:, :4]).sum(axis=1).mean(), 0.5, rtol=1e-3)
    np.testing.assert_allclose(np.square(x).sum(axis=1).mean(), 1.0, rtol=1e-3)
    assert np.array_equal(others, x[:7])


def _network(*words):
    """(module, images [2, 9, 9, 1] -> its variables, images)."""
    words = ["widths=8,16", *words]
    config = cli.parse_config("configs/dcgan.py", [f"--config.discriminator.{word}" for word in words])
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


@pytest.mark.parametrize("words", SHAPES, ids=str)
def test_hidden_layers_of_every_family(words):
    module, init, images = _network(*words)
    outputs = jax.eval_shape(lambda x: room.hidden(module, init(x), x, 3), images)
    assert [output.shape for output in outputs] == [(2, *shape) for shape in SHAPES[words]]


def test_hidden_layers_are_those_of_the_images_and_not_of_a_reference_batch():
    module, init, images = _network("norm=virtual_batch", "conditioning=concat")
    see = jax.jit(lambda x: room.hidden(module, init(images), x, 3))
    both, turned = see(images), see(images[::-1])
    assert [output.shape for output in both] == [(2, 5, 5, 8), (2, 3, 3, 16)]
    for output, other in zip(both, turned, strict=True):
        np.testing.assert_allclose(output, other[::-1], atol=1e-5)
        assert not np.allclose(output[0], output[1])


def test_batches_are_filled_up_and_cut(monkeypatch):
    monkeypatch.setattr(room, "_BATCH_SIZE", 4)
    shapes = []

    def twice(x, y):
        shapes.append(x.shape)
        return {"sum": x + y}

    x = np.arange(10.0, dtype=np.float32)
    assert np.array_equal(room.compiled_in_batches(twice, x, x)["sum"], 2 * x)
    assert shapes == [(4,)]


def test_on_a_run_of_no_steps(config, tmp_path):
    config.discriminator.family = "dcgan"
    subject = untrained_subject(config)
    numbers = room.representation(subject, tmp_path)
    accuracies = {name: value for name, value in numbers.items() if name.startswith("accuracy")}
    assert set(accuracies) == {f"accuracy_{name}_12" for name in ("discriminator", "untrained", "pixels")}
    assert all(0 <= value <= 1 for value in accuracies.values())
    assert numbers["num_test"] == 6
    assert numbers["num_features"] == 8 * (4 * 4 + 3 * 3)
    assert Image.open(tmp_path / "representation.png").size[0] > 500
    # What is called untrained is what the run started from.
    for leaves in zip(*map(jax.tree.leaves, (room.untrained(subject), subject.run.discriminator()[1])), strict=True):
        np.testing.assert_allclose(*leaves, rtol=1e-6)
