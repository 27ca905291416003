"""Random changes of images, float32 [B, H, W, C] in [-1, 1]. Every image has its own random draws.

DATA changes real images only. The generator learns the changed images too, so choose changes after which the data are
still plausible (a flipped digit is not). The result is in [-1, 1]. Pixels from outside the image are black, -1.

DIFFERENTIABLE changes real and fake images on their way into the discriminator, in the updates of both players.
Gradients flow through the changes, so the generator does not have to copy them. `color`, `translation` and `cutout` are
those of DiffAugment (arXiv 2006.10738); the others belong to the larger set of ADA (arXiv 2006.06676, appendix B),
whose ranges are larger and which are meant to be drawn with a probability below 1 (augmentation.probability). Pixels
from outside the image are 0, mid-grey, as in the papers' code. Colours can leave [-1, 1], because clipping would stop
gradients.

Every function in the tables is (key, image [H, W, C], strengths) -> image [H, W, C].
"""

from typing import NamedTuple

import dm_pix
import jax
import jax.numpy as jnp
from jax.scipy.ndimage import map_coordinates

BLACK, GREY = -1.0, 0.0


class Strengths(NamedTuple):
    """The ranges of the random draws. The ranges of `color` are fixed; they are those of the paper."""

    max_rotation: float = 15.0  # rotate: degrees, in both directions
    max_shift: float = 0.1  # shift: fraction of the side, in both directions
    min_scale: float = 0.9  # scale: factor; below 1 the image shrinks
    max_scale: float = 1.1
    brightness: float = 0.2  # brightness: largest absolute amount that is added to every pixel
    contrast: float = 0.2  # contrast: largest difference between the factor and 1
    max_translation: float = 0.125  # translation: fraction of the side, in both directions
    cutout: float = 0.5  # cutout: edge of the square as a fraction of the side


def rotate(key: jax.Array, image: jax.Array, strengths: Strengths) -> jax.Array:
    """Rotates about the centre by U(-max_rotation, max_rotation) degrees counter-clockwise; bilinear, black outside."""
    return _clipped(_resample(image, _rotation(key, strengths), BLACK))


def _rotation(key: jax.Array, strengths: Strengths) -> tuple:
    """The matrix of a random rotation, for `_resample`."""
    limit = strengths.max_rotation
    angle = jnp.deg2rad(jax.random.uniform(key, minval=-limit, maxval=limit))
    cosine, sine = jnp.cos(angle), jnp.sin(angle)
    return (cosine, sine), (-sine, cosine)


def flip(key: jax.Array, image: jax.Array, strengths: Strengths) -> jax.Array:
    """Exchanges left and right with probability 1/2."""
    return dm_pix.random_flip_left_right(key, image)


def scale(key: jax.Array, image: jax.Array, strengths: Strengths) -> jax.Array:
    """Enlarges about the centre by U(min_scale, max_scale); the image size stays the same; bilinear, black outside."""
    return _clipped(_resample(image, _scaling(key, strengths), BLACK))


def _scaling(key: jax.Array, strengths: Strengths) -> tuple:
    """The matrix of a random scaling, for `_resample`."""
    factor = jax.random.uniform(key, minval=strengths.min_scale, maxval=strengths.max_scale)
    return (1 / factor, 0.0), (0.0, 1 / factor)


def shift(key: jax.Array, image: jax.Array, strengths: Strengths) -> jax.Array:
    """Moves by whole pixels, in both directions by up to max_shift of each side; black outside."""
    return _move(key, image, strengths.max_shift, BLACK)


def brightness(key: jax.Array, image: jax.Array, strengths: Strengths) -> jax.Array:
    """clip(x + U(-brightness, brightness)); pixels span 2, so 0.2 is a tenth of the range."""
    return jnp.clip(dm_pix.random_brightness(key, image, max_delta=strengths.brightness), -1, 1)


def contrast(key: jax.Array, image: jax.Array, strengths: Strengths) -> jax.Array:
    """clip(mean + f (x - mean)), f ~ U(1 - contrast, 1 + contrast), mean of each channel of the image."""
    limit = strengths.contrast
    return jnp.clip(dm_pix.random_contrast(key, image, lower=1 - limit, upper=1 + limit), -1, 1)


def color(key: jax.Array, image: jax.Array, strengths: Strengths) -> jax.Array:
    """Brightness, then saturation if C = 3, then contrast (arXiv 2006.10738; the ranges of its code).

    Brightness: x + U(-0.5, 0.5).
    Saturation: g + U(0, 2) (x - g), with g the mean of the pixel over its channels.
    Contrast: m + U(0.5, 1.5) (x - m), with m the mean of the image over all pixels and channels.
    """
    brightness_key, saturation_key, contrast_key = jax.random.split(key, 3)
    image = image + jax.random.uniform(brightness_key, minval=-0.5, maxval=0.5)
    if image.shape[-1] == 3:
        grey = image.mean(axis=-1, keepdims=True)
        image = grey + jax.random.uniform(saturation_key, maxval=2.0) * (image - grey)
    mean = image.mean()
    return mean + jax.random.uniform(contrast_key, minval=0.5, maxval=1.5) * (image - mean)


def translation(key: jax.Array, image: jax.Array, strengths: Strengths) -> jax.Array:
    """Moves by whole pixels, in both directions by up to max_translation of each side; 0 outside (arXiv 2006.10738)."""
    return _move(key, image, strengths.max_translation, GREY)


def cutout(key: jax.Array, image: jax.Array, strengths: Strengths) -> jax.Array:
    """Sets a rectangle to 0 that is `cutout` of each side long (arXiv 2006.10738).

    The centre of the rectangle can be anywhere in the image, and a part of the rectangle can be outside. So it covers
    between cutout^2 / 4 and cutout^2 of the pixels.
    """
    inside = jnp.bool_(True)
    for axis, axis_key in enumerate(jax.random.split(key)):
        side = image.shape[axis]
        edge = _pixels(strengths.cutout, side)
        # An even edge has no middle pixel: its centre is between two pixels, at one of side + 1 positions.
        first = jax.random.randint(axis_key, (), 0, side + 1 - edge % 2) - edge // 2
        offset = jax.lax.broadcasted_iota(jnp.int32, image.shape, axis) - first
        inside = inside & (offset >= 0) & (offset < edge)
    return jnp.where(inside, GREY, image)


def quarter_turn(key: jax.Array, image: jax.Array, strengths: Strengths) -> jax.Array:
    """Rotates by 0, 90, 180 or 270 degrees; an image that is not square by 0 or 180."""
    turns = range(0, 4, 1 if image.shape[0] == image.shape[1] else 2)
    return jax.lax.switch(
        jax.random.randint(key, (), 0, len(turns)), [lambda x, k=k: jnp.rot90(x, k) for k in turns], image
    )


def rotation(key: jax.Array, image: jax.Array, strengths: Strengths) -> jax.Array:
    """As `rotate`, but grey outside and without clipping."""
    return _resample(image, _rotation(key, strengths), GREY)


def scaling(key: jax.Array, image: jax.Array, strengths: Strengths) -> jax.Array:
    """As `scale`, but grey outside and without clipping."""
    return _resample(image, _scaling(key, strengths), GREY)


def hue(key: jax.Array, image: jax.Array, strengths: Strengths) -> jax.Array:
    """Rotates the colours of an RGB image about the grey axis by U(-180, 180) degrees; a grey image stays.

    v cos a + (k x v) sin a + k (k . v)(1 - cos a) for the pixel v and the unit vector k = (1, 1, 1) / sqrt(3).
    """
    if image.shape[-1] != 3:
        return image
    angle = jax.random.uniform(key, minval=-jnp.pi, maxval=jnp.pi)
    grey = image.mean(axis=-1, keepdims=True)
    cross = (jnp.roll(image, 1, axis=-1) - jnp.roll(image, -1, axis=-1)) / 3**0.5
    return grey + (image - grey) * jnp.cos(angle) + cross * jnp.sin(angle)


def _clipped(image: jax.Array) -> jax.Array:
    # The interpolation weights add up to 1 only up to rounding, so a value can be slightly outside of [-1, 1].
    return jnp.clip(image, -1, 1)


def _pixels(fraction: float, side: int) -> int:
    """The nearest whole number of pixels; halves are rounded up."""
    return int(fraction * side + 0.5)


def _move(key: jax.Array, image: jax.Array, fraction: float, fill: float) -> jax.Array:
    """Pads the image and crops it at a random position: all shifts of whole pixels up to the pad are equally likely."""
    rows, columns = (_pixels(fraction, side) for side in image.shape[:2])
    padded = jnp.pad(image, ((rows, rows), (columns, columns), (0, 0)), constant_values=fill)
    row, column = jax.random.randint(key, (2,), 0, jnp.array([2 * rows + 1, 2 * columns + 1]))
    return jax.lax.dynamic_slice(padded, (row, column, 0), image.shape)


def _resample(image: jax.Array, matrix: tuple, fill: float) -> jax.Array:
    """Samples the image at centre + matrix (pixel - centre), in rows and columns; bilinear, `fill` outside.

    dm_pix.affine_transform is not used: it also interpolates between channels and takes 40 times as long on a CPU
    (300 ms against 7 ms for 128 images of 64 x 64 x 3 on two cores, jax 0.10.2).
    """
    # The matrix product is written as sums of products, because accelerators round matrix products to about 3 digits by
    # default. Here, that would be an error of parts of a pixel.
    (a, b), (c, d) = matrix
    middle_row, middle_column = ((side - 1) / 2 for side in image.shape[:2])
    row, column = jnp.indices(image.shape[:2], dtype=jnp.float32)
    row, column = row - middle_row, column - middle_column
    positions = (a * row + b * column + middle_row, c * row + d * column + middle_column)
    sample = jax.vmap(lambda plane: map_coordinates(plane, positions, 1, "constant", fill), in_axes=-1, out_axes=-1)
    return sample(image)


DATA = {
    "rotate": rotate,
    "flip": flip,
    "scale": scale,
    "shift": shift,
    "brightness": brightness,
    "contrast": contrast,
}
DIFFERENTIABLE = {
    "color": color,
    "translation": translation,
    "cutout": cutout,
    "flip": flip,
    "quarter_turn": quarter_turn,
    "rotation": rotation,
    "scaling": scaling,
    "hue": hue,
}
TABLES = {"data": DATA, "differentiable": DIFFERENTIABLE}
