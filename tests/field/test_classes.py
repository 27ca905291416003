"""Labels as people's own data have them."""

import dataclasses
import json

import numpy as np
import pytest

from gan_jax import evaluate, sample
from gan_jax.analysis.arithmetic import arithmetic
from gan_jax.analysis.latent import class_interpolation, truncation
from gan_jax.analysis.map import feature_map
from gan_jax.analysis.neighbours import neighbours
from gan_jax.analysis.spectrum import spectrum
from gan_jax.analysis.subject import NotApplicable
from gan_jax.data import sources
from gan_jax.data.classes import index_classes
from gan_jax.data.dataset import Split, hold_out
from gan_jax.evaluation.thumbnails import thumbnails
from gan_jax.runs.dataset import class_names
from gan_jax.runs.workdir import Workdir
from gan_jax.system import config as configs
from gan_jax.system.errors import DataUnavailable, UserError
from gan_jax.training import session
from tests.analysis.subjects import linear_generator, subject_of
from tests.field.folders import write_folder
from tests.tiny import run

# TensorFlow's own imports warn about things that are not ours.
pytestmark = pytest.mark.filterwarnings("ignore")

SIDES = (9, 9)


# tensorflow/datasets 2579: labels that are not 0 to K - 1.
@pytest.mark.thorough
def test_classes_are_the_labels_of_the_training_images(config, tmp_path, capsys):
    folder = write_folder(tmp_path / "data", train=(12, SIDES, [7, 3]), test=(6, SIDES, [3, 7, 7]))
    path, output = tmp_path / "run", tmp_path / "samples.npz"
    configs.override(config, {"data.dir": folder})
    session.train(config, str(path))
    data = Workdir(str(path)).run()["data"]
    assert (data["classes"], data["num_classes"], "notes" in data) == (["3", "7"], 2, False)
    assert run(sample, "--workdir", path, "--labels", "7,3,7", "--output", output) == 0
    arrays = np.load(output)
    assert (arrays["labels"].tolist(), arrays["class_names"].tolist()) == ([7, 3, 7], ["3", "7"])
    assert run(sample, "--workdir", path, "--labels", "3,1", "--output", output) == 2
    assert "'1' is not a class; the classes are 3, 7" in capsys.readouterr().err
    assert run(sample, "--workdir", path, "--num_images", 2, "--output", f"{tmp_path / 'images'}/") == 0
    assert sorted(file.name for file in (tmp_path / "images").iterdir()) == ["000000-class-3.png", "000001-class-7.png"]


def test_usual_labels_stay_as_they_are():
    split = Split(np.zeros((6, 2, 2, 1), np.uint8), np.array([2, 0, 1, 2, 0, 1], np.int32))
    splits, names, notes = index_classes({"train": split, "test": split.select(np.arange(2))})
    assert splits["train"] is split
    assert (splits["test"].labels.tolist(), names, notes) == ([2, 0], ("0", "1", "2"), [])
    other = split._replace(labels=split.labels * 3 + 1)
    mapped, names, _ = index_classes({"train": other, "test": other})
    assert (mapped["train"].labels.tolist(), mapped["train"].labels.dtype) == (split.labels.tolist(), np.int32)
    assert names == ("1", "4", "7")


def test_a_run_that_did_not_record_its_classes_has_numbers():
    assert class_names({"num_classes": 3}) == ("0", "1", "2")
    assert class_names({"num_classes": 2, "classes": ["3", "7"]}) == ("3", "7")


# snap-stanford/ogb 299: classes that only the test images have.
@pytest.mark.thorough
def test_test_images_of_other_classes_are_left_out_and_said(config, tmp_path, caplog):
    folder = write_folder(tmp_path / "data", train=(15, SIDES, range(5)), test=(20, SIDES, range(10)))
    configs.override(config, {"data.dir": folder, "num_steps": 1})
    session.train(config, str(tmp_path / "run"))
    note = "10 test images are left out, because no training image has their class: 5 (2), 6 (2), 7 (2), 8 (2), 9 (2)"
    assert caplog.messages.count(note) == 1
    data = Workdir(str(tmp_path / "run")).run()["data"]
    assert (data["notes"], data["num_test"], data["num_classes"]) == ([note], 10, 5)


def test_a_test_split_of_other_classes_alone_is_refused(tmp_path):
    folder = write_folder(tmp_path / "data", train=(15, SIDES, range(5)), test=(20, SIDES, [5, 6]))
    with pytest.raises(DataUnavailable, match="the training images have 0, 1, 2, 3, 4, the test images 5, 6; give"):
        sources.load("idx", folder)


def test_images_without_a_label_are_refused():
    split = Split(np.zeros((3, 2, 2, 1), np.uint8), np.array([0, -1, -1], np.int32))
    with pytest.raises(DataUnavailable, match="training images without a label: 2"):
        index_classes({"train": split, "test": split})


def test_every_class_keeps_a_training_image(tmp_path):
    folder = write_folder(tmp_path / "data", train=(20, SIDES, [0] * 17 + [1, 2, 2]), test=(6, SIDES, range(3)))
    part = hold_out(sources.load("idx", folder), 17)
    assert np.bincount(part.train.labels).tolist() == [1, 1, 1]
    assert np.bincount(part.validation.labels).tolist() == [16, 0, 1]
    with pytest.raises(UserError, match="num_validation=18: between 2 and 17 .* every class keeps one"):
        hold_out(sources.load("idx", folder), 18)
    folder = write_folder(tmp_path / "one", train=(5, SIDES, range(5)), test=(5, SIDES, range(5)))
    with pytest.raises(UserError, match=r"set --config.data.num_validation=0 --config.eval.every_steps=0"):
        hold_out(sources.load("idx", folder), 2)


# StudioGAN 32: a folder of one class.
@pytest.mark.thorough
def test_one_class_is_scored_without_a_classifier(config, tmp_path, caplog, capsys):
    folder = write_folder(tmp_path / "data", train=(40, SIDES, [1]), test=(20, SIDES, [1]))
    changes = {"data.num_validation": 12, "eval.every_steps": 4, "eval.num_images": 12, "eval.at_end_num_images": 12}
    configs.override(config, {"data.dir": folder, "eval.at_end": True, **changes})
    path, cache = tmp_path / "run", tmp_path / "cache"
    session.train(config, str(path), str(cache))
    assert "a classifier needs two or more classes, so the scores use thumbnails" in caplog.text
    assert "--features imagenet" in caplog.text
    assert not (cache / "classifiers").exists()
    rows = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    scored = [row for row in rows if "validation_frechet_distance" in row]
    assert len(scored) == 2
    assert not [row for row in scored if "validation_conditional_accuracy" in row]
    assert run(evaluate, "--workdir", path, "--num_images", 12, "--data_dir", cache) == 0
    printed = capsys.readouterr().out
    assert "features thumbnails-16" in printed
    assert "a classifier needs two or more classes" in printed
    assert "accuracy" not in printed
    command = ("--workdir", path, "--num_images", 12, "--data_dir", cache, "--train_on_generated")
    assert run(evaluate, *command) == 2
    assert "all images have one class" in capsys.readouterr().err


def test_thumbnails_are_means():
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 8, 2), np.uint8)
    means = images.reshape(3, 16, 2, 8, 2).mean(axis=2).reshape(3, -1) / 255
    np.testing.assert_allclose(thumbnails(images)[0], means, rtol=1e-5)
    odd = np.full((1, 40, 17, 3), 255, np.uint8)
    assert thumbnails(odd)[0].shape == (1, 16 * 16 * 3)
    np.testing.assert_allclose(thumbnails(odd)[0], 1, rtol=1e-5)


# Many classes of one image each.
def test_analyses_that_need_more_images_or_classes_say_so(tmp_path):
    with pytest.raises(NotApplicable, match="no class has two of the 3 generated images; raise --num_images"):
        arithmetic(subject_of(linear_generator, num_images=3), tmp_path)
    subject = subject_of(linear_generator, num_images=3)
    subject = dataclasses.replace(subject, dataset=subject.dataset._replace(class_names=("1",)))
    with pytest.raises(NotApplicable, match="there is one class only"):
        class_interpolation(subject, tmp_path)


# A test split of one image.
def test_analyses_of_one_test_image(tmp_path):
    subject = subject_of(linear_generator, num_images=50)
    one = subject.dataset._replace(test=subject.dataset.test.select(np.arange(1)))
    subject = dataclasses.replace(subject, dataset=one)
    for analysis in (truncation, feature_map):
        with pytest.raises(NotApplicable, match="two test images"):
            analysis(subject, tmp_path)
    for analysis in (neighbours, spectrum):
        assert analysis(subject, tmp_path)["num_test"] == 1
