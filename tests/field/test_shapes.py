"""Images of any shape."""

import json

import numpy as np
import pytest
from PIL import Image

from gan_jax import evaluate
from gan_jax.analysis.spectrum import radial_spectrum
from gan_jax.data import sources
from gan_jax.data.dataset import Split, check_shapes, convert
from gan_jax.data.pixels import RESIZES, Conversion
from gan_jax.runs.workdir import Workdir
from gan_jax.system import config as configs
from gan_jax.system import recorded
from gan_jax.system.errors import UserError
from gan_jax.training import session
from tests.field.folders import write_folder
from tests.tiny import run

# TensorFlow's own imports warn about things that are not ours.
pytestmark = pytest.mark.filterwarnings("ignore")


# generative_inpainting 459: test images of another size than the training images.
def test_splits_of_two_sizes_are_refused_and_the_advice_works(tmp_path):
    folder = write_folder(tmp_path / "data", train=(6, (8, 8), range(3)), test=(6, (10, 8), range(3)))
    message = r"are 8 x 8 x 1 and the test images 10 x 8 x 1 .* set --config.data.image_size=8 to convert both"
    with pytest.raises(UserError, match=message):
        sources.load("idx", folder)
    data = sources.load("idx", folder, image_size=8)
    assert data.train.images.shape == data.test.images.shape == (6, 8, 8, 1)
    assert data.notes == (
        "the images are 10 x 8 pixels (height x width) and are cropped to 8 x 8; to change that, set "
        "--config.data.resize=pad or stretch",
    )


def test_splits_of_other_channels_are_refused():
    grey, colour = (Split(np.zeros((2, 8, 8, channels), np.uint8), np.zeros(2, np.int32)) for channels in (1, 3))
    with pytest.raises(UserError, match=r"8 x 8 x 3 and .* 8 x 8 x 1 .* set --config.data.channels=3 to convert both"):
        check_shapes(colour, grey, "test")
    check_shapes(colour, convert(grey, Conversion(channels=3)), "test")


# DCGAN-tensorflow 341: images that are not square.
@pytest.mark.thorough
@pytest.mark.parametrize("family", ["dcgan", pytest.param("resnet", marks=pytest.mark.slow), "mlp"])
def test_two_sides_are_kept(config, tmp_path, quick_classifier, family):
    folder = write_folder(tmp_path / "data", train=(12, (12, 8), range(3)), test=(12, (12, 8), range(3)))
    conditioning = "none" if family == "resnet" else "concat"
    changes = {"generator.family": family, "discriminator.family": family, "discriminator.conditioning": conditioning}
    configs.override(config, {"data.dir": folder, "num_steps": 1, **changes})
    path = tmp_path / "run"
    session.train(config, str(path))
    data = Workdir(str(path)).run()["data"]
    assert (data["image_shape"], "notes" in data) == ([12, 8, 1], False)
    width, height = Image.open(path / "samples" / "step-000001.png").size
    assert width == 10 * (8 + 2) - 2
    assert 0 < height - (10 * (12 + 2) - 2) < 20, "one line of names above the images"
    if family == "mlp":
        for features in ("classifier", "pixels"):
            arguments = ("--workdir", path, "--num_images", 12, "--data_dir", tmp_path, "--features", features)
            assert run(evaluate, *arguments) == 0


@pytest.mark.parametrize("family", ["dcgan", "resnet"])
@pytest.mark.parametrize("sides", [(12, 10), (10, 12)])
def test_a_side_that_a_network_cannot_make_is_refused(config, tmp_path, family, sides):
    folder = write_folder(tmp_path / "data", train=(12, sides, range(3)), test=(12, sides, range(3)))
    changes = {"generator.family": family, "discriminator.family": family, "discriminator.conditioning": "none"}
    configs.override(config, {"data.dir": folder, "num_steps": 1, **changes})
    with pytest.raises(UserError, match=r"10 pixels .* --config.data.image_size=12 \(squares: --config.data.resize="):
        session.train(config, str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_the_knob_says_how_images_become_square(tmp_path):
    rows = np.arange(1, 9, dtype=np.uint8) * 10
    tall = Split(np.broadcast_to(rows[None, :, None, None], (1, 8, 4, 1)).copy(), np.zeros(1, np.int32))
    column = lambda **knobs: convert(tall, Conversion(**knobs)).images[0, :, 2, 0]  # noqa: E731
    assert column(resize="crop").tolist() == rows[2:6].tolist()
    assert column(resize="pad").tolist() == rows.tolist()
    assert convert(tall, Conversion(resize="pad")).images[0, 0, :, 0].tolist() == [0, 0, 10, 10, 10, 10, 0, 0]
    assert column(resize="stretch").tolist() == rows.tolist()
    assert column(image_size=4).tolist() == column(image_size=4, resize="crop").tolist() == rows[2:6].tolist()
    assert convert(tall, Conversion()) is tall
    with pytest.raises(UserError, match="data.resize='fit' is unknown; choose one of: crop, pad, stretch"):
        sources.load("mnist_5k", resize="fit")
    with pytest.raises(UserError, match="data.image_size=-3: must be at least 0"):
        sources.load("mnist_5k", image_size=-3)


def test_squares_are_resized_alike_whatever_the_knob_says():
    square = Split(np.random.default_rng(0).integers(0, 256, (2, 28, 28, 1), np.uint8), np.zeros(2, np.int32))
    plain = [np.asarray(Image.fromarray(image[:, :, 0]).resize((32, 32), 2)) for image in square.images]
    for resize in ("", *RESIZES):
        np.testing.assert_array_equal(convert(square, Conversion(32, resize=resize)).images[..., 0], plain)


def test_a_run_of_before_the_knobs_is_read(config):
    tree = json.loads(configs.to_json(config))
    del tree["data"]["resize"], tree["eval"]["classifier_flips"]
    for key in ("background", "test_share", "axes", "image_column", "label_column"):
        del tree["data"][key]
    read = recorded.from_tree(tree)
    assert (read.data.resize, read.eval.classifier_flips) == ("stretch", "auto")
    assert (read.data.background, read.data.test_share) == (config.data.background, config.data.test_share)


def test_the_spectrum_of_images_that_are_not_square():
    images = np.random.default_rng(0).integers(0, 256, (5, 12, 20, 1), np.uint8)
    frequencies, counts, power = radial_spectrum(images)
    energy = 12 * 20 * np.square(images / 255).sum(axis=(1, 2, 3))
    np.testing.assert_allclose((counts * power).sum(axis=1), energy)
    waves = np.cos(2 * np.pi * np.arange(20) / 5)[None, None, :, None] * np.ones((1, 12, 1, 1))
    power = radial_spectrum(np.rint(127.5 + 100 * waves).astype(np.uint8))[2][0]
    assert frequencies[1:][power[1:].argmax()] == 0.2
