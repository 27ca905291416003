"""A small convolutional classifier: predicted classes for conditional accuracy, features for Frechet distances.

The recipe is fixed. The name of the features has two hashes: of the recipe and the training images, and of the weights.
The second is needed because another processor rounds differently and trains other weights, with slightly other
distances.
"""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from gan_jax.devices import compiler
from gan_jax.evaluation.batching import in_batches
from gan_jax.layers.conv import Conv


@dataclasses.dataclass(frozen=True)
class Recipe:
    """The settings that, with the images, determine the weights: Adam, a one-cycle learning rate, random shifts."""

    widths: tuple[int, ...] = (32, 64, 128)  # channels of the stride-2 convolutions
    kernels: tuple[int, ...] = (5, 4, 4)
    num_features: int = 128
    dropout: float = 0.4
    batch_size: int = 128
    num_steps: int = 2000
    peak_learning_rate: float = 2e-3
    max_shift: int = 2  # pixels, one random shift for each batch
    seed: int = 0

    def digest(self, images: np.ndarray, labels: np.ndarray) -> str:
        """8 hexadecimal digits: a hash of the recipe and of the training images and labels."""
        digest = hashlib.sha256(json.dumps(dataclasses.asdict(self), sort_keys=True).encode())
        for array in (images, labels):
            digest.update(np.ascontiguousarray(array))
        return digest.hexdigest()[:8]


class _Network(nn.Module):
    recipe: Recipe
    num_classes: int

    @nn.compact
    def __call__(self, images: jax.Array, train: bool) -> tuple[jax.Array, jax.Array]:
        x = images
        for width, kernel in zip(self.recipe.widths, self.recipe.kernels, strict=True):
            x = Conv(width, kernel, stride=2, use_bias=False, kernel_init=nn.initializers.he_normal())(x)
            x = nn.relu(nn.BatchNorm(use_running_average=not train, momentum=0.95)(x))
        features = nn.relu(nn.Dense(self.recipe.num_features)(x.reshape(len(x), -1)))
        dropped = nn.Dropout(self.recipe.dropout, deterministic=not train)(features)
        return nn.Dense(self.num_classes)(dropped), features


@functools.cache
def _inference(recipe: Recipe, num_classes: int) -> Callable:
    """A compiled function (variables, uint8 batch) -> (features, probabilities), shared by all calls."""
    network = _Network(recipe, num_classes)

    def apply(variables, batch):
        logits, features = network.apply(variables, _to_float(batch), train=False)
        return features, jax.nn.softmax(logits)

    return compiler.jit(apply)


class Classifier(NamedTuple):
    """A trained classifier: its flax variables, the number of classes and the recipe."""

    variables: Any
    num_classes: int
    recipe: Recipe = Recipe()

    @property
    def digest(self) -> str:
        """8 hexadecimal digits: a hash of the weights."""
        digest = hashlib.sha256()
        for leaf in jax.tree.leaves(self.variables):
            digest.update(np.ascontiguousarray(leaf))
        return digest.hexdigest()[:8]

    def __call__(self, images: np.ndarray, batch_size: int = 500) -> tuple[np.ndarray, np.ndarray]:
        """uint8 [N, H, W, C] -> (features float32 [N, F], probabilities float32 [N, K])."""
        apply = _inference(self.recipe, self.num_classes)
        return in_batches(lambda index, batch: apply(self.variables, batch), [images], batch_size)


def _to_float(images: jax.Array) -> jax.Array:
    return images.astype(jnp.float32) / 127.5 - 1.0


def _shift(images: jax.Array, offset: jax.Array, most: int) -> jax.Array:
    """Images shifted by at most `most` pixels along each axis (offset = most: no shift); the new border is black."""
    padded = jnp.pad(images, ((0, 0), (most, most), (most, most), (0, 0)), constant_values=-1.0)
    return jax.lax.dynamic_slice(padded, (0, *offset, 0), images.shape)


def template(image_shape: tuple[int, ...], num_classes: int, recipe: Recipe = Recipe()) -> Any:
    """Structure, shapes and types of a classifier's variables."""
    return jax.eval_shape(lambda: _untrained(image_shape, num_classes, recipe))


def _untrained(image_shape: tuple[int, ...], num_classes: int, recipe: Recipe) -> Any:
    network = _Network(recipe, num_classes)
    return network.init(jax.random.key(recipe.seed), jnp.zeros((1, *image_shape)), train=False)


def train_classifier(
    images: np.ndarray,
    labels: np.ndarray,
    num_classes: int,
    recipe: Recipe = Recipe(),
    progress: Callable[[int], Any] = lambda step: None,
) -> Classifier:
    """Trains on images uint8 [N, H, W, C] and labels [N]. Calls `progress` with the step after every 50 steps."""
    network = _Network(recipe, num_classes)
    variables = jax.jit(lambda: _untrained(images.shape[1:], num_classes, recipe))()
    rate = optax.cosine_onecycle_schedule(recipe.num_steps, recipe.peak_learning_rate)
    optimizer = optax.adam(rate)
    images, labels = jax.device_put((images, labels))

    def step(index, carry):
        params, stats, opt_state = carry
        key = jax.random.fold_in(jax.random.key(recipe.seed), index)
        index_key, shift_key, dropout_key = jax.random.split(key, 3)
        chosen = jax.random.randint(index_key, (recipe.batch_size,), 0, len(labels))
        offset = jax.random.randint(shift_key, (2,), 0, 2 * recipe.max_shift + 1)
        batch = _shift(_to_float(images[chosen]), offset, recipe.max_shift)

        def loss(params):
            (logits, _), new = network.apply(
                {"params": params, **stats}, batch, train=True, rngs={"dropout": dropout_key}, mutable=list(stats)
            )
            return optax.softmax_cross_entropy_with_integer_labels(logits, labels[chosen]).mean(), new

        gradients, stats = jax.grad(loss, has_aux=True)(params)
        updates, opt_state = optimizer.update(gradients, opt_state, params)
        return optax.apply_updates(params, updates), stats, opt_state

    steps = compiler.jit(lambda carry, first, last: jax.lax.fori_loop(first, last, step, carry), donate_argnums=0)
    params = variables.pop("params")
    carry = (params, variables, optimizer.init(params))
    for first in range(0, recipe.num_steps, 50):
        last = min(first + 50, recipe.num_steps)
        carry = jax.block_until_ready(steps(carry, first, last))
        progress(last)
    return Classifier({"params": carry[0], **carry[1]}, num_classes, recipe)
