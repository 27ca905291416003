"""A convolutional classifier: predicted classes for conditional accuracy, features for Frechet distances.

The recipe follows from the images (recipes.py). The name of the features has two hashes: of the recipe and the training
images, and of the weights. The second is needed because another processor rounds differently and trains other weights,
with slightly other distances.
"""

import functools
import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from gan_jax.devices import compiler
from gan_jax.evaluation.batching import in_batches
from gan_jax.evaluation.classifier_networks import network
from gan_jax.evaluation.recipes import Recipe, ResidualRecipe


@functools.cache
def _inference(recipe: Recipe, num_classes: int, classes: tuple[int, ...]) -> Callable:
    """A compiled function (variables, uint8 batch) -> (features, probabilities), shared by all calls."""
    module = network(recipe, num_classes)

    def apply(variables, batch):
        images = _to_float(batch)
        logits, features = module.apply(variables, images, train=False)
        if isinstance(recipe, ResidualRecipe) and recipe.flips:
            # The mean over an image and its mirror image, which recognises more images than one of the two.
            mirrored = module.apply(variables, images[:, :, ::-1], train=False)
            logits, features = ((a + b) / 2 for a, b in zip((logits, features), mirrored, strict=True))
        return features, jax.nn.softmax(logits[:, np.array(classes)] if classes else logits)

    return compiler.jit(apply)


class Classifier(NamedTuple):
    """A trained classifier.

    variables: of the flax network.
    num_classes: of the network.
    classes: those of its classes that images can have; (): all. Probabilities are of these.
    """

    variables: Any
    num_classes: int
    recipe: Recipe
    classes: tuple[int, ...] = ()

    @property
    def digest(self) -> str:
        """8 hexadecimal digits: a hash of the weights."""
        digest = hashlib.sha256()
        for leaf in jax.tree.leaves(self.variables):
            digest.update(np.ascontiguousarray(leaf))
        return digest.hexdigest()[:8]

    def __call__(self, images: np.ndarray, batch_size: int = 500) -> tuple[np.ndarray, np.ndarray]:
        """uint8 [N, H, W, C] -> (features float32 [N, F], probabilities float32 [N, K])."""
        apply = _inference(self.recipe, self.num_classes, self.classes)
        return in_batches(lambda index, batch: apply(self.variables, batch), [images], batch_size)


def _to_float(images: jax.Array) -> jax.Array:
    return images.astype(jnp.float32) / 127.5 - 1.0


def _shift(images: jax.Array, offset: jax.Array, most: int) -> jax.Array:
    """Images shifted by at most `most` pixels along each axis (offset = most: no shift); the new border is black."""
    padded = jnp.pad(images, ((0, 0), (most, most), (most, most), (0, 0)), constant_values=-1.0)
    return jax.lax.dynamic_slice(padded, (0, *offset, 0), images.shape)


def _augment(images: jax.Array, key: jax.Array, recipe: Recipe) -> jax.Array:
    """Random shifts: one for each batch; in a ResidualRecipe one for each image, by copies of the border, and flips."""
    most = recipe.max_shift
    if not isinstance(recipe, ResidualRecipe):
        return _shift(images, jax.random.randint(key, (2,), 0, 2 * most + 1), most)
    offset_key, flip_key = jax.random.split(key)
    padded = jnp.pad(images, ((0, 0), (most, most), (most, most), (0, 0)), mode="edge")
    offsets = jax.random.randint(offset_key, (len(images), 2), 0, 2 * most + 1)
    crop = functools.partial(jax.lax.dynamic_slice, slice_sizes=images.shape[1:])
    shifted = jax.vmap(lambda image, offset: crop(image, (*offset, 0)))(padded, offsets)
    if not recipe.flips:
        return shifted
    is_flipped = jax.random.bernoulli(flip_key, shape=(len(images), 1, 1, 1))
    return jnp.where(is_flipped, shifted[:, :, ::-1], shifted)


def _optimizer(recipe: Recipe) -> optax.GradientTransformation:
    rate = optax.cosine_onecycle_schedule(recipe.num_steps, recipe.peak_learning_rate)
    if not isinstance(recipe, ResidualRecipe):
        return optax.adam(rate)
    kernels = functools.partial(jax.tree.map, lambda leaf: leaf.ndim > 1)
    return optax.adamw(rate, weight_decay=recipe.weight_decay, mask=kernels)


def _cross_entropy(logits: jax.Array, labels: jax.Array, recipe: Recipe) -> jax.Array:
    if not isinstance(recipe, ResidualRecipe):
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
    targets = optax.smooth_labels(jax.nn.one_hot(labels, logits.shape[1]), recipe.label_smoothing)
    return optax.softmax_cross_entropy(logits, targets).mean()


def template(image_shape: tuple[int, ...], num_classes: int, recipe: Recipe) -> Any:
    """Structure, shapes and types of a classifier's variables."""
    return jax.eval_shape(lambda: _untrained(image_shape, num_classes, recipe))


def _untrained(image_shape: tuple[int, ...], num_classes: int, recipe: Recipe) -> Any:
    module = network(recipe, num_classes)
    return module.init(jax.random.key(recipe.seed), jnp.zeros((1, *image_shape)), train=False)


def train_classifier(
    images: np.ndarray,
    labels: np.ndarray,
    num_classes: int,
    recipe: Recipe,
    progress: Callable[[int], Any] = lambda step: None,
) -> Classifier:
    """Trains on images uint8 [N, H, W, C] and labels [N]. Calls `progress` with the step after every 50 steps."""
    module, optimizer = network(recipe, num_classes), _optimizer(recipe)
    variables = jax.jit(lambda: _untrained(images.shape[1:], num_classes, recipe))()
    images, labels = jax.device_put((images, labels))

    def step(index, carry):
        params, stats, opt_state = carry
        key = jax.random.fold_in(jax.random.key(recipe.seed), index)
        index_key, augmentation_key, dropout_key = jax.random.split(key, 3)
        chosen = jax.random.randint(index_key, (recipe.batch_size,), 0, len(labels))
        batch = _augment(_to_float(images[chosen]), augmentation_key, recipe)

        def loss(params):
            (logits, _), new = module.apply(
                {"params": params, **stats}, batch, train=True, rngs={"dropout": dropout_key}, mutable=list(stats)
            )
            return _cross_entropy(logits, labels[chosen], recipe), new

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
