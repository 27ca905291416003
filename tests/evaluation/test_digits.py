"""The fixed classifier of MNIST's digits: for which data it is, and what it recognises."""

import json

import numpy as np
import pytest

from gan_jax.data.dataset import Split, hold_out
from gan_jax.evaluation import digits, features
from tests.tiny import mnist_5k


def accuracy(classifier, split):
    return np.mean(classifier(split.images)[1].argmax(axis=1) == split.labels)


def test_mnist_5k_is_scored_by_the_fixed_classifier(monkeypatch):
    record = json.loads(digits.PATH.with_suffix(".json").read_text())
    trained, name = features.classifier(hold_out(mnist_5k(), 500))
    assert name == f"classifier-mnist-{record['weights']}"
    # Another processor rounds differently, which can change an image or two of the 1,000.
    assert accuracy(trained, mnist_5k().test) == pytest.approx(record["accuracy_mnist_5k_test"], abs=0.0021)
    # A config that asks for mirrored images gets a classifier that is trained for it.
    monkeypatch.setattr(features, "cached_classifier", lambda *arguments: "trained now")
    assert features.classifier(mnist_5k(), "", "always") == "trained now"


def test_it_was_trained_on_no_test_image():
    arrays = digits._file()
    trained, others = arrays["trained_hashes"], arrays["other_hashes"]
    assert (len(trained), len(others)) == (59_000, 11_000)
    dataset = mnist_5k()
    assert not np.isin(digits.image_hashes(*dataset.test), trained).any()
    assert np.isin(digits.image_hashes(*dataset.test), others).all()
    assert np.isin(digits.image_hashes(*dataset.train), trained).all()


def of_classes(dataset, *chosen):
    """The data set of some of the classes, with labels 0, 1, ..."""
    splits = {}
    for name in ("train", "test"):
        split = getattr(dataset, name)
        rows = np.isin(split.labels, chosen)
        splits[name] = Split(split.images[rows], np.searchsorted(chosen, split.labels[rows]).astype(np.int32))
    return dataset._replace(**splits, class_names=tuple(map(str, chosen)))


def test_of_some_classes_it_knows_no_others():
    dataset = of_classes(mnist_5k(), 3, 8)
    classifier = digits.fixed_classifier(dataset)
    _, probabilities = classifier(dataset.test.images)
    assert probabilities.shape == (200, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert accuracy(classifier, dataset.test) > 0.98
    assert classifier.digest == digits.fixed_classifier(mnist_5k()).digest


def changed(split, **arrays):
    """The split with another last image or label."""
    images, labels = split.images.copy(), split.labels.copy()
    images[-1, 0, 0, 0] += arrays.get("pixel", 0)
    labels[-1] = arrays.get("label", labels[-1])
    return Split(images, labels)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda d: d._replace(train=changed(d.train, pixel=1)), id="another image"),
        pytest.param(lambda d: d._replace(test=changed(d.test, pixel=1)), id="another test image"),
        pytest.param(lambda d: d._replace(train=changed(d.train, label=0)), id="another label"),
        pytest.param(lambda d: d._replace(train=d.test, test=d.train), id="test images that it was trained on"),
        pytest.param(lambda d: d._replace(validation=changed(d.test, label=0)), id="another validation image"),
        pytest.param(lambda d: d._replace(class_names=tuple("abcdefghij")), id="other classes"),
        pytest.param(lambda d: d._replace(class_names=()), id="no labels"),
    ],
)
def test_it_is_for_no_other_images(change):
    assert digits.fixed_classifier(mnist_5k()) is not None
    assert digits.fixed_classifier(change(mnist_5k())) is None
