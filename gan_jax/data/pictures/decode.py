"""From one image file to a picture in grey or RGB, upright, without transparency."""

from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image, ImageColor

from gan_jax.data.pictures.tree import formats
from gan_jax.system.errors import UserError

_GREY = {"1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N", "F"}
_SIXTEEN_BITS = {"I", "I;16", "I;16L", "I;16B", "I;16N"}
_ALPHA = {"RGBA", "RGBa", "LA", "La", "PA"}
_ORIENTATION = 0x0112  # EXIF tag
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_EXCHANGE_SIDES = {5, 6, 7, 8}


class Header(NamedTuple):
    """What the start of an image file says: the sides of the upright picture, its mode, and whether it has colours."""

    height: int
    width: int
    mode: str
    colour: bool


def background_colour(text: str) -> tuple[int, int, int]:
    """The RGB colour of config.data.background; UserError if `text` names none."""
    try:
        return ImageColor.getrgb(text)[:3]
    except ValueError as error:
        raise UserError(f"data.background={text} is no colour; give white, black, another name, or #rrggbb") from error


def read(file: BinaryIO, background: tuple[int, int, int], most_pixels: int) -> tuple[Header, np.ndarray | None]:
    """(the header, the pixels as `decode` gives them or None). Errors of many classes if it is no image.

    The pixels are None if they are more than `most_pixels`, if they are damaged, or if the header of a PNG has an
    orientation: Pillow would keep that one, and not look for another one behind the pixels, as it does for `decode`.
    """
    with Image.open(file, formats=formats()) as picture:
        header = _header(picture)
        if header.height * header.width > most_pixels or (picture.format == "PNG" and "exif" in picture.info):
            return header, None
        try:
            return header, np.asarray(_converted(picture, background))
        except Exception:  # Whoever needs the pixels decodes the file again, and gets the error.
            return header, None


def read_header(file: BinaryIO) -> Header:
    """The header of an image file; its pixels are not decoded. Errors of many classes if it is no image."""
    return read(file, (255, 255, 255), 0)[0]


def _header(picture: Image.Image) -> Header:
    width, height = picture.size
    # Pillow turns TIFF images by itself, and looks for the EXIF data of a PNG behind its pixels.
    known = picture.format != "TIFF" and (picture.format != "PNG" or "exif" in picture.info)
    if known and _orientation(picture) in _EXCHANGE_SIDES:
        height, width = width, height
    return Header(height, width, picture.mode, not _is_grey(picture))


def _is_grey(picture: Image.Image) -> bool:
    if picture.mode != "P":
        return picture.mode in _GREY
    colours = np.array(picture.getpalette("RGB"), int).reshape(-1, 3)
    return bool(np.all(colours == colours[:, :1]))


def _orientation(picture: Image.Image) -> int:
    """The EXIF orientation; 1 (upright) if there is none, or if it cannot be read."""
    try:
        return picture.getexif().get(_ORIENTATION, 1)
    except Exception:  # Damaged EXIF data raise errors of many classes; the pixels do not need them.
        return 1


def decode(file: BinaryIO, background: tuple[int, int, int]) -> Image.Image:
    """The picture, of the first frame: mode L if the file is grey, else RGB. Errors of many classes for a damaged file.

    16 bits become 8 by rounding v / 257. Transparent pixels are mixed with the background, which makes a grey file
    RGB if the background has a colour.
    """
    with Image.open(file, formats=formats()) as picture:
        return _converted(picture, background)


def _converted(picture: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    """What `decode` returns, of an opened file."""
    picture.load()
    grey, turn = _is_grey(picture), _TURNS.get(_orientation(picture))
    picture = picture if turn is None else picture.transpose(turn)
    if picture.mode == "F":
        raise ValueError("its pixels are floating-point numbers, which have no known range")
    if picture.mode in _SIXTEEN_BITS:
        return _eight_bits(picture)
    if picture.mode in _ALPHA or "transparency" in picture.info:
        layer = Image.new("RGBA", picture.size, (*background, 255))
        picture = Image.alpha_composite(layer, picture.convert("RGBA"))
        grey = grey and len(set(background)) == 1
    mode = "L" if grey else "RGB"
    return picture if picture.mode == mode else picture.convert(mode)


def _eight_bits(picture: Image.Image) -> Image.Image:
    values = np.asarray(picture).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise ValueError("its pixels are integers of more than 16 bits")
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))
