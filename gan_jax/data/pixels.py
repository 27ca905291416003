"""Conversion of any picture to a given size and number of channels."""

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_BILINEAR = Image.Resampling.BILINEAR
# data.resize -> (picture, (width, height)) -> the picture in this size. If only the size differs, not the ratio of the
# sides, all of them are the same bilinear resizing.
RESIZES = {
    "crop": lambda picture, size: ImageOps.fit(picture, size, _BILINEAR),
    "pad": lambda picture, size: ImageOps.pad(picture, size, _BILINEAR),
    "stretch": lambda picture, size: picture.resize(size, _BILINEAR),
}
_DEFAULT, _SAME_RATIO = "crop", "stretch"
_DONE = {"crop": "cropped", "pad": "padded with black", "stretch": "stretched"}

Shape = tuple[int | None, int | None, int | None]  # (H, W, C); None: differs between images


class Conversion(NamedTuple):
    """How all images of a data set are converted (config.data).

    image_size: both sides, pixels; 0: their own sides.
    channels: 1 (luminance) or 3 (RGB); 0: their own.
    resize: how images that are not square become square: a name in `RESIZES`. "": they keep their sides, or are
        cropped if `image_size` is set.
    """

    image_size: int = 0
    channels: int = 0
    resize: str = ""

    def shape(self, own: Shape) -> Shape:
        """(H, W, C) after the conversion of images of shape `own`."""
        height, width, channels = own
        if self.image_size or self.resize:
            side = self.image_size or (min if self.resize == "crop" else max)(height, width)
            height = width = side
        return height, width, self.channels or channels

    def method(self, own: Shape) -> str:
        """The name in `RESIZES` of what is done with images of shape `own`."""
        (height, width), (new_height, new_width) = own[:2], self.shape(own)[:2]
        if None not in (height, width) and height * new_width == width * new_height:
            return _SAME_RATIO
        return self.resize or _DEFAULT

    def note(self, own: Shape) -> str:
        """One line for the user if the conversion changes the ratio of the sides or may change it; else ""."""
        sides, (height, width) = own[:2], self.shape(own)[:2]
        if None not in sides and sides[0] * width == sides[1] * height:
            return ""
        before = "differ in size" if None in sides else f"are {sides[0]} x {sides[1]} pixels (height x width)"
        others = " or ".join(name for name in RESIZES if name != _DEFAULT)
        advice = "" if self.resize else f"; to change that, set --config.data.resize={others}"
        return f"the images {before} and are {_DONE[self.method(own)]} to {height} x {width}{advice}"


def to_picture(image: np.ndarray) -> Image.Image:
    """A PIL image of uint8 [H, W, C]."""
    return Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)


def fit(picture: Image.Image, shape: tuple[int, int, int], method: str) -> np.ndarray:
    """uint8 [H, W, C] of this shape from a picture; 1 channel is luminance. method: a name in `RESIZES`."""
    height, width, channels = shape
    if picture.mode != _MODES[channels]:
        picture = picture.convert(_MODES[channels])
    if picture.size != (width, height):
        picture = RESIZES[method](picture, (width, height))
    return np.asarray(picture).reshape(shape)
