"""Conversion of any picture to a square of a given size and number of channels."""

import numpy as np
from PIL import Image

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def to_picture(image: np.ndarray) -> Image.Image:
    """A PIL image of uint8 [H, W, C]."""
    return Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)


def fit(picture: Image.Image, size: int, channels: int) -> np.ndarray:
    """uint8 [size, size, channels] of a picture: bilinear resizing if its size differs; 1 channel is luminance."""
    if picture.mode != _MODES[channels]:
        picture = picture.convert(_MODES[channels])
    if picture.size != (size, size):
        picture = picture.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(picture).reshape(size, size, channels)
