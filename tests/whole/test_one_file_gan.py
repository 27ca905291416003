"""`examples/one_file_gan.py` against the framework: the same weights, images and z give the same training step."""

import ast
import pathlib

import jax
import numpy as np
import pytest
from PIL import Image

from configs import cgan
from examples import one_file_gan as example
from gan_jax import build
from gan_jax.gan.types import Batch
from gan_jax.system.config import override

NUM_STEPS, BATCH_SIZE = 5, 16

# The example's system as a config.
CHANGES = {
    "d_steps": 1,
    "objective": "bce_logits",
    "prior.features": example.LATENT_SIZE,
    "generator.widths": example.generator.widths,
    "generator.ema_decay": example.EMA_DECAY,
    "discriminator.widths": example.discriminator.widths,
    "discriminator.dropout": 0.0,
    **{f"{player}_optimizer.learning_rate": 1e-3 for player in "dg"},
    **{f"{player}_optimizer.b1": 0.5 for player in "dg"},
}


@pytest.fixture(scope="module")
def digits():
    """Batches of real digits: images [NUM_STEPS, B, 784], labels [NUM_STEPS, B]."""
    images, labels = example.read_digits()
    rows = np.random.default_rng(0).permutation(len(labels))[: NUM_STEPS * BATCH_SIZE]
    return images[rows].reshape(NUM_STEPS, BATCH_SIZE, -1), labels[rows].reshape(NUM_STEPS, BATCH_SIZE)


def to_example_params(params):
    """The framework's parameters of either network under the example's names."""
    params = dict(params)
    embedding = params.pop("Concat_0")["LabelEmbedding_0"]
    if "Binary_0" in params:  # D's last layer
        params["Dense_2"] = params.pop("Binary_0")["Dense_0"]
    return {"params": {"Embed_0": embedding, **params}}


def to_example_state(state):
    """The example's state with the framework's parameters, before the first step."""
    g_params, d_params = (to_example_params(player.params) for player in (state.generator, state.discriminator))
    g_opt_state, d_opt_state = example.g_optimizer.init(g_params), example.d_optimizer.init(d_params)
    return example.State(state.step, g_params, d_params, g_opt_state, d_opt_state, g_params)


@pytest.fixture
def latents(monkeypatch):
    """Every z that the framework draws, in order."""
    make_prior, latents = build.priors.make_prior, []

    def make_recording_prior(**settings):
        draw = make_prior(**settings)

        def prior(key, size):
            z = draw(key, size)
            jax.debug.callback(lambda z: latents.append(np.asarray(z)), z, ordered=True)
            return z

        return prior

    monkeypatch.setattr(build.priors, "make_prior", make_recording_prior)
    return latents


@pytest.fixture
def float64(monkeypatch):
    """Everything in float64, the learning rate too, which the framework's schedules round to float32.

    Adam divides a gradient by its own size, so the float32 rounding error of a gradient near 0 becomes a large update.
    """
    monkeypatch.setattr(build, "make_schedule", lambda name, learning_rate, *_, **__: learning_rate)
    jax.config.update("jax_enable_x64", True)  # for all threads: callbacks run in another thread
    yield
    jax.config.update("jax_enable_x64", False)


def assert_same(actual, desired):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), actual, desired)


@pytest.mark.thorough
def test_the_step_of_the_example_equals_that_of_gan_jax(digits, latents, float64):
    images, labels = digits
    shape = (example.SIDE, example.SIDE, 1)
    config = cgan.get_config()
    override(config, CHANGES)
    gan = build.build(config, shape, example.NUM_CLASSES, NUM_STEPS)
    framework_state = jax.jit(gan.init)(jax.random.key(1), Batch(images[0].reshape(-1, *shape), labels[0]))
    example_state = to_example_state(framework_state)
    framework_step, example_step = jax.jit(gan.step), jax.jit(example.train_step)
    for index in range(NUM_STEPS):
        jax.effects_barrier()
        latents.clear()
        batches = Batch(images[index].reshape(1, -1, *shape), labels[index][None])
        framework_state, metrics = framework_step(framework_state, batches, jax.random.key(2))
        jax.effects_barrier()
        d_z, g_z = latents
        example_state, losses = example_step(example_state, images[index], labels[index], d_z, g_z)
        assert_same(losses, (metrics["d_loss"], metrics["g_loss"]))
    generator, discriminator = framework_state.generator, framework_state.discriminator
    assert_same(example_state.g_params, to_example_params(generator.params))
    assert_same(example_state.d_params, to_example_params(discriminator.params))
    assert_same(example_state.g_ema, to_example_params(generator.ema["params"]))


def test_the_example_imports_nothing_of_the_project():
    tree = ast.parse(pathlib.Path(example.__file__).read_text())
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = [getattr(node, "module", None) or node.names[0].name for node in imports]
    assert names
    assert not [name for name in names if name.split(".")[0] in ("gan_jax", "configs", "experiments")]


def test_the_example_writes_its_image(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(example, "NUM_STEPS", 4)
    monkeypatch.setattr(example, "STEPS_PER_CALL", 2)
    monkeypatch.setattr(example, "PICTURE", tmp_path / "digits.png")
    example.main()
    with Image.open(tmp_path / "digits.png") as picture:
        assert picture.size == (280, 280)
    assert capsys.readouterr().out.startswith("step 2/4  d_loss ")
