"""How the scoring classifier is trained: a recipe, which follows from the size, the channels and the number of images.

A recipe and its images determine the weights, up to the rounding of the processor. `digest` names both.
"""

import dataclasses
import hashlib
import json

import numpy as np

from gan_jax.system.config import choose

# Values of config.eval.classifier_flips -> whether images of so many channels are mirrored.
FLIPS = {"auto": lambda channels: channels > 1, "always": lambda channels: True, "never": lambda channels: False}
# Grey images up to this side, pixels, have the recipe of digits.
_LARGEST_DIGIT = 48
# The residual network's stem reduces images to at most this side, pixels, so that its time grows no further.
_LARGEST_SIDE = 48


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Small grey images: three strided convolutions, Adam, a one-cycle learning rate, random shifts.

    `digest` hashes every field, so a new field or another default would rename, and train again, every classifier.
    """

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


@dataclasses.dataclass(frozen=True)
class ResidualRecipe(Recipe):
    """All other images: a residual network, AdamW, a one-cycle learning rate, random shifts and flips of each image."""

    widths: tuple[int, ...] = (16, 48, 96, 128)  # channels of the stem and of the stages, each of half the side
    kernels: tuple[int, ...] = (3, 3, 3, 3)
    dropout: float = 0.0
    peak_learning_rate: float = 5e-3
    stem_stride: int = 1
    flips: bool = False  # each image is mirrored with probability 1/2
    weight_decay: float = 0.05
    label_smoothing: float = 0.1


def recipe_for(image_shape: tuple[int, int, int], num_images: int, flips: str = "auto") -> Recipe:
    """The recipe for `num_images` training images of a shape (height, width, channels).

    flips: "always", "never", or "auto": colour images may be mirrored, grey images not, because most are characters.
    """
    height, width, channels = image_shape
    side, mirrored = max(height, width), choose(FLIPS, flips, "eval.classifier_flips")(channels)
    if channels == 1 and side <= _LARGEST_DIGIT and not mirrored:
        return Recipe()
    stride = 1
    while side > stride * _LARGEST_SIDE:
        stride *= 2
    default = ResidualRecipe()
    return dataclasses.replace(
        default,
        kernels=(max(2 * stride, default.kernels[0]), *default.kernels[1:]),
        stem_stride=stride,
        num_steps=_num_steps(num_images),
        max_shift=max(side // 16, 1),
        flips=mirrored,
    )


def _num_steps(num_images: int) -> int:
    """3,200 steps for 50,000 images or more (8 passes), and fewer steps but more passes for fewer images."""
    return max(round(3200 * min(num_images / 50_000, 1.0) ** 0.5), 200)
