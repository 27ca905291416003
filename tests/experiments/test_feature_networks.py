"""experiments.feature_networks: the linear classifier, the changed images, the command, and the published tables."""

import io
import math
import pathlib
import re
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from experiments.feature_networks import __main__ as command
from experiments.feature_networks import linear_probe, orders, report, sides
from experiments.feature_networks.linear_probe import Labelled, probe
from gan_jax.data import sources
from gan_jax.evaluation import efficientnet_weights, published_weights
from gan_jax.evaluation.efficientnet import SIDE, EfficientNetFeatures, template
from gan_jax.system.files import read_sealed
from tests.data.picture_files import write_zip
from tests.evaluation import efficientnet_oracle
from tests.tiny import run

RECORD, PAGE = pathlib.Path("experiments/results") / command.FILE, pathlib.Path("docs/scores.md")


def png(seed, brightness, side=8):
    stream = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 60, (side, side, 3)) + brightness
    Image.fromarray(pixels.astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def members(train=6, test=9):
    """Dark cats and bright dogs."""
    return {
        f"{split}/{name}/{index}.png": png(index + 1000 * (split == "test"), 150 * (name == "dog"))
        for split, count in (("train", train), ("test", test))
        for name in ("cat", "dog")
        for index in range(count)
    }


def load(folder, files):
    """The data set of these members of an archive."""
    return sources.load("folder", str(write_zip(folder / "a.zip", files)), data_dir=str(folder / "cache"))


def test_the_linear_classifier_equals_ridge_regression_in_its_primal_form(monkeypatch):
    monkeypatch.setattr(linear_probe, "PENALTIES", (0.3,))
    rng = np.random.default_rng(0)
    fit, validation, test = (Labelled(rng.normal(2, 3, (size, 7)), rng.integers(0, 3, size)) for size in (40, 50, 60))
    scale = lambda features: (features - fit.features.mean(0)) / fit.features.std(0)  # noqa: E731
    x, y = scale(fit.features), np.eye(3)[fit.labels]
    weights = np.linalg.solve(x.T @ x + 0.3 * 7 * np.eye(7), x.T @ (y - y.mean(0)))
    predicted = (scale(test.features) @ weights + y.mean(0)).argmax(1)
    assert probe(fit, validation, test).test == (predicted == test.labels).mean()


def test_the_penalty_is_chosen_on_the_validation_images_alone():
    """With other labels of the test images, the penalty and the validation accuracy stay the same."""
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3
    features = rng.normal(size=(90, 200)) + np.eye(3, 200)[labels] * 3
    fit, validation, test = (Labelled(features[part::3], labels[part::3] * 0 + labels[:30]) for part in range(3))
    first = probe(fit, validation, test)
    second = probe(fit, validation, test._replace(labels=(test.labels + 1) % 3))
    assert first.penalty == second.penalty
    assert first.validation == second.validation


def test_separable_classes_and_noise():
    rng, labels = np.random.default_rng(0), np.arange(300) % 3
    signal = np.eye(3, 20)[labels] * 8 + rng.normal(size=(300, 20))
    parts = lambda features: [Labelled(features[i : i + 100], labels[i : i + 100]) for i in (0, 100, 200)]  # noqa: E731
    assert probe(*parts(signal)).test > 0.95
    assert probe(*parts(rng.normal(size=(300, 20)))).test < 0.55


def test_the_images_of_the_linear_classifier_are_disjoint(tmp_path, monkeypatch):
    dataset = load(tmp_path, members(train=10, test=10))
    for name, number in (("NUM_FIT", 8), ("NUM_VALIDATION", 6), ("NUM_TEST", 4)):
        monkeypatch.setattr(sides, name, number)
    fit, validation, test = sides.probe_splits(dataset)
    rows = [{image.tobytes() for image in split.images} for split in (fit, validation, test)]
    assert [len(part) for part in rows] == [8, 6, 4]
    assert not rows[0] & rows[1]
    assert rows[2] <= {image.tobytes() for image in dataset.test.images}
    assert [split.labels.sum() for split in (fit, validation, test)] == [4, 3, 2]


def test_the_changes_of_images():
    point = np.zeros((1, 21, 21, 3), np.uint8)
    point[0, 10, 10] = 255
    blurred = orders.blur(point, 1.0)[0, ..., 0]
    assert blurred[10, 10] == pytest.approx(255 / (2 * np.pi), abs=1)
    assert blurred[10, 11] == blurred[9, 10] == pytest.approx(255 / (2 * np.pi) * np.exp(-0.5), abs=1)
    grey = np.full((4, 32, 32, 3), 128, np.uint8)
    noise = orders.add_noise(grey, 5.0).astype(float) - 128
    assert noise.std() == pytest.approx(5, rel=0.05)
    assert abs(noise.mean()) < 0.3


def test_the_sets_are_of_equal_size_and_the_real_ones_disjoint(tmp_path):
    dataset = load(tmp_path, members())
    runs = [
        SimpleNamespace(step=step, generate=lambda labels: np.full((len(labels), 8, 8, 3), 7)) for step in (1000, 2)
    ]
    sets = orders.image_sets(dataset, 6, runs)
    assert list(sets)[-2:] == ["generated, step 1,000", "generated, step 2"]
    assert sets["generated, step 2"][0].shape == (6, 8, 8, 3)
    assert {len(images) for part in sets.values() for images in part} == {6}
    assert len({image.tobytes() for images in sets[orders.REAL] for image in images}) == 18
    (of_one_class,) = sets["1 of 2 classes"]
    assert of_one_class.max() < 150


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore")
def test_the_command_writes_a_record_and_keeps_the_other_part(tmp_path, monkeypatch, quick_classifier, capsys):
    variables = published_weights.to_variables(efficientnet_oracle.random_tensors(), template())
    monkeypatch.setattr(efficientnet_weights, "load_variables", lambda: variables)
    for name in ("NUM_FIT", "NUM_VALIDATION", "NUM_TEST"):
        monkeypatch.setattr(sides, name, 6)
    archive = write_zip(tmp_path / "a.zip", members())
    arguments = (f"--images={archive}", f"--output={tmp_path / 'out'}", f"--data_dir={tmp_path / 'cache'}")
    assert run(command, *arguments, "--parts=accuracies,speeds", "--sides=32", "--num_images=6", "--name=pets") == 0
    assert run(command, *arguments, "--parts=orders", "--features=pixels,classifier", "--num_images=6") == 0
    record = read_sealed(tmp_path / "out" / command.FILE)
    pixels, network = record["accuracies"]["rows"]
    assert (pixels["test"], network["side"], record["accuracies"]["data"]) == (1.0, 32, "pets")
    (speed,) = record["speeds"]["rows"]
    assert speed["side"] == 32
    assert speed["images_per_second"] > 0 < speed["cpu_seconds_per_image"]
    columns = record["orders"]["columns"]
    assert [column["extractor"] for column in columns] == ["pixels", "classifier"]
    real, fewer, *_ = columns[0]["sets"]
    assert (real["set"], fewer["set"]) == (orders.REAL, "1 of 2 classes")
    assert fewer["frechet_distance"][0] > 2 * np.mean(real["frechet_distance"])
    assert report.tables(record) in capsys.readouterr().out
    assert str(tmp_path) not in (tmp_path / "out" / command.FILE).read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--features=pixel"], "did you mean pixels"),
        (["--features=inception"], "is unknown"),
        (["--parts=order"], "did you mean orders"),
        (["--sides=big"], "--sides=big: whole numbers from 32"),
        (["--num_images=1"], "--num_images=1: must be at least 2"),
        (["--num_images=7"], "--num_images=7: at most 6, a third of the test images"),
    ],
)
def test_wrong_arguments(arguments, message, tmp_path, capsys):
    archive = write_zip(tmp_path / "a.zip", members())
    assert run(command, f"--images={archive}", f"--output={tmp_path / 'out'}", *arguments) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def record():
    """The published record."""
    return read_sealed(RECORD)


def test_the_published_tables_are_those_of_the_record(record):
    """docs/scores.md has the tables and the conditions of the record, which is of the side in use."""
    page = PAGE.read_text()
    assert report.sides_table(record["accuracies"], record["speeds"]) in page
    assert report.orders_table(record["orders"]) in page
    for part in record.values():
        assert report.conditions(part).removesuffix(".") in re.sub(r"\s+", " ", page)
    assert record["orders"]["columns"][0]["features"] == EfficientNetFeatures({}).name


def test_the_side_follows_from_the_record(record):
    """It is the smallest one whose validation accuracy is within a standard error of the best."""
    sides_of = {row["side"]: row["validation"] for row in record["accuracies"]["rows"] if "side" in row}
    best = max(sides_of.values())
    error = math.sqrt(best * (1 - best) / record["accuracies"]["num_validation"])
    assert min(side for side, accuracy in sides_of.items() if accuracy >= best - error) == SIDE


def test_the_prose_about_the_distances_follows_from_the_record(record):
    """Standard deviations from the real test images, by the kernel distance."""
    deviations = {}
    for column in record["orders"]["columns"]:
        real, *changed = (part["kernel_distance"] for part in column["sets"])
        values = [(part[0] - np.mean(real)) / np.std(real, ddof=1) for part in changed]
        deviations[column["extractor"]] = values
    assert min(deviations["imagenet"]) > 30
    for name in ("thumbnails", "pixels"):
        classes, *blur_and_noise, early, late = deviations[name]
        assert classes > 8
        assert min(early, late) > 4
        assert max(map(abs, blur_and_noise)) < 1
    classes, _, _, faint_noise, *_ = deviations["imagenet"]
    assert faint_noise > 10 * classes


def test_the_prose_about_generated_images_follows_from_the_record(record):
    names = ["real", "classes", "weak blur", "blur", "weak noise", "noise", "early", "late"]
    distances = {
        column["extractor"]: dict(zip(names, (np.mean(row["frechet_distance"]) for row in column["sets"]), strict=True))
        for column in record["orders"]["columns"]
    }
    assert set(distances) == {"imagenet", "classifier", "thumbnails", "pixels"}
    assert all(of["late"] < of["early"] for of in distances.values())
    of = distances["classifier"]
    assert of["late"] < min(of["blur"], of["noise"])
    assert of["late"] == pytest.approx(of["classes"], rel=0.05)
    of = distances["imagenet"]
    assert of["late"] > max(of[name] for name in names if name not in ("early", "late"))
