"""The power spectrum against explicit sums; nearest training images; the map of real and generated images."""

import cmath
import json
import math

import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.analysis import neighbours
from gan_jax.analysis.map import feature_map
from gan_jax.analysis.spectrum import radial_spectrum, spectrum
from tests.analysis.subjects import constant, linear_generator, subject_of


def noise(seed, *shape):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("side", [5, 6])
def test_spectrum_equals_explicit_sums(side):
    images = noise(0, 2, side, side, 3)
    gray = images.mean(axis=3) / 255
    rings = {}
    for k in range(side):
        for m in range(side):
            waves = [[cmath.exp(-2j * math.pi * (k * x + m * y) / side) for y in range(side)] for x in range(side)]
            # Frequencies above half of the side are negative frequencies.
            radius = round(math.hypot(*(f - side if f >= (side + 1) // 2 else f for f in (k, m))))
            rings.setdefault(radius, []).append([abs(np.sum(image * waves)) ** 2 for image in gray])
    frequencies, counts, power = radial_spectrum(images)
    assert frequencies == pytest.approx(np.array(sorted(rings)) / side)
    assert counts.tolist() == [len(rings[radius]) for radius in sorted(rings)]
    assert power == pytest.approx(np.array([np.mean(rings[radius], axis=0) for radius in sorted(rings)]).T)
    # Parseval's theorem; frequency 0 is the brightness.
    assert power @ counts == pytest.approx(side**2 * (gray**2).sum(axis=(1, 2)))
    assert power[:, 0] == pytest.approx(gray.sum(axis=(1, 2)) ** 2)


@pytest.mark.parametrize("side", [28, 32, 64])
def test_a_wave_has_its_power_at_its_frequency(side):
    wave = np.cos(2 * np.pi * 6 * np.arange(side) / side)
    image = np.rint(127.5 + 127.5 * np.broadcast_to(wave, (side, side))).astype(np.uint8)
    frequencies, counts, power = radial_spectrum(image[None, :, :, None])
    total = power[0] * counts
    total[0] = 0
    assert frequencies[total.argmax()] == pytest.approx(6 / side)
    assert total.max() / total.sum() > 0.999


def test_spectrum_refuses_other_arrays():
    for wrong in (np.zeros((1, 4, 4, 1)), np.zeros((4, 4, 1), np.uint8)):
        with pytest.raises(ValueError, match="expected images uint8"):
            radial_spectrum(wrong)


def test_images_of_half_the_contrast_have_a_quarter_of_the_power(tmp_path):
    test = noise(1, 200, 6, 6, 1) // 2 * 2
    half_contrast = jnp.asarray(test, jnp.float32) / 510

    def generate_half(z, weights):
        return half_contrast[jnp.arange(len(z)) % 200]

    numbers = spectrum(subject_of(generate_half, test=test, num_images=200), tmp_path)
    assert numbers["largest_log10_ratio"] == pytest.approx(math.log10(1 / 4), abs=0.01)
    assert numbers["mean_absolute_log10_ratio"] == pytest.approx(math.log10(4), abs=0.01)
    assert numbers["mean_absolute_log10_ratio_train"] < 0.1
    assert numbers["cycles_per_pixel"] == pytest.approx([1 / 6, 2 / 6, 3 / 6])
    assert (tmp_path / "spectrum.png").stat().st_size > 1000
    json.dumps(spectrum(subject_of(constant), tmp_path), allow_nan=False)


def test_nearest_few_equals_sorting_all_distances(monkeypatch):
    monkeypatch.setattr(neighbours, "_CHUNK", 7)
    rng = np.random.default_rng(0)
    points, candidates = rng.normal(size=(5, 3)), rng.normal(size=(30, 3))
    rows, distances = neighbours.nearest_few(points, candidates, 4)
    all_distances = np.linalg.norm(points[:, None] - candidates, axis=-1)
    assert rows.tolist() == all_distances.argsort(axis=1)[:, :4].tolist()
    assert distances == pytest.approx(np.sort(all_distances, axis=1)[:, :4])


def test_copies_are_found(tmp_path):
    train = noise(2, 200, 6, 6, 1)
    copies = jnp.asarray(train, jnp.float32) / 255

    def copy(z, weights):
        return copies[(jnp.arange(len(z)) + 11) % 200]

    numbers = neighbours.neighbours(subject_of(copy, train=train, num_images=50), tmp_path)
    for space in ("features", "pixels"):
        assert numbers[f"{space}_ratio"] == pytest.approx(0, abs=1e-5)
        assert [rows[0] for rows in numbers[f"{space}_rows_shown"]] == list(range(11, 21))
        assert numbers[f"{space}_median_distance_test"] > 0
    # Generated images that are as far from the training images as the test images.
    fresh = jnp.asarray(noise(3, 200, 6, 6, 1), jnp.float32) / 255
    numbers = neighbours.neighbours(subject_of(lambda z, weights: fresh[jnp.arange(len(z)) % 200]), tmp_path)
    assert numbers["pixels_ratio"] == pytest.approx(1, abs=0.1)


def test_the_map_separates_sets_that_differ(tmp_path):
    data_subject = subject_of(linear_generator)
    z, labels = np.random.default_rng(7).normal(size=(200, 8)), np.arange(200) % 3
    equal_sets = feature_map(
        subject_of(linear_generator, test=data_subject.generate(z, labels), num_images=60), tmp_path
    )
    different_sets = feature_map(
        subject_of(lambda z, w: 1 - linear_generator(z, w), test=data_subject.generate(z, labels), num_images=60),
        tmp_path,
    )
    assert 0.3 < equal_sets["generated_beside_generated"] < 0.7
    assert different_sets["generated_beside_generated"] > 0.95
    assert different_sets["real_beside_real"] > 0.95
    assert equal_sets["num_real"] == equal_sets["num_generated"] == 60
    assert (tmp_path / "map.png").stat().st_size > 1000
