"""What people do first: train on a folder of their own images."""

import shutil

import numpy as np
import pytest
from PIL import Image

from gan_jax import main, sample
from gan_jax.data import __main__ as look
from gan_jax.data.duplicates import near_duplicates
from gan_jax.runs.workdir import Workdir
from tests.data.picture_files import noise, write_classes, write_images, zip_folder
from tests.tiny import run

# TensorFlow's own imports warn about things that are not ours.
pytestmark = pytest.mark.filterwarnings("ignore")

PLAYERS = ("generator", "discriminator")
SHORT = (
    *("--config.num_epochs=0", "--config.num_steps=4", "--config.batch_size=4", "--config.d_steps=1"),
    *("--config.eval.every_steps=0", "--config.eval.at_end=false", "--config.generator.widths=8,8"),
    *("--config.discriminator.widths=8,8", "--config.data.name=folder"),
)


@pytest.fixture
def train(tmp_path):
    """(config, path of the images, *more) -> exit code; the workdir is `run`."""

    def train_in(config, path, *more):
        folders = ("--workdir", tmp_path / "run", "--data_dir", tmp_path / "cache", f"--config.data.dir={path}")
        return run(main, "--config", f"configs/{config}.py", *SHORT, *folders, *more)

    return train_in


@pytest.mark.thorough
def test_classes_are_the_folders_in_every_command(train, tmp_path, capsys):
    images = write_classes(tmp_path / "pets", ["dog", "cat"], 30)
    assert train("cgan", images) == 0
    data = Workdir(str(tmp_path / "run")).run()["data"]
    assert (data["used"], data["classes"], data["source_folder"]) == ("folder", ["cat", "dog"], str(images))
    assert data["num_validation"] == (data["num_validation"] + data["num_train"]) // 5
    output = tmp_path / "samples.npz"
    assert run(sample, "--workdir", tmp_path / "run", "--labels", "dog,cat", "--output", output) == 0
    arrays = np.load(output)
    assert (arrays["labels"].tolist(), arrays["class_names"].tolist()) == ([1, 0], ["cat", "dog"])
    assert run(sample, "--workdir", tmp_path / "run", "--labels", "dgo", "--output", output) == 2
    assert "'dgo' is not a class; the classes are cat, dog" in capsys.readouterr().err
    # The same images, elsewhere or packed.
    moved = shutil.move(images, tmp_path / "moved")
    more = ("--config.num_steps=6", "--config.data.resize=crop")
    assert train("cgan", zip_folder(moved, tmp_path / "pets.zip"), *more) == 0
    assert Workdir(str(tmp_path / "run")).run()["step"] == 6
    write_images(moved / "cat", 5, start=900)
    assert train("cgan", moved, *more) == 4
    assert "which has other images" in capsys.readouterr().err


@pytest.mark.thorough
def test_images_without_labels_need_an_unconditional_config(train, tmp_path, capsys):
    images = write_images(tmp_path / "flat", 40)
    assert train("cgan", images) == 2
    error = capsys.readouterr().err
    assert "have no labels, which generator.conditioning=" in error
    assert "--config dcgan," in error
    assert not (tmp_path / "run").exists()
    assert train("cgan", images, *(f"--config.{player}.conditioning=none" for player in PLAYERS)) == 0
    assert Workdir(str(tmp_path / "run")).run()["data"]["classes"] == []
    output = tmp_path / "samples.png"
    assert run(sample, "--workdir", tmp_path / "run", "--num_images", 9, "--output", output) == 0
    assert Image.open(output).size == (28, 28)
    assert run(sample, "--workdir", tmp_path / "run", "--labels", "0", "--output", output) == 2


def test_a_look_before_training(tmp_path, capsys):
    images = write_classes(tmp_path / "images", ["a", "b"], 20, height=32, width=40)
    write_images(images / "test" / "c", 1)
    for split, index in (("train", 0), ("test", 3)):
        write_classes(tmp_path / "sets" / split, ["a", "b"], 4, height=32, width=32)
        Image.fromarray(noise(99, 32, 32)).save(tmp_path / "sets" / split / "b" / f"{index}-copy.png")
    output = tmp_path / "seen.png"
    assert run(look, "--dir", tmp_path / "sets", "--data_dir", tmp_path / "cache", "--output", output) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "images 32 x 32 pixels, RGB classes 2 train test a 4 4 b 5 5 all 9 9" in printed
    assert "sizes (height x width) 32 x 32: 18 files modes RGB: 18" in printed
    assert "9 of 9 test images have one among the training images" in printed, "all noise has the same seeds"
    assert Image.open(output).size[0] == 2 * 32 + 2
    assert (tmp_path / "seen-near-duplicates.png").is_file()
    assert run(look, "--dir", tmp_path / "absent") == 4
    assert run(look, "--dir", images, "--output", "seen.jpg") == 2


def test_near_duplicates_are_resized_or_compressed_copies_only():
    smooth = [Image.fromarray(noise(seed, 4, 4)).resize((64, 64), Image.Resampling.BICUBIC) for seed in range(40)]
    images = np.stack([np.asarray(picture) for picture in smooth])
    copies = [np.asarray(picture.resize((40, 40)).resize((64, 64), Image.Resampling.BICUBIC)) for picture in smooth[:9]]
    found = near_duplicates(images[:20], np.stack([*copies, *images[20:]]))
    assert found == [(index, index) for index in range(9)]
    assert near_duplicates(np.zeros((3, 8, 8, 1), np.uint8), np.zeros((1, 8, 8, 1), np.uint8)) == [(0, 0)]
    assert near_duplicates(np.zeros((3, 8, 8, 1), np.uint8), np.full((1, 8, 8, 1), 9, np.uint8)) == []
