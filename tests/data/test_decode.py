"""One image file becomes a picture in grey or RGB: modes, transparency, 16 bits, orientation, damaged files."""

import io

import numpy as np
import pytest
from PIL import Image

from gan_jax.data.pictures.decode import background_colour, decode, read_header
from gan_jax.system.errors import UserError
from tests.data.picture_files import encoded, noise

WHITE = (255, 255, 255)
GREY = Image.fromarray(noise(0, 6, 4, 1))
RGB = Image.fromarray(noise(1, 6, 4))


def pixels(file, background=WHITE):
    return np.asarray(decode(file, background))


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "BMP", "TIFF", "PPM"])
def test_formats_without_loss(file_format):
    options = {"lossless": True} if file_format == "WEBP" else {}
    file = encoded(RGB, file_format, **options)
    assert read_header(file)[:2] == (6, 4)
    file.seek(0)
    np.testing.assert_array_equal(pixels(file), np.asarray(RGB))


@pytest.mark.parametrize(
    ("picture", "file_format", "colour"),
    [
        (GREY, "PNG", False),
        (RGB, "JPEG", True),
        (GREY, "JPEG", False),
        (GREY.convert("1"), "PNG", False),
        (GREY.convert("LA"), "PNG", False),
        (RGB.convert("RGBA"), "PNG", True),
        (RGB.convert("P"), "PNG", True),
        (GREY.convert("P"), "PNG", False),
        (RGB.convert("CMYK"), "JPEG", True),
        (RGB.convert("LAB"), "TIFF", True),
    ],
)
def test_the_header_says_whether_there_are_colours_and_the_pixels_agree(picture, file_format, colour):
    file = encoded(picture, file_format)
    assert read_header(file).colour == colour
    file.seek(0)
    assert decode(file, WHITE).mode == ("RGB" if colour else "L")


def test_cmyk_is_not_negative():
    """Adobe's programs store the inks of a JPEG inverted, and say so."""
    red = Image.new("RGB", (8, 8), (250, 10, 10))
    assert pixels(encoded(red.convert("CMYK"), "JPEG", quality=95))[4, 4] == pytest.approx([250, 10, 10], abs=6)


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_sixteen_bits_keep_their_range(file_format):
    values = np.array([[0, 128, 129, 257], [32768, 65278, 65407, 65535]], np.uint16)
    found = pixels(encoded(Image.fromarray(values), file_format))
    np.testing.assert_array_equal(found, np.rint(values / 257).astype(np.uint8))


def test_numbers_of_unknown_range_are_refused():
    with pytest.raises(ValueError, match="floating-point numbers"):
        pixels(encoded(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF"))
    with pytest.raises(ValueError, match="more than 16 bits"):
        pixels(encoded(Image.fromarray(np.full((4, 4), 1 << 20, np.int32)), "TIFF"))


def test_transparent_pixels_show_the_background():
    picture = Image.new("RGBA", (3, 1), (10, 20, 30, 255))
    picture.putpixel((1, 0), (10, 20, 30, 0))
    picture.putpixel((2, 0), (0, 0, 0, 128))
    expected = [[10, 20, 30], [255, 255, 255], [127, 127, 127]]
    np.testing.assert_allclose(pixels(encoded(picture, "PNG"))[0], expected, atol=1)
    assert pixels(encoded(picture, "PNG"), background_colour("#102030"))[0, 1].tolist() == [16, 32, 48]

    palette = Image.new("P", (2, 1))
    palette.putpalette([0, 0, 0, 200, 0, 0])
    palette.putpixel((1, 0), 1)
    for file_format in ("PNG", "GIF"):
        assert pixels(encoded(palette, file_format, transparency=0))[0].tolist() == [[255, 255, 255], [200, 0, 0]]
    grey = Image.fromarray(np.array([[0, 90]], np.uint8))
    assert pixels(encoded(grey, "PNG", transparency=0)).tolist() == [[255, 90]]
    assert decode(encoded(grey.convert("LA"), "PNG"), (255, 0, 0)).mode == "RGB"


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(orientation, file_format):
    """The upper left quarter of the upright picture is white. Each orientation stores it elsewhere."""
    upright = np.zeros((32, 16), np.uint8)
    upright[:16, :8] = 255
    stored_forms = (
        *(upright, upright[:, ::-1], upright[::-1, ::-1], upright[::-1]),
        *(upright.T, np.rot90(upright), upright[::-1, ::-1].T, np.rot90(upright, -1)),
    )
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(stored_forms[orientation - 1])).convert("RGB")
    file = encoded(stored, file_format, exif=exif)
    assert read_header(file)[:2] == (32, 16)
    file.seek(0)
    found = pixels(file)
    assert found.shape == (32, 16, 3)
    np.testing.assert_allclose(found[..., 0], upright, atol=40)


def test_the_first_frame_of_an_animation():
    frames = [Image.new("RGB", (5, 5), colour) for colour in ((200, 0, 0), (0, 200, 0))]
    file = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert pixels(file)[2, 2].tolist() == [200, 0, 0]


@pytest.mark.parametrize("data", [b"", b"no image", encoded(RGB, "PNG").read()[:70], encoded(RGB, "JPEG").read()[:300]])
def test_damaged_files_are_errors(data):
    with pytest.raises(Exception, match="(?i)cannot identify|truncated"):
        pixels(io.BytesIO(data))


def test_formats_that_start_other_programs_are_not_read():
    with pytest.raises(OSError, match="cannot identify"):
        pixels(io.BytesIO(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n"))


@pytest.mark.parametrize("text", ["", "whit", "#12", "12"])
def test_backgrounds_that_are_no_colours(text):
    with pytest.raises(UserError, match="is no colour; give white, black, another name, or #rrggbb"):
        background_colour(text)
