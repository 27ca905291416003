"""Subjects for the analyses: generators with known results, and a run before its first step."""

import types

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax import build
from gan_jax.analysis.subject import Subject
from gan_jax.data.classes import numbered
from gan_jax.data.dataset import Dataset, Source, Split
from gan_jax.runs import initial_state
from gan_jax.runs.dataset import describe, load_data
from gan_jax.runs.load import LoadedRun

CLASSES = 3


def pixel_features(images):
    """Features: pixels. Probabilities: the first three pixels of the top row."""
    flat = images.reshape(len(images), -1).astype(np.float32)
    return flat, flat[:, :CLASSES] / 255


def subject_of(generate, train=None, test=None, size=8, conditional=True, num_images=300, prior="normal"):
    """A subject whose generator is a function (z, weights [B, K]) -> images in [0, 1]."""
    rng = np.random.default_rng(1)
    splits = [
        Split(rng.integers(0, 256, (200, 6, 6, 1), np.uint8) if images is None else images, np.arange(200) % CLASSES)
        for images in (train, test)
    ]
    gan = types.SimpleNamespace(
        prior=lambda key, count: jax.random.normal(key, (count, size)),
        generate=lambda state, key, z, labels: 2 * generate(z, labels) - 1,
    )
    config = types.SimpleNamespace(prior=types.SimpleNamespace(name=prior))
    run = types.SimpleNamespace(gan=gan, state=None, config=config)
    dataset = Dataset("a", Source("b"), "a", *splits, numbered(CLASSES))
    return Subject(run, dataset, pixel_features, "pixels", 0, num_images, conditional)


def linear_generator(z, weights):
    """Images [B, 6, 6, 1]: the first row shows the class weights, the other rows are a linear map of z."""
    other_rows = 0.5 + z @ jnp.asarray(np.random.default_rng(0).normal(0, 0.04, (z.shape[1], 30)), z.dtype)
    first_row = jnp.pad(weights, ((0, 0), (0, 6 - CLASSES)))
    return jnp.concatenate([first_row, other_rows], axis=1).reshape(-1, 6, 6, 1)


def constant(z, weights):
    """Gray images for every z and class."""
    return jnp.full((len(z), 6, 6, 1), 0.5)


def untrained_subject(config):
    """A subject of a run before its first step."""
    dataset = load_data(config.data, "")
    gan = build.build(config, dataset.image_shape, dataset.num_classes, 1)
    examples = initial_state.init_examples(dataset.train, config.seed, config.init_batch_size)
    state = initial_state.init_state(gan, config.seed, examples)
    run = LoadedRun(None, config, {"data": describe(dataset)}, gan, state, 0)
    return Subject(run, dataset, None, "", 0, 50, build.is_conditional(config.generator))
