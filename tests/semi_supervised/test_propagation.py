"""Label propagation over a nearest-neighbour graph, against dense matrices and loops in numpy."""

import numpy as np
import pytest

from experiments.semi_supervised import propagated, recipes
from gan_jax.data.dataset import Dataset, Source, Split
from gan_jax.gan.types import Batch
from gan_jax.semi_supervised import propagation
from gan_jax.system import config as configs
from gan_jax.system.errors import DataUnavailable, UserError
from gan_jax.training import session
from tests.tiny import run

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (40, 3, 3, 1)).astype(np.uint8)


def graph_of(images, number=propagation.NUM_NEIGHBOURS):
    """The graph without a cache."""
    return propagation.weighted_graph(*propagation.nearest(images, number))


def dense_graph(images, number):
    """The same graph by its definition, one image at a time."""
    points = images.reshape(len(images), -1) / 255.0
    distances = np.sqrt(((points[:, None] - points[None]) ** 2).sum(axis=-1))
    np.fill_diagonal(distances, np.inf)
    scale = np.sort(distances, axis=1)[:, number - 1]
    weights = np.zeros_like(distances)
    for i, row in enumerate(distances):
        for j in np.argsort(row)[:number]:
            weights[i, j] = weights[j, i] = np.exp(-(row[j] ** 2) / (scale[i] * scale[j]))
    degree = weights.sum(axis=1)
    return weights / np.sqrt(degree[:, None] * degree[None])


def test_the_graph_equals_the_published_one():
    graph = graph_of(IMAGES, 4)
    np.testing.assert_allclose(graph.toarray(), dense_graph(IMAGES, 4), atol=1e-5)
    assert (graph.diagonal() == 0).all()


def test_classes_solve_the_published_equation():
    graph = graph_of(IMAGES, 4)
    chosen, labels = np.array([3, 11, 20]), np.array([0, 3, 1])
    start = np.zeros((40, 4))
    start[chosen, labels] = 1
    mass = np.linalg.solve(np.eye(40) - 0.99 * graph.toarray(), start)
    classes = propagation.propagate(graph, chosen, labels, 4)
    np.testing.assert_array_equal(classes, mass.argmax(axis=1))
    assert classes.dtype == np.int32
    assert set(classes) == {0, 1, 3}, "no image gets a class that has no labelled image"


def test_an_image_that_cannot_be_reached_has_no_class():
    # Two clusters that are far apart. With two neighbours per image, no edge connects them.
    images = np.repeat(np.array([0, 255], np.uint8), 5).reshape(10, 1, 1, 1)
    graph = graph_of(images, 2)
    np.testing.assert_array_equal(propagation.propagate(graph, np.array([1]), np.array([1]), 2), [1] * 5 + [-1] * 5)


@pytest.mark.parametrize("size", [2, 3, 12])
def test_the_graph_of_copies_or_few_images_is_finite(size):
    graph = graph_of(np.zeros((size, 2, 2, 1), np.uint8))
    assert np.isfinite(graph.toarray()).all()
    assert (graph.diagonal() == 0).all()
    np.testing.assert_array_equal(propagation.propagate(graph, np.array([0]), np.array([1]), 2), np.ones(size))


def test_neighbours_are_computed_once_and_a_damaged_cache_is_named(tmp_path, monkeypatch):
    uncached = graph_of(IMAGES)
    first = propagation.neighbour_graph(IMAGES, str(tmp_path))
    np.testing.assert_allclose(first.toarray(), uncached.toarray(), rtol=1e-6)
    find, calls = propagation.nearest, []
    monkeypatch.setattr(propagation, "nearest", lambda *arguments: calls.append(arguments) or find(*arguments))
    np.testing.assert_array_equal(propagation.neighbour_graph(IMAGES, str(tmp_path)).toarray(), first.toarray())
    assert not calls
    propagation.neighbour_graph(255 - IMAGES, str(tmp_path))
    assert len(calls) == 1, "other images have other neighbours"
    for damage in (lambda path: path.write_bytes(path.read_bytes()[:50]), lambda path: np.savez(path, other=1)):
        for path in (tmp_path / "neighbours").iterdir():
            damage(path)
        with pytest.raises(DataUnavailable, match=r"cached neighbours .*\.npz is damaged .*; delete it and run again"):
            propagation.neighbour_graph(IMAGES, str(tmp_path))


@pytest.mark.thorough
def test_neighbours_are_computed_only_if_training_remains(config, tmp_path, monkeypatch):
    few_labels = {"data.num_labels": 3, "d_loss.classification": 1.0, "d_loss.propagated_label": 1.0}
    few_labels |= {
        "discriminator.head": "class",
        "discriminator.conditioning": "none",
        "generator.conditioning": "none",
    }
    configs.override(config, few_labels | {"num_seeds": 2})
    wrong = config.copy_and_resolve_references()
    wrong.data.num_labels = 13
    with pytest.raises(UserError, match="data.num_labels=13: choose a number from 3, one per class, to 12, or 0"):
        session.train(wrong, str(tmp_path / "run"), str(tmp_path))
    assert not (tmp_path / "run").exists(), "a refusal leaves nothing"
    session.train(config, str(tmp_path / "run"), str(tmp_path))
    monkeypatch.setattr(propagation, "nearest", None)
    (tmp_path / "neighbours").rename(tmp_path / "gone")
    session.train(config, str(tmp_path / "run"), str(tmp_path))


def test_an_image_whose_neighbours_are_copies_is_not_reached():
    images = np.zeros((13, 2, 2, 1), np.uint8)
    images[12] = 9
    graph = graph_of(images, 3)
    assert np.isfinite(graph.toarray()).all()
    np.testing.assert_array_equal(propagation.propagate(graph, np.array([0]), np.array([1]), 2)[12], -1)


def test_the_command_counts_wrong_labels_for_each_label_subset(digits, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(recipes, "NUM_VALIDATION", 10)
    arguments = [f"--idx={digits}", f"--output={tmp_path / 'out'}", f"--data_dir={tmp_path}"]
    assert run(propagated, "--labels=2,50", "--draws=2", *arguments) == 0
    lines = (tmp_path / "out" / "propagated.md").read_text().splitlines()
    assert lines[-2:] == ["| 2 | 0.0% ± 0.0% | 0.0%, 0.0% |", "| 50 | 0.0% ± 0.0% | 0.0%, 0.0% |"], "halves far apart"
    assert "among the 50 training images" in lines[2]
    for wrong, message in (("--labels=all", "labels are propagated from few"), ("--draws=0", "must be at least 1")):
        assert run(propagated, wrong, *arguments) == 2
        assert message in capsys.readouterr().err


def test_shares_are_of_wrong_labels(config, monkeypatch):
    labels = np.arange(12) % 2
    split = Split(np.zeros((12, 2, 2, 1), np.uint8), labels)
    fake = lambda dataset, number, draw, graph: Batch(split.images, np.where(np.arange(12) <= draw, 9, labels))  # noqa: E731
    monkeypatch.setattr(propagated, "few_labels", fake)
    dataset = Dataset("a", Source("b"), "a", split, split, ("0", "1"))
    assert propagated.shares(config, dataset, None, 3) == [1 / 12, 2 / 12, 3 / 12]
