"""Grids of images, with names above their columns."""

import numpy as np
import pytest

from gan_jax.runs.pictures import grid

IMAGES = np.zeros((6, 10, 30, 1), np.uint8)


@pytest.mark.parametrize(
    ("names", "is_upright"), [(("3", "7"), False), (("automobile", "cat"), True), (("x" * 99, ""), True)]
)
def test_names_stand_above_their_columns(names, is_upright):
    plain, named = grid(IMAGES, 2), grid(IMAGES, 2, names)
    strip = named[: -len(plain)]
    assert np.array_equal(named[len(strip) :], plain)
    assert (len(strip) > 20) == is_upright
    assert len(strip) < 250
    columns = [strip[:, :30], strip[:, 32:62]]
    assert [bool((column < 128).any()) for column in columns] == [bool(name) for name in names]
    assert (strip[:, 30:32] == 255).all()


def test_images_without_names_have_no_strip():
    assert grid(IMAGES, 3).shape == (2 * 12 - 2, 3 * 32 - 2, 1)
