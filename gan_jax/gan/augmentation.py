"""Random changes of images, float32 [B, H, W, C] in [-1, 1]. Every image has its own random draws.

DATA changes real images only. The generator learns the changed images too, so choose changes after which the data are
still plausible (a flipped digit is not). The result is in [-1, 1]. Pixels from outside the image are black, -1.

DIFFERENTIABLE changes real and fake images on their way into the discriminator, in the updates of both players.
Gradients flow through the changes (DiffAugment, arXiv 2006.10738), so the generator does not have to copy them. Pixels
from outside the image are 0, mid-grey, as in the paper's code. Colours can leave [-1, 1], because clipping would stop
gradients.

Every function in the tables is (key, image [H, W, C], strengths) -> image [H, W, C].
"""

from collections.abc import Callable
from typing import NamedTuple

import dm_pix
import jax
import jax.numpy as jnp
from jax.scipy.ndimage import map_coordinates

from gan_jax.system.config import choose
from gan_jax.system.errors import UserError

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


def make_augmentation(names: str, table_name: str, knob: str, **strengths: float) -> Callable:
    """(key, images [B, H, W, C], probability) -> images, with the named changes applied one after the other.

    Each image gets each change with this probability, which is 1 if it is left out.

    names: separated by commas, for example "flip,shift". "" changes nothing and draws nothing.
    table_name: "data" or "differentiable".
    knob: the config key of the names, for error messages.
    strengths: fields of `Strengths` that differ from their defaults.
    """
    table = TABLES[table_name]
    chosen = [choose(table, name.strip(), knob) for name in names.split(",")] if names.strip() else []
    settings = _check(knob, strengths)

    def augment(key: jax.Array, images: jax.Array, probability: float | jax.Array = 1.0) -> jax.Array:
        for change_key, change in zip(jax.random.split(key, len(chosen)), chosen, strict=True):
            keys = jax.random.split(change_key, len(images))
            changed = jax.vmap(lambda image_key, image: change(image_key, image, settings))(keys, images)
            images = changed if always(probability) else _mix(change_key, images, changed, probability)
        return images

    return augment if chosen else lambda key, images, probability=1.0: images


def always(probability: float | jax.Array) -> bool:
    """Whether a probability is the number 1, for which nothing is drawn."""
    return isinstance(probability, float) and probability == 1.0


def _mix(key: jax.Array, images: jax.Array, others: jax.Array, probability: float | jax.Array) -> jax.Array:
    """Each image [H, W, C] of `images`, or with this probability the one of `others` in its place."""
    # Folded in, because `key` is the key of the changes, too.
    is_other = jax.random.bernoulli(jax.random.fold_in(key, 1), probability, (len(images), 1, 1, 1))
    return jnp.where(is_other, others, images)


def pseudo_real(key: jax.Array, images: jax.Array, fakes: jax.Array, probability: float | jax.Array) -> jax.Array:
    """D's real images, each replaced by a generated one with this probability (APA, arXiv 2111.06849, equation 3).

    It weakens a D that knows the few real images by heart. The fakes are those of the same update. They are constants:
    D learns from them, and no gradient flows to G.
    """
    return _mix(key, images, jax.lax.stop_gradient(fakes), probability)


def _check(knob: str, strengths: dict[str, float]) -> Strengths:
    for name, value in strengths.items():
        low, high = choose(RANGES, name, f"{knob} strength")
        if not low <= value <= high:
            raise UserError(f"{knob}: {name}={value} is out of range; choose a number from {low} to {high}")
    settings = Strengths(**strengths)
    low, high = settings.min_scale, settings.max_scale
    if low > high:
        raise UserError(f"{knob}: min_scale={low} is above max_scale={high}; choose min_scale <= max_scale")
    return settings


def rotate(key: jax.Array, image: jax.Array, strengths: Strengths) -> jax.Array:
    """Rotates about the centre by U(-max_rotation, max_rotation) degrees counter-clockwise; bilinear, black outside."""
    limit = strengths.max_rotation
    angle = jnp.deg2rad(jax.random.uniform(key, minval=-limit, maxval=limit))
    cosine, sine = jnp.cos(angle), jnp.sin(angle)
    return _resample(image, ((cosine, sine), (-sine, cosine)))


def flip(key: jax.Array, image: jax.Array, strengths: Strengths) -> jax.Array:
    """Exchanges left and right with probability 1/2."""
    return dm_pix.random_flip_left_right(key, image)


def scale(key: jax.Array, image: jax.Array, strengths: Strengths) -> jax.Array:
    """Enlarges about the centre by U(min_scale, max_scale); the image size stays the same; bilinear, black outside."""
    factor = jax.random.uniform(key, minval=strengths.min_scale, maxval=strengths.max_scale)
    return _resample(image, ((1 / factor, 0.0), (0.0, 1 / factor)))


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


def _pixels(fraction: float, side: int) -> int:
    """The nearest whole number of pixels; halves are rounded up."""
    return int(fraction * side + 0.5)


def _move(key: jax.Array, image: jax.Array, fraction: float, fill: float) -> jax.Array:
    """Pads the image and crops it at a random position: all shifts of whole pixels up to the pad are equally likely."""
    rows, columns = (_pixels(fraction, side) for side in image.shape[:2])
    padded = jnp.pad(image, ((rows, rows), (columns, columns), (0, 0)), constant_values=fill)
    row, column = jax.random.randint(key, (2,), 0, jnp.array([2 * rows + 1, 2 * columns + 1]))
    return jax.lax.dynamic_slice(padded, (row, column, 0), image.shape)


def _resample(image: jax.Array, matrix: tuple) -> jax.Array:
    """Samples the image at centre + matrix (pixel - centre), in rows and columns; bilinear, black outside.

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
    sample = jax.vmap(lambda plane: map_coordinates(plane, positions, 1, "constant", BLACK), in_axes=-1, out_axes=-1)
    # The interpolation weights add up to 1 only up to rounding, so a value can be slightly outside of [-1, 1].
    return jnp.clip(sample(image), -1, 1)


DATA = {
    "rotate": rotate,
    "flip": flip,
    "scale": scale,
    "shift": shift,
    "brightness": brightness,
    "contrast": contrast,
}
DIFFERENTIABLE = {"color": color, "translation": translation, "cutout": cutout}
TABLES = {"data": DATA, "differentiable": DIFFERENTIABLE}

# strength -> (smallest, largest) value that makes sense
RANGES = {
    "max_rotation": (0.0, 180.0),
    "max_shift": (0.0, 0.5),
    "min_scale": (0.1, 10.0),
    "max_scale": (0.1, 10.0),
    "brightness": (0.0, 2.0),
    "contrast": (0.0, 1.0),
    "max_translation": (0.0, 0.5),
    "cutout": (0.0, 1.0),
}
