"""Labels propagated over a graph of neighbours, by dense matrices and loops of numpy."""

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
    """The same by the definition, an image at a time."""
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


def test_the_graph_is_the_published_one():
    graph = graph_of(IMAGES, 4)
    np.testing.assert_allclose(graph.toarray(), dense_graph(IMAGES, 4), atol=1e-5)
    assert (graph.diagonal() == 0).all()


def test_classes_solve_the_published_equation():
    graph = graph_of(IMAGES, 4)
    chosen, labels = np.array([3, 11, 20]), np.array([0, 3, 1])
    start = np.zeros((40, 4))
    start[chosen, labels] = 1
    mass = np.linalg.solve(np.eye(40) - 0.99 * graph.toarray(), start)
    found = propagation.propagate(graph, chosen, labels, 4)
    np.testing.assert_array_equal(found, mass.argmax(axis=1))
    assert found.dtype == np.int32
    assert set(found) == {0, 1, 3}, "a class without a labelled image is given to none"


def test_what_cannot_be_reached_has_no_class():
    # Two heaps so far apart, and so few neighbours, that nothing ties them together.
    images = np.repeat(np.array([0, 255], np.uint8), 5).reshape(10, 1, 1, 1)
    graph = graph_of(images, 2)
    np.testing.assert_array_equal(propagation.propagate(graph, np.array([1]), np.array([1]), 2), [1] * 5 + [-1] * 5)


@pytest.mark.parametrize("size", [2, 3, 12])
def test_copies_and_few_images_leave_the_graph_finite(size):
    graph = graph_of(np.zeros((size, 2, 2, 1), np.uint8))
    assert np.isfinite(graph.toarray()).all()
    assert (graph.diagonal() == 0).all()
    np.testing.assert_array_equal(propagation.propagate(graph, np.array([0]), np.array([1]), 2), np.ones(size))


def test_neighbours_are_found_once_and_damage_is_named(tmp_path, monkeypatch):
    plain = graph_of(IMAGES)
    first = propagation.neighbour_graph(IMAGES, str(tmp_path))
    np.testing.assert_allclose(first.toarray(), plain.toarray(), rtol=1e-6)
    find, asked = propagation.nearest, []
    monkeypatch.setattr(propagation, "nearest", lambda *words: asked.append(words) or find(*words))
    np.testing.assert_array_equal(propagation.neighbour_graph(IMAGES, str(tmp_path)).toarray(), first.toarray())
    assert not asked
    propagation.neighbour_graph(255 - IMAGES, str(tmp_path))
    assert len(asked) == 1, "other images have other neighbours"
    for damage in (lambda path: path.write_bytes(path.read_bytes()[:50]), lambda path: np.savez(path, other=1)):
        for path in (tmp_path / "neighbours").iterdir():
            damage(path)
        with pytest.raises(DataUnavailable, match=r"cached neighbours .*\.npz is damaged .*; delete it and run again"):
            propagation.neighbour_graph(IMAGES, str(tmp_path))


def test_only_what_is_left_to_train_asks_for_neighbours(config, tmp_path, monkeypatch):
    few = {"data.num_labels": 3, "d_loss.classification": 1.0, "d_loss.propagated_label": 1.0}
    few |= {"discriminator.head": "class", "discriminator.conditioning": "none", "generator.conditioning": "none"}
    configs.override(config, few | {"num_seeds": 2})
    wrong = config.copy_and_resolve_references()
    wrong.data.num_labels = 13
    with pytest.raises(UserError, match="data.num_labels=13: choose a number from 3, one per class, to 12, or 0"):
        session.train(wrong, str(tmp_path / "run"), str(tmp_path))
    assert not (tmp_path / "run").exists(), "a refusal leaves nothing"
    session.train(config, str(tmp_path / "run"), str(tmp_path))
    monkeypatch.setattr(propagation, "nearest", None)
    (tmp_path / "neighbours").rename(tmp_path / "gone")
    session.train(config, str(tmp_path / "run"), str(tmp_path))


def test_an_image_that_is_near_to_copies_alone_is_not_reached():
    images = np.zeros((13, 2, 2, 1), np.uint8)
    images[12] = 9
    graph = graph_of(images, 3)
    assert np.isfinite(graph.toarray()).all()
    np.testing.assert_array_equal(propagation.propagate(graph, np.array([0]), np.array([1]), 2)[12], -1)


def test_the_command_counts_wrong_labels_for_each_draw(digits, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(recipes, "NUM_VALIDATION", 10)
    words = [f"--idx={digits}", f"--output={tmp_path / 'out'}", f"--data_dir={tmp_path}"]
    assert run(propagated, "--labels=2,50", "--draws=2", *words) == 0
    lines = (tmp_path / "out" / propagated.PAGE).read_text().splitlines()
    assert lines[-2:] == ["| 2 | 0.0% ± 0.0% | 0.0%, 0.0% |", "| 50 | 0.0% ± 0.0% | 0.0%, 0.0% |"], "halves far apart"
    assert "among the 50 training images" in lines[2]
    for wrong, told in (("--labels=all", "labels are propagated from few"), ("--draws=0", "must be at least 1")):
        assert run(propagated, wrong, *words) == 2
        assert told in capsys.readouterr().err


def test_shares_are_of_wrong_labels(config, monkeypatch):
    labels = np.arange(12) % 2
    split = Split(np.zeros((12, 2, 2, 1), np.uint8), labels)
    seen = lambda dataset, number, draw, graph: Batch(split.images, np.where(np.arange(12) <= draw, 9, labels))  # noqa: E731
    monkeypatch.setattr(propagated, "few_labels", seen)
    assert propagated.shares(config, Dataset("a", Source("b"), "a", split, split, ("0", "1")), None, 3) == [
        1 / 12,
        2 / 12,
        3 / 12,
    ]
