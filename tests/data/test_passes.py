"""Small image files are opened once; the pixels are those that decoding them on their own gives."""

import numpy as np
import pytest
from PIL import Image

from gan_jax.data import sources
from gan_jax.data.pictures import prepare, scan, tree
from gan_jax.data.pictures.decode import decode, read
from tests.data.picture_files import encoded, noise, write_classes

WHITE = (255, 255, 255)


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


RGB, GREY = Image.fromarray(noise(1, 6, 4)), Image.fromarray(noise(0, 6, 4, 1))
FILES = [
    *((RGB, file_format, {"exif": turned(6)}) for file_format in ("JPEG", "TIFF", "WEBP")),
    *((GREY, file_format, {}) for file_format in ("JPEG", "PNG", "BMP")),
    *((RGB.convert(mode), "PNG", {}) for mode in ("RGB", "RGBA", "P")),
    (RGB.convert("P"), "GIF", {}),
    (Image.fromarray(np.arange(24, dtype=np.uint16).reshape(6, 4) * 2000), "PNG", {}),
]


@pytest.mark.parametrize(("picture", "file_format", "options"), FILES)
def test_pixels_read_with_the_header_are_those_of_decode(picture, file_format, options):
    file = encoded(picture, file_format, **options)
    header, pixels = read(file, WHITE, 24)
    file.seek(0)
    expected = np.asarray(decode(file, WHITE))
    np.testing.assert_array_equal(pixels, expected)
    assert header[:2] == expected.shape[:2]
    file.seek(0)
    assert read(file, WHITE, 23) == (header, None)


def test_a_png_with_an_orientation_is_decoded_later():
    header, pixels = read(encoded(RGB, "PNG", exif=turned(6)), WHITE, 24)
    assert (header.height, header.width, pixels) == (4, 6, None)


def test_damaged_pixels_are_no_error_of_the_header():
    file = encoded(Image.fromarray(noise(2, 64, 64)), "PNG")
    file.truncate(200)
    header, pixels = read(file, WHITE, 64 * 64)
    assert (header.height, header.width, pixels) == (64, 64, None)


@pytest.fixture
def root(tmp_path):
    """30 grey files of 8 x 8 pixels and 170 RGB ones of 12 x 9, one of them broken behind its header."""
    write_classes(tmp_path / "images", ["a"], 30, channels=1)
    write_classes(tmp_path / "images", ["b"], 170, height=12, width=9)
    file = tmp_path / "images" / "b" / "007.png"
    file.write_bytes(file.read_bytes()[:100])
    return tmp_path / "images"


@pytest.mark.parametrize("options", [{}, {"image_size": 5}, {"channels": 1}, {"stream": "always"}])
def test_the_data_do_not_depend_on_what_is_decoded_at_once(root, tmp_path, monkeypatch, options):
    data = []
    for folder, most_pixels, most_bytes in (
        ("all", 1000, 1e9),
        ("some", 1000, 3000),
        ("grey", 64, 1e9),
        ("none", 0, 0),
    ):
        monkeypatch.setattr(scan, "_SMALL", most_pixels)
        monkeypatch.setattr(prepare, "_MOST_DECODED_BYTES", most_bytes)
        data.append(sources.load("folder", str(root), data_dir=str(tmp_path / folder), **options))
    assert len({(one.fingerprint(), one.notes, one.facts) for one in data}) == 1
    assert any("1 image cannot be read" in note for note in data[0].notes)


@pytest.mark.parametrize(("most_bytes", "times"), [(1e9, 1), (0, 2)])
def test_small_files_are_opened_once(tmp_path, monkeypatch, most_bytes, times):
    root, opened, read_tree = write_classes(tmp_path / "images", ["a", "b"], 20), [], tree.read_tree

    def counted(path, skipped):
        found = read_tree(path, skipped)
        return found._replace(open=lambda name: opened.append(name) or found.open(name))

    monkeypatch.setattr("gan_jax.data.pictures.layout.read_tree", counted)
    monkeypatch.setattr(prepare, "_MOST_DECODED_BYTES", most_bytes)
    sources.load("folder", str(root), data_dir=str(tmp_path / "cache"))
    assert len(opened) == 40 * times
    sources.load("folder", str(root), data_dir=str(tmp_path / "cache"))
    assert len(opened) == 40 * times
