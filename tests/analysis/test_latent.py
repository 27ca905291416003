"""Walks and arithmetic in latent space, for generators with known results."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.analysis.arithmetic import arithmetic, extremes, ink, slant
from gan_jax.analysis.latent import FACTORS, class_interpolation, interpolation, linear, spherical, truncation
from gan_jax.analysis.subject import NotApplicable
from tests.analysis.subjects import CLASSES, constant, linear_generator, subject_of


def test_linear_and_spherical_by_hand():
    a, b, t = np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([0, 1 / 3, 0.5, 1])
    assert linear(a, b, t) == pytest.approx(np.array([[1, 0], [2 / 3, 1 / 3], [0.5, 0.5], [0, 1]]))
    angles = t * np.pi / 2
    assert spherical(a, b, t) == pytest.approx(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    # By definition, the angle has equal steps in any plane.
    rng = np.random.default_rng(0)
    a, b = (e / np.linalg.norm(e, axis=-1, keepdims=True) for e in rng.normal(size=(2, 3, 4, 7)))
    walk = spherical(a, b, np.linspace(0, 1, 5))
    assert walk.shape == (3, 4, 5, 7)
    assert np.linalg.norm(walk, axis=-1) == pytest.approx(1)
    cosines = np.sum(walk[..., 1:, :] * walk[..., :-1, :], axis=-1)
    assert np.arccos(cosines) == pytest.approx(np.broadcast_to(np.arccos(np.sum(a * b, -1))[..., None] / 4, (3, 4, 4)))
    assert walk[..., 0, :] == pytest.approx(a)
    assert walk[..., -1, :] == pytest.approx(b)


@pytest.mark.parametrize("b", [[2.0, 0.0], [1.0, 1e-9], [-3.0, 0.0], [0.0, 0.0]])
def test_spherical_without_a_plane_is_linear(b):
    a, b, t = np.array([1.0, 0.0]), np.array(b), np.linspace(0, 1, 5)
    assert spherical(a, b, t) == pytest.approx(linear(a, b, t))


def test_one_program_generates_for_labels_and_for_weights():
    traces = []
    subject = subject_of(lambda z, weights: traces.append(1) or linear_generator(z, weights))
    z, labels = subject.draw_z(501), np.arange(501) % CLASSES
    images = subject.generate(z, labels)
    assert images.shape == (501, 6, 6, 1)
    assert np.array_equal(images, subject.generate(z, subject.weights(labels)))
    assert np.array_equal(images[:3], subject.generate(z[:3], labels[:3]))
    assert images[:, 0, :CLASSES, 0].argmax(axis=1).tolist() == labels.tolist()
    assert len(traces) == 1
    assert not np.array_equal(z, subject.draw_z(501, stream=1))


def test_walks_of_a_linear_generator_are_straight(tmp_path):
    numbers = interpolation(subject_of(linear_generator), tmp_path)
    assert numbers["linear_path_length"] == pytest.approx(1, abs=0.03)
    assert numbers["linear_largest_step"] == pytest.approx(1 / 16, abs=0.01)
    # Between normal draws in 8 dimensions, an arc is longer than its chord by a factor of about pi / sqrt(8).
    assert 1.05 < numbers["spherical_path_length"] < 1.25
    assert 0.6 < numbers["linear_norm_at_middle"] < 0.8
    assert 0.93 < numbers["spherical_norm_at_middle"] < 1.07
    assert (tmp_path / "interpolation.png").stat().st_size > 1000


def test_the_class_changes_half_way_between_classes(tmp_path):
    numbers = class_interpolation(subject_of(linear_generator), tmp_path)
    # From 0 to 1 and from 1 to 2, the tie at 1/2 counts as the first class; from 2 to 0, as the second.
    assert numbers["change_at_mean"] == pytest.approx((9 / 16 + 9 / 16 + 8 / 16) / 3)
    assert numbers["through_a_third_class"] == 0
    assert numbers["num_walks"] == numbers["num_walks_with_both_ends_right"] == 60

    def detour(z, weights):
        """If two classes are mixed, the image shows the third."""
        mixed = weights.max(axis=1, keepdims=True) < 0.75
        return linear_generator(z, jnp.where(mixed, jax.nn.one_hot(weights.argmin(axis=1), CLASSES), weights))

    numbers = class_interpolation(subject_of(detour), tmp_path)
    assert numbers["change_at_mean"] == 5 / 16
    assert numbers["through_a_third_class"] == 1
    with pytest.raises(NotApplicable, match="takes no label"):
        class_interpolation(subject_of(linear_generator, conditional=False), tmp_path)


def test_the_factor_of_the_data_is_the_best(tmp_path):
    data_subject = subject_of(linear_generator)
    factor = 0.8
    z = np.random.default_rng(5).normal(size=(200, 8)).astype(np.float32)
    subject = subject_of(linear_generator, test=data_subject.generate(factor * z, np.arange(200) % CLASSES))
    numbers = truncation(subject, tmp_path)
    assert numbers["best_factor"] == factor
    assert numbers["recall"] == sorted(numbers["recall"])
    assert numbers["precision"][0] > numbers["precision"][-1]
    assert numbers["conditional_accuracy"] == [1.0] * len(FACTORS)
    with pytest.raises(NotApplicable, match="sphere"):
        truncation(subject_of(linear_generator, prior="sphere"), tmp_path)


def test_attributes_of_bars():
    images = np.zeros((4, 9, 9, 3), np.uint8)
    rows = np.arange(9)
    images[0, rows, 4] = 255  # upright
    images[1, rows, 8 - rows] = 255  # one pixel to the right for each pixel up
    images[2, rows, rows] = 51
    assert slant(images) == pytest.approx([0, 1, -1, 0])
    assert ink(images) == pytest.approx([1 / 9, 1 / 9, 1 / 45, 0])


def test_extremes_are_taken_within_each_class():
    values, classes = np.array([1, 2, 3, 4, 50, 60, 70, 80, 9.0]), np.array([0, 0, 0, 0, 1, 1, 1, 1, 2])
    high, low = extremes(values, classes, 0.25)
    assert [rows.tolist() for rows in high] == [[3], [7]]
    assert [rows.tolist() for rows in low] == [[0], [4]]
    assert extremes(values, classes, 0.25, least=3) == ([], [])


@pytest.mark.parametrize("conditional", [True, False])
def test_arithmetic_finds_the_entry_of_z_that_is_ink(tmp_path, conditional):
    def ink_generator(z, weights):
        """Entry 0 of z is the amount of ink. Without labels, entry 1 gives the class."""
        label = jnp.argmax(weights, axis=1) if conditional else jnp.digitize(z[:, 1], jnp.array([-0.5, 0.5]))
        other_rows = jnp.broadcast_to(0.5 + 0.1 * z[:, :1], (len(z), 30))
        first_row = jnp.pad(jax.nn.one_hot(label, CLASSES), ((0, 0), (0, 6 - CLASSES)))
        return jnp.concatenate([first_row, other_rows], axis=1).reshape(-1, 6, 6, 1)

    numbers = arithmetic(subject_of(ink_generator, conditional=conditional), tmp_path)
    assert abs(numbers["ink_before"]) < 0.3
    # The means of the upper and the lower tenth of a normal distribution differ by 3.51 standard deviations.
    assert numbers["ink_after_+1"] - numbers["ink_before"] == pytest.approx(3.5, abs=0.4)
    assert numbers["ink_after_-0.5"] - numbers["ink_before"] == pytest.approx(-1.75, abs=0.2)
    assert numbers["ink_class_kept"] == 1 if conditional else numbers["ink_class_kept"] > 0.8
    if conditional:
        assert "analogy_class_kept" not in numbers
    else:
        assert numbers["analogy_ink_of_mean_c"] < -0.8
        assert numbers["analogy_ink_of_sum"] > 0.8
        assert numbers["analogy_class_of_mean_c"] > numbers["analogy_class_kept"] > 0.4
    assert (tmp_path / "arithmetic.png").is_file()


@pytest.mark.parametrize("conditional", [True, False])
def test_a_collapsed_generator_gives_none_for_ratios_of_0(tmp_path, conditional):
    subject = subject_of(constant, conditional=conditional)
    analyses = (interpolation, arithmetic, truncation, *([class_interpolation] if conditional else []))
    numbers = {analysis.__name__: analysis(subject, tmp_path) for analysis in analyses}
    assert numbers["interpolation"]["spherical_path_length"] is None
    assert numbers["arithmetic"]["ink_after_+1"] is None
    assert numbers["truncation"]["recall"] == [0.0] * len(FACTORS)
    json.dumps(numbers, allow_nan=False)
