"""Augmentations against NumPy, SciPy and hand arithmetic. The random draws are known or read from the result."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage, spatial

from gan_jax.gan.augmentation import RANGES, make_augmentation
from gan_jax.gan.image_changes import DATA, DIFFERENTIABLE, Strengths
from gan_jax.system.errors import UserError

SIZE, HEIGHT, WIDTH = 32, 16, 24
IMAGES = np.asarray(jax.random.uniform(jax.random.key(7), (SIZE, HEIGHT, WIDTH, 3), minval=-1.0))
KEY = jax.random.key(3)


def augmented(table, names, images=IMAGES, key=KEY, **strengths):
    return np.asarray(jax.jit(make_augmentation(names, table, "augment", **strengths))(key, jnp.asarray(images)))


def rolled(image, rows, columns, fill):
    """np.roll, with `fill` instead of the pixels that wrap around."""
    image = np.roll(image, (rows, columns), axis=(0, 1))
    for axis, by in enumerate((rows, columns)):
        axis_first = np.moveaxis(image, axis, 0)
        axis_first[slice(0, by) if by >= 0 else slice(by, None)] = fill
    return image


def test_flip_is_left_right_or_nothing():
    result = augmented("data", "flip")
    unchanged = (result == IMAGES).all(axis=(1, 2, 3))
    flipped = (result == IMAGES[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (unchanged ^ flipped).all()
    assert 0 < unchanged.sum() < SIZE


@pytest.mark.parametrize(
    ("table", "name", "limits", "fill"), [("data", "shift", (2, 2), -1), ("differentiable", "translation", (2, 3), 0)]
)
def test_shifts_are_by_integer_pixels_and_fill_the_gap(table, name, limits, fill):
    all_moves = set()
    for before, after in zip(IMAGES, augmented(table, name), strict=True):
        moves = [
            (rows, columns)
            for rows in range(-4, 5)
            for columns in range(-4, 5)
            if (after == rolled(before, rows, columns, fill)).all()
        ]
        assert len(moves) == 1
        all_moves.add(moves[0])
    for axis, limit in enumerate(limits):
        assert {move[axis] for move in all_moves} == set(range(-limit, limit + 1))


def test_rotation_equals_scipy():
    before = IMAGES[0]
    for seed in range(4):
        key = jax.random.key(seed)
        degrees = float(jax.random.uniform(key, minval=-40.0, maxval=40.0))
        after = DATA["rotate"](key, before, Strengths(max_rotation=40.0))
        expected = ndimage.rotate(before, degrees, order=1, reshape=False, mode="grid-constant", cval=-1)
        np.testing.assert_allclose(after, expected, atol=1e-4)
        assert np.abs(after - before).max() > 0.1


@pytest.mark.parametrize("factor", [0.7, 1.0, 1.6])
def test_scale_equals_scipy(factor):
    centre = (np.array(IMAGES.shape[1:]) - 1) / 2
    matrix = np.array([1 / factor, 1 / factor, 1.0])
    settings = {"order": 1, "mode": "grid-constant", "cval": -1}
    expected = ndimage.affine_transform(IMAGES[0], matrix, offset=centre - matrix * centre, **settings)
    after = augmented("data", "scale", min_scale=factor, max_scale=factor)[0]
    np.testing.assert_allclose(after, expected, atol=1e-4)
    if factor < 1:
        assert (after[0] == -1).all()


def test_brightness_by_hand():
    dim = IMAGES / 2
    added = augmented("data", "brightness", dim, brightness=0.4) - dim
    np.testing.assert_allclose(added, added[:, :1, :1, :1].repeat(HEIGHT, 1).repeat(WIDTH, 2).repeat(3, 3), atol=1e-6)
    assert -0.4 <= added.min() < -0.2 < 0.2 < added.max() <= 0.4
    clipped = augmented("data", "brightness", np.full_like(IMAGES, 0.9), brightness=2.0)
    assert clipped.max() == 1.0
    assert clipped.min() == -1.0


def test_contrast_by_hand():
    dim = IMAGES / 2
    mean = dim.mean(axis=(1, 2), keepdims=True)
    after = augmented("data", "contrast", dim, contrast=0.5)
    factor = after.std(axis=(1, 2, 3), keepdims=True) / dim.std(axis=(1, 2, 3), keepdims=True)
    np.testing.assert_allclose(after, mean + factor * (dim - mean), atol=1e-3)
    assert 0.5 <= factor.min() < 0.75 < 1.25 < factor.max() <= 1.5


@pytest.mark.parametrize("channels", [1, 3])
def test_color_by_hand(channels):
    for seed, before in enumerate(IMAGES[:4, :, :, :channels]):
        keys = jax.random.split(jax.random.key(seed), 3)
        shade, saturation, factor = (float(jax.random.uniform(key)) for key in keys)
        expected = before.astype(np.float64) + shade - 0.5
        if channels == 3:
            grey = expected.mean(axis=-1, keepdims=True)
            expected = grey + 2 * saturation * (expected - grey)
        expected = expected.mean() + (0.5 + factor) * (expected - expected.mean())
        after = DIFFERENTIABLE["color"](jax.random.key(seed), before, Strengths())
        np.testing.assert_allclose(after, expected, atol=1e-5)


@pytest.mark.parametrize("share", [0.5, 0.3])
def test_cutout_is_one_rectangle_of_zeros(share):
    edges = [int(share * side + 0.5) for side in (HEIGHT, WIDTH)]
    cut_shares = []
    for before, after in zip(IMAGES, augmented("differentiable", "cutout", cutout=share), strict=True):
        cut = (after == 0).all(axis=-1)
        rows, columns = cut.any(axis=1), cut.any(axis=0)
        assert (cut == np.outer(rows, columns)).all()
        assert (after[~cut] == before[~cut]).all()
        for edge, cut_along_axis in zip(edges, (rows, columns), strict=True):
            first, last = np.flatnonzero(cut_along_axis)[[0, -1]]
            assert cut_along_axis[first : last + 1].all()
            inside = first > 0 and last < len(cut_along_axis) - 1
            assert cut_along_axis.sum() == edge if inside else edge // 2 <= cut_along_axis.sum() <= edge
        cut_shares.append(cut.mean())
    area = edges[0] * edges[1] / (HEIGHT * WIDTH)
    assert area / 5 < min(cut_shares) < max(cut_shares) == pytest.approx(area)


def test_cutout_may_be_centred_anywhere():
    """A rectangle with an edge of 2 has 5 positions along a side of 4: 3 inside, 2 half outside."""
    result = augmented("differentiable", "cutout", np.ones((600, 4, 4, 1), np.float32))
    assert len({image.tobytes() for image in result}) == 5 * 5


def test_gradients_reach_the_images():
    """Each T is affine in the image: T(x + d) - T(x) is linear in d, so the gradient gives it also for a large d."""
    change = make_augmentation("color,translation,cutout", "differentiable", "augment")
    weights, step = (jax.random.normal(jax.random.key(seed), IMAGES.shape) for seed in (0, 1))
    total = jax.jit(jax.value_and_grad(lambda images: jnp.sum(change(KEY, images) * weights)))
    (before, gradient), (after, _) = total(jnp.asarray(IMAGES)), total(IMAGES + step)
    assert float(jnp.sum(gradient * step)) == pytest.approx(float(after - before), rel=1e-3)
    assert (np.abs(gradient) > 0).any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize("name", ["translation", "cutout"])
def test_gradients_pixel_by_pixel(name):
    """The gradient of a cut pixel is 0. The gradient of any other pixel is the weight at its new position."""
    change = make_augmentation(name, "differentiable", "augment")

    @jax.jit
    def result_and_gradient(images, weights):
        result, pull_back = jax.vjp(lambda images: change(KEY, images), images)
        return result, pull_back(weights)[0]

    weights = np.asarray(jax.random.normal(jax.random.key(0), IMAGES.shape))
    numbered = np.arange(1, IMAGES.size + 1, dtype=np.float32).reshape(IMAGES.shape)
    came_from, gradient = result_and_gradient(numbered, weights)
    expected = np.zeros(IMAGES.size + 1, np.float32)
    expected[np.asarray(came_from, int).ravel()] = weights.ravel()
    np.testing.assert_array_equal(gradient, expected[1:].reshape(IMAGES.shape))


@pytest.mark.parametrize(("table", "name"), [("data", "rotate"), ("data", "scale"), ("differentiable", "color")])
def test_draws_differ_between_images(table, name):
    """The tests above show different draws within a batch for the other augmentations."""
    result = augmented(table, name, np.repeat(IMAGES[:1], SIZE, axis=0))
    assert len({image.tobytes() for image in result}) == SIZE


@pytest.mark.parametrize(("table", "names"), [("data", "rotate,flip,contrast"), ("differentiable", "color,cutout")])
def test_draws_differ_between_keys_under_vmap(table, names):
    keys = jax.random.split(KEY, 2)
    change = jax.jit(jax.vmap(make_augmentation(names, table, "augment"), in_axes=(0, None)))
    both = np.asarray(change(keys, jnp.asarray(IMAGES)))
    assert (both[0] != both[1]).any(axis=(1, 2, 3)).all()
    np.testing.assert_allclose(both[0], augmented(table, names, key=keys[0]), atol=1e-4)


@pytest.mark.parametrize("shape", [(8, 7, 10, 3), (1, 1, 1, 1)])
def test_augmented_images_are_valid_images(shape):
    names = ",".join(DATA)
    extreme = np.sign(np.asarray(jax.random.normal(KEY, shape)))
    strengths = {"max_rotation": 180.0, "max_shift": 0.5, "max_scale": 3.0, "brightness": 1.0, "contrast": 1.0}
    result = augmented("data", names, extreme, **strengths)
    assert result.shape == shape
    assert result.dtype == np.float32
    assert result.min() >= -1
    assert result.max() <= 1


def test_without_names_nothing_is_changed_or_drawn():
    for table in ("data", "differentiable"):
        assert make_augmentation("", table, "augment")(None, IMAGES) is IMAGES


def test_two_flips_do_not_share_their_draw():
    """With the same key, the second flip would undo the first."""
    assert (augmented("data", "flip, flip") != IMAGES).any()


def test_every_strength_has_a_range_that_contains_its_default():
    assert list(Strengths._fields) == list(RANGES)
    make_augmentation("", "data", "augment", **Strengths()._asdict())


def test_zero_strengths_change_nothing():
    nothing = {**dict.fromkeys(RANGES, 0.0), "min_scale": 1.0, "max_scale": 1.0}
    result = augmented("data", "rotate,scale,shift,brightness,contrast", **nothing)
    np.testing.assert_allclose(result, IMAGES, atol=1e-6)
    np.testing.assert_array_equal(augmented("differentiable", "translation,cutout", **nothing), IMAGES)


@pytest.mark.parametrize(
    ("names", "strengths", "message"),
    [
        ("flip,rotat", {}, "data.augment='rotat' is unknown; did you mean rotate"),
        ("flip,", {}, "choose one of: brightness, contrast, flip, rotate, scale, shift"),
        ("cutout", {}, "data.augment='cutout' is unknown"),
        ("flip", {"max_rotatoin": 3.0}, "did you mean max_rotation"),
        ("shift", {"max_shift": 0.7}, "data.augment: max_shift=0.7 is out of range; choose a number from 0.0 to 0.5"),
        ("shift", {"max_shift": float("nan")}, "out of range"),
        ("scale", {"min_scale": 1.3}, "min_scale=1.3 is above max_scale=1.1"),
    ],
)
def test_mistakes_say_what_to_type(names, strengths, message):
    with pytest.raises(UserError) as error:
        make_augmentation(names, "data", "data.augment", **strengths)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("name", "of_real"), [("rotation", "rotate"), ("scaling", "scale")])
def test_rotation_and_scaling_are_those_of_real_images_with_grey_outside(name, of_real):
    """With the same draws. The other is -1 outside, this one 0: their difference is the share of a pixel outside."""
    for seed, image in enumerate(IMAGES[:3]):
        key, strengths = jax.random.key(seed), Strengths(max_rotation=40.0, min_scale=0.6, max_scale=0.8)
        grey, black = (table[n](key, image, strengths) for table, n in ((DIFFERENTIABLE, name), (DATA, of_real)))
        outside = grey - black
        np.testing.assert_allclose(outside[..., 0], outside[..., 1], atol=1e-4)
        assert -1e-4 < outside.min() < outside.max() < 1 + 1e-4
        assert outside[0, 0, 0] > 0.3, "a corner is from outside"
        assert outside[HEIGHT // 2, WIDTH // 2, 0] == pytest.approx(0, abs=1e-4)


def test_quarter_turns_by_numpy():
    turns = {tuple(np.rot90(SQUARE, k).ravel()): k for k in range(4)}
    found = [
        turns[tuple(np.asarray(DIFFERENTIABLE["quarter_turn"](jax.random.key(i), SQUARE, None)).ravel())]
        for i in range(40)
    ]
    assert set(found) == {0, 1, 2, 3}
    wide = SQUARE[:2]
    for i in range(10):
        after = np.asarray(DIFFERENTIABLE["quarter_turn"](jax.random.key(i), wide, None))
        assert np.array_equal(after, wide) or np.array_equal(after, np.rot90(wide, 2))


SQUARE = np.arange(27, dtype=np.float32).reshape(3, 3, 3) / 27


def test_hue_is_a_rotation_about_the_grey_axis_by_scipy():
    for seed, image in enumerate(IMAGES[:3]):
        key = jax.random.key(seed)
        angle = float(jax.random.uniform(key, minval=-np.pi, maxval=np.pi))
        turn = spatial.transform.Rotation.from_rotvec(angle * np.ones(3) / np.sqrt(3))
        expected = turn.apply(np.asarray(image, np.float64).reshape(-1, 3)).reshape(image.shape)
        np.testing.assert_allclose(DIFFERENTIABLE["hue"](key, image, None), expected, atol=1e-5)
    np.testing.assert_array_equal(
        DIFFERENTIABLE["hue"](jax.random.key(0), IMAGES[0][..., :1], None), IMAGES[0][..., :1]
    )
