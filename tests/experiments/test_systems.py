"""The table of all systems: scores of two versions do not stand in one table."""

import pytest

from experiments import systems
from gan_jax.system.errors import UserError

ROW = {
    "name": "cgan",
    "config": "configs/cgan.py",
    "status": "completed",
    "minutes": 1.5,
    "trained": "0123abcd",
    "data": "mnist",
    "step": 100,
    "num_generated": 900,
    "num_real": 800,
    "frechet_distance": 9.5,
    "frechet_distance_standard_error": 0.25,
    "frechet_distance_real": 1.25,
    "precision_real": 0.875,
    "device": {"kind": "cpu"},
    "versions": {"jax": "1"},
}


def test_the_note_says_what_the_real_images_are():
    assert "Real training images\nhave a Frechet distance of 1.25, precision 87.50%" in systems.table([ROW])
    text = systems.table([ROW | {"scores_version": 2, "frechet_distance_real": None}])
    assert "Held-out real images\nhave a Frechet distance of -, precision 87.50%" in text
    assert "bootstrap" not in text


def test_scores_of_two_versions_are_refused():
    with pytest.raises(UserError, match="the scores of cgan are of an earlier version"):
        systems.table([ROW | {"scores_version": 2, "name": "dcgan"}, ROW])
