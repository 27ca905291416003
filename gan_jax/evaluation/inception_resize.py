"""The bilinear resizing of TensorFlow 1, which is part of the definition of Inception scores."""

import jax
import jax.numpy as jnp
import numpy as np


def resize_bilinear(images: jax.Array, height: int, width: int) -> jax.Array:
    """[N, H, W, C] -> float32 [N, height, width, C], with values in the range of `images`.

    Equals `tf.compat.v1.image.resize_bilinear(align_corners=False, half_pixel_centers=False)`: output pixel i is at the
    input position i * H / height, counted from the centre of the first pixel. So the picture shifts up and left, and
    the last row and column are repeated. There is no smoothing before a reduction. `jax.image.resize` differs in both,
    and Frechet distances with the two are not comparable.
    """
    images = jnp.asarray(images, jnp.float32)
    return _resize_axis(_resize_axis(images, 2, width), 1, height)


def _resize_axis(images: jax.Array, axis: int, size: int) -> jax.Array:
    length = images.shape[axis]
    # In float32, as in TensorFlow: in float64 some positions round to the other side of an integer.
    position = np.arange(size, dtype=np.float32) * np.float32(length / size)
    low = position.astype(np.int32)
    fraction = (position - low.astype(np.float32)).reshape([-1 if i == axis else 1 for i in range(images.ndim)])
    before = jnp.take(images, low, axis=axis)
    after = jnp.take(images, np.minimum(low + 1, length - 1), axis=axis)
    return before + (after - before) * fraction
