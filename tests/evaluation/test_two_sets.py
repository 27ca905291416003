"""Scores of any two sets of images, and the arithmetic of pytorch-fid and torch-fidelity on the same features."""

import json

import numpy as np
import pytest
from PIL import Image

from gan_jax import score
from gan_jax.data import sources
from gan_jax.data.dataset import Split
from gan_jax.evaluation import features as extractors
from gan_jax.evaluation.metrics.frechet import frechet_distance
from gan_jax.evaluation.metrics.inception_score import classifier_score
from gan_jax.evaluation.metrics.kernel import kernel_distance
from gan_jax.evaluation.metrics.prdc import precision_recall_density_coverage
from gan_jax.evaluation.two_sets import load_set, score_sets
from gan_jax.system.errors import UserError
from tests import golden
from tests.tiny import run


def two_sets_of_features(size=60, num_features=5):
    """Features [N, F] float32 of two correlated Gaussians with other means."""
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(2, num_features, num_features))
    return [(rng.normal(size=(size, num_features)) @ mix[shift] + shift).astype(np.float32) for shift in (0, 1)]


def logits():
    return np.random.default_rng(1).normal(size=(50, 7)).astype(np.float32) * 2


def of_pytorch_fid(library):
    from pytorch_fid.fid_score import calculate_frechet_distance

    moments = [part for x in two_sets_of_features() for part in (x.mean(axis=0), np.cov(x, rowvar=False))]
    return [calculate_frechet_distance(*moments)]


def of_torch_fidelity(library):
    import torch
    from torch_fidelity import metric_fid, metric_isc, metric_kid, metric_prc

    a, b = map(torch.from_numpy, two_sets_of_features())
    settings = {"kid_subsets": 1, "kid_subset_size": len(a), "verbose": False, "rng_seed": 0, "prc_batch_size": 100}
    fid = metric_fid.fid_statistics_to_metric(*map(metric_fid.fid_features_to_statistics, (a, b)), False)
    shares = metric_prc.prc_features_to_metric(a, b, prc_neighborhood=3, **settings)
    return [
        fid["frechet_inception_distance"],
        metric_kid.kid_features_to_metric(a, b, **settings)["kernel_inception_distance_mean"],
        metric_isc.isc_features_to_metric(torch.from_numpy(logits()), 1)["inception_score_mean"],
        shares["precision"],
        shares["recall"],
    ]


def test_the_frechet_distance_is_that_of_pytorch_fid():
    (expected,) = golden.numbers("pytorch_fid", "pytorch_fid", "frechet", of_pytorch_fid, rtol=1e-5)
    np.testing.assert_allclose(frechet_distance(*two_sets_of_features()), expected, rtol=1e-5)


def test_the_scores_are_those_of_torch_fidelity():
    expected = golden.numbers("torch_fidelity", "torch_fidelity", "scores", of_torch_fidelity, rtol=1e-5)
    a, b = two_sets_of_features()
    exponentials = np.exp(logits().astype(np.float64))
    shares = precision_recall_density_coverage(b, a)
    values = [
        frechet_distance(a, b),
        kernel_distance(a, b),
        classifier_score(exponentials / exponentials.sum(axis=1, keepdims=True), 1).mean,
        shares.precision,
        shares.recall,
    ]
    np.testing.assert_allclose(values, np.ravel(expected), rtol=1e-5)


@pytest.fixture
def npz(tmp_path):
    """(name, images, labels) -> the path of an .npz file."""

    def write(name, images, labels=None):
        arrays = {"images": images} | ({} if labels is None else {"labels": labels})
        np.savez(tmp_path / f"{name}.npz", **arrays)
        return str(tmp_path / f"{name}.npz")

    return write


def images(size, seed, brightness=0):
    """Images of two classes, a bright left or right half, in turn."""
    rng = np.random.default_rng(seed)
    array = rng.integers(0, 90, (size, 8, 8, 1)).astype(np.uint8)
    array[::2, :, :4] += 100 + brightness
    array[1::2, :, 4:] += 100 + brightness
    return array


LABELS = np.arange(60, dtype=np.int32) % 2


def test_pixels_of_two_sets_without_labels(npz):
    """The numbers are those of the metrics; a set without a test split is compared as a whole."""
    real, generated = images(60, 0), images(40, 1, brightness=40)
    result = score_sets(load_set(npz("real", real)), load_set(npz("generated", generated)), "pixels")
    flat = [array.reshape(len(array), -1) / np.float32(255) for array in (generated, real)]
    np.testing.assert_allclose(result["frechet_distance"], frechet_distance(*flat), rtol=1e-6)
    np.testing.assert_allclose(result["kernel_distance"], kernel_distance(*flat), rtol=1e-6)
    assert (result["num_real"], result["num_generated"], result["num_train"]) == (60, 40, 0)
    assert "nearer_to_train" not in result
    assert "conditional_accuracy" not in result


def test_a_test_split_is_compared_and_copies_of_the_training_images_are_found(npz, tmp_path):
    train = images(60, 0)
    real = str(tmp_path / "real.npz")
    np.savez(real, x_train=train, y_train=LABELS, x_test=images(40, 1), y_test=LABELS[:40])
    copies = score_sets(load_set(real), load_set(npz("copies", train)), "pixels")
    others = score_sets(load_set(real), load_set(npz("others", images(60, 2))), "pixels")
    assert (copies["num_real"], copies["num_train"]) == (40, 60)
    assert copies["nearer_to_train"] > 0.8 > 0.7 > others["nearer_to_train"]
    quick = score_sets(load_set(real), load_set(npz("others", images(60, 2))), "pixels", quick=True)
    assert "nearer_to_train" not in quick
    assert quick["frechet_distance"] == others["frechet_distance"]


def test_the_classifier_is_trained_on_the_real_labels(npz, tmp_path, monkeypatch):
    """On nine tenths of a set without a test split; conditional accuracy if the generated images have the classes."""
    trained_on = []

    def classifier(dataset, data_dir, weights, flips):
        trained_on.append(dataset.train)
        return lambda array: (
            array.reshape(len(array), -1) / np.float32(255),
            np.eye(2)[(array[:, :, 4:].mean((1, 2, 3)) > array[:, :, :4].mean((1, 2, 3))).astype(int)],
        ), "halves"

    monkeypatch.setitem(extractors.EXTRACTORS, "classifier", classifier)
    real = load_set(npz("real", images(60, 0), LABELS))
    wrong = np.where(np.arange(40) < 10, 1 - LABELS[:40], LABELS[:40])
    result = score_sets(real, load_set(npz("labelled", images(40, 1), wrong)))
    assert len(trained_on[0].labels) == 54
    assert (result["num_real"], result["num_train"], result["conditional_accuracy"]) == (6, 54, 0.75)
    assert (result["classifier_accuracy"], result["classes"]) == (1, ["0", "1"])
    result = score_sets(real, load_set(npz("unlabelled", images(40, 1))))
    assert "conditional_accuracy" not in result
    assert "classifier_score" in result
    result = score_sets(real, load_set(npz("others", images(40, 1), LABELS[:40] + 5)))
    assert "conditional_accuracy" not in result


def test_the_order_of_the_generated_classes_does_not_matter(npz, monkeypatch):
    """Labels are matched by the names of the classes: the generated set may lack the first one."""

    def always_the_first(array):
        return array[:, 0, :, 0], np.eye(2)[:1].repeat(len(array), 0)

    monkeypatch.setitem(extractors.EXTRACTORS, "classifier", lambda *arguments: (always_the_first, "first"))
    real = load_set(npz("real", images(60, 0), LABELS))
    generated = load_set(npz("ones", images(40, 1)[1::2], np.ones(20, np.int32)))
    assert score_sets(real, generated)["conditional_accuracy"] == 0


def test_num_images_chooses_at_random(npz):
    real, generated = load_set(npz("real", images(60, 0))), load_set(npz("generated", images(60, 1)))
    first, again, other = (score_sets(real, generated, "pixels", num_images=20, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first["num_generated"] == 20
    assert first["frechet_distance"] != other["frechet_distance"]
    with pytest.raises(UserError, match="--num_images=61: there are 60 generated images"):
        score_sets(real, generated, "pixels", num_images=61)


def test_every_kind_of_set_can_be_named(npz, tmp_path, idx_folder):
    array = images(20, 0)
    (tmp_path / "flat").mkdir()
    for number, image in enumerate(array):
        Image.fromarray(image[:, :, 0]).save(tmp_path / "flat" / f"{number}.png")
    (tmp_path / "arrays").mkdir()
    np.savez(tmp_path / "arrays" / "train.npz", images=array)
    for text in (tmp_path / "flat", tmp_path / "arrays", npz("file", array)):
        found = load_set(str(text)).images.images
        assert sorted(map(bytes, found)) == sorted(map(bytes, array)), text
    assert len(load_set(str(idx_folder)).images.labels) == 18
    digits = load_set("mnist_5k").splits
    assert {name: len(split.labels) for name, split in digits.items()} == {"train": 4000, "test": 1000}
    (tmp_path / "a.txt").write_text("")
    for text, message in (
        (tmp_path / "a.txt", "give a folder, a file that ends in one of .zip, .npz, .parquet, or the name"),
        (tmp_path / "nothing", "is no file and no folder of this machine"),
    ):
        with pytest.raises(UserError, match=message):
            load_set(str(text))


def test_the_command_prints_a_table_and_writes_json(npz, tmp_path, capsys):
    paths = npz("real", images(60, 0), LABELS), npz("generated", images(40, 1))
    output = tmp_path / "new" / "scores.json"
    assert run(score, *paths, "--features", "pixels", "--output", output) == 0
    out = capsys.readouterr().out
    result = json.loads(output.read_text())
    real, generated = (f"npz from .npz files in {path}" for path in paths)
    assert out.startswith(f"real {real}, generated {generated}, features pixels\n")
    assert f"{result['frechet_distance']:.2f}" in out
    assert "40 generated against 60 real images" in out
    assert result["scores_version"] == 2
    assert {"commit", "versions", "device"} <= result.keys()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--features", "pixel"), "--features='pixel' is unknown; did you mean pixels"),
        (("--output", "a.txt"), "end the name in .json"),
        (("--num_images", "1"), "must be at least 2"),
        (("--features", "inception"), "needs --inception_weights PATH"),
    ],
)
def test_mistakes_get_one_line(npz, arguments, message, capsys):
    paths = npz("real", images(20, 0)), npz("generated", images(20, 1))
    assert run(score, *paths, *arguments) == 2
    line = capsys.readouterr().err
    assert message in line
    assert line.count("\n") == 1


def test_images_of_other_sizes_are_converted_on_demand(npz, capsys):
    colour = np.random.default_rng(0).integers(0, 256, (20, 12, 12, 3)).astype(np.uint8)
    paths = npz("real", images(20, 0)), npz("generated", colour)
    assert run(score, *paths, "--features", "pixels") == 2
    assert (
        "the real images are 8 x 8 x 1, the generated ones 12 x 12 x 3 (height x width x channels); "
        "add --image_size 8 --channels 1 to convert both"
    ) in capsys.readouterr().err
    assert run(score, *paths, "--features", "pixels", "--image_size", 8, "--channels", 1) == 0


def test_the_scores_are_those_of_evaluate(finished_run, tmp_path, capsys):
    """A run's own samples, against the data set that it was trained on."""
    from gan_jax import evaluate, sample

    workdir, config = finished_run
    assert run(evaluate, "--workdir", workdir, "--features", "pixels", "--num_images", 30) == 0
    assert run(sample, "--workdir", workdir, "--num_images", 30, "--output", tmp_path / "a.npz") == 0
    output = tmp_path / "scores.json"
    assert run(score, config.data.dir, tmp_path / "a.npz", "--features", "pixels", "--output", output) == 0
    expected = json.loads((workdir / "evaluation-30_images-pixels.json").read_text())
    result = json.loads(output.read_text())
    names = ["frechet_distance", "kernel_distance", "frechet_distance_standard_error"]
    np.testing.assert_allclose([result[name] for name in names], [expected[name] for name in names], rtol=1e-6)


def test_a_set_keeps_its_own_splits_only(tmp_path):
    np.savez(tmp_path / "a.npz", images=images(60, 0), labels=LABELS)
    loaded, found = sources.load_images("npz", str(tmp_path / "a.npz"))
    assert list(loaded.splits) == ["train"]
    assert isinstance(loaded.splits["train"], Split)
    dataset = sources.load("npz", str(tmp_path / "a.npz"))
    assert (len(dataset.train.labels), len(dataset.test.labels)) == (54, 6)
