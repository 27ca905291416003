"""The printed table: which scores it has, and what stands beside them."""

from gan_jax.evaluation.table import table

RESULT = {
    "data": "digits",
    "requested_data": "digits",
    "split": "test",
    "step": 7,
    "generator": "ema",
    "features": "f",
    "num_generated": 900,
    "num_real": 800,
    "num_features": 8,
    "precision": 0.5,
    "precision_standard_error": 0.0123,
    "precision_real": 0.875,
    "frechet_distance": 9.5,
    "frechet_distance_standard_error": 0.25,
    "frechet_distance_real": None,
}


def rows(**changes):
    return {line[:50].strip(): line[50:].split() for line in table(RESULT | changes).splitlines()}


def test_a_score_its_error_and_that_of_real_images():
    cells = rows()
    assert cells["precision (k = 3)"] == ["50.00%", "1.23%", "87.50%"]
    assert cells["Frechet distance"] == ["9.50", "0.25"]  # Too few real images for a number of their own.
    assert "held-out real: half of these real images against the other half" in table(RESULT)


def test_the_error_of_the_classification_accuracy_score_says_what_it_leaves_out():
    names = ("", "_standard_error", "_real")
    added = {f"classification_accuracy_score{name}": 0.5 for name in names}
    assert "without the variation between trainings" in table(RESULT | added)
    assert "trainings" not in table(RESULT)


def test_copies_are_compared_with_validation_images():
    added = {"nearer_to_train": 0.56, "nearer_to_train_standard_error": 0.01, "nearer_to_train_real": 0.55}
    assert rows(**added)["nearer to train than held out"] == ["56.00%", "1.00%", "55.00%"]
    assert "nearer to train: the held-out real images are the validation images" in table(RESULT | added)
    assert "validation" not in table(RESULT)
