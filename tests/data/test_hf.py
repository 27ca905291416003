"""Data sets of the library `datasets`: files that it reads, columns, labels, splits, and a hub without a network."""

import io
import os
import sys
import time

import numpy as np
import pytest
from PIL import Image

from gan_jax import cli, evaluate, main, sample
from gan_jax.data import sources
from gan_jax.data.dataset import Source
from gan_jax.runs.dataset import describe, load_data, scoring_data
from gan_jax.runs.workdir import Workdir
from gan_jax.system import config as configs
from gan_jax.system.errors import DataUnavailable, NotOnThisMachine, UserError
from tests.tiny import run

IMAGES = np.random.default_rng(0).integers(0, 256, (300, 9, 9), np.uint8)
NAMES = ("ant", "bee", "cow")


@pytest.fixture
def datasets(tmp_path, monkeypatch):
    """The library, with an empty cache and no network."""
    library = pytest.importorskip("datasets")
    monkeypatch.setattr(library.config, "HF_DATASETS_CACHE", tmp_path / "hf_cache")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    library.disable_progress_bars()
    return library


def png(image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return {"bytes": file.getvalue(), "path": None}


@pytest.fixture
def table(datasets):
    """(number of rows, first image, **columns) -> a Dataset with a column `image` and, if none are given, classes."""

    def make(number, first=0, **columns):
        data = {"image": [png(image) for image in IMAGES[first : first + number]]}
        features = {"image": datasets.Image()}
        for name, (values, feature) in (
            columns.items() or {"label": (range(3), datasets.ClassLabel(names=NAMES))}.items()
        ):
            data[name] = [values[row % len(values)] for row in range(number)]
            features[name] = feature
        return datasets.Dataset.from_dict(data, features=datasets.Features(features))

    return make


@pytest.fixture
def load(datasets, tmp_path):
    """(table or {split: table}, **options) -> the Dataset, saved by `save_to_disk` and read again."""

    def save_and_load(tables, **options):
        path = tmp_path / f"saved-{len(list(tmp_path.iterdir()))}"
        (datasets.DatasetDict(tables) if isinstance(tables, dict) else tables).save_to_disk(path)
        return sources.load(f"hf:{path}", fallback="mnist_5k", data_dir=str(tmp_path / "cache"), **options)

    return save_and_load


def test_every_form_of_files_has_the_same_images(tmp_path, table, load, monkeypatch):
    tables = {"train": table(12), "test": table(6, first=12)}
    saved = load(tables)
    np.testing.assert_array_equal(saved.train.images[..., 0], IMAGES[:12])
    assert (saved.class_names, saved.train.labels.tolist()) == (NAMES, [0, 1, 2] * 4)
    for split, of_split in tables.items():
        (tmp_path / "parquet").mkdir(exist_ok=True)
        of_split.to_parquet(tmp_path / "parquet" / f"{split}.parquet")
        for row, picture in enumerate(IMAGES[:12] if split == "train" else IMAGES[12:18]):
            path = tmp_path / "folder" / split / NAMES[row % 3] / f"{row:02d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png(picture)["bytes"])
    monkeypatch.chdir(tmp_path)
    for name in ("hf:parquet", "hf:./folder", f"hf:{tmp_path}/parquet"):
        data = sources.load(name, data_dir=str(tmp_path / "cache"))
        assert sorted(image.tobytes() for image in data.train.images) == sorted(i.tobytes() for i in saved.train.images)
        assert (data.class_names, len(data.test.labels)) == (NAMES, 6)
        recorded = describe(data)
        assert (recorded["requested"], recorded["used"]) == ("hf", "hf")
        assert recorded["source_folder"] == str(tmp_path / name.removeprefix("hf:"))
        assert sources.load("hf", recorded["source_folder"]).fingerprint() == data.fingerprint()


def test_one_table_is_divided_by_row_numbers(tmp_path, table):
    path = tmp_path / "a[1].parquet"
    table(200).to_parquet(path)
    data = sources.load(f"hf:{path}", data_dir=str(tmp_path / "cache"))
    test = [IMAGES[:200].tolist().index(image[..., 0].tolist()) for image in data.test.images]
    assert 10 < len(test) < 30
    note = "there is no test split, so 0.1 of the images, chosen by a hash of their row numbers, are test images: "
    assert data.notes == (note + str(len(test)),)
    # More rows at the end: the same rows are test images, and the older pictures are not taken from the cache.
    table(240).to_parquet(path)
    more = sources.load(f"hf:{path}", data_dir=str(tmp_path / "cache"))
    np.testing.assert_array_equal(more.test.images[: len(test)], data.test.images)
    assert len(more.train.labels) + len(more.test.labels) == 240


@pytest.mark.parametrize(
    ("kind", "values", "names"),
    [
        ("string", ["dog", "ä", "cat"], ("cat", "dog", "ä")),
        ("int64", [10, 9, 2], ("2", "9", "10")),
        ("bool", [True, False], ("False", "True")),
    ],
)
def test_classes_of_other_columns_are_their_sorted_values(datasets, table, load, kind, values, names):
    data = load({split: table(12, label=(values, datasets.Value(kind))) for split in ("train", "test")})
    assert data.class_names == names
    assert [data.class_names[label] for label in data.test.labels[: len(values)]] == list(map(str, values))


def test_columns_that_must_be_chosen_or_are_wrong(datasets, table, load):
    string = datasets.Value("string")
    two = table(12, fine=(range(3), datasets.ClassLabel(names=NAMES)), coarse=([0], datasets.ClassLabel(names=["x"])))
    with pytest.raises(UserError, match="for data.label_column: fine, coarse; set --config.data.label_column=fine"):
        load(two)
    both = {"train": two, "test": two}
    assert load(both, label_column="fine").class_names == NAMES
    assert load(both, label_column="coarse").class_names == ("x",)
    assert load(table(100, title=(["a", "b"], string))).class_names == ()
    with pytest.raises(UserError, match="label_column=lable: .* no such column; it has image, fine, coarse"):
        load(two, label_column="lable")
    with pytest.raises(UserError, match="label_column=image: this column of .* has no classes and no integers"):
        load(two, label_column="image")
    mask = ([png(IMAGES[0])], datasets.Image())
    pictures = table(12, mask=mask, fine=(range(3), datasets.ClassLabel(names=NAMES)))
    with pytest.raises(UserError, match="image, mask; set --config.data.image_column=image, say"):
        load(pictures)
    both = {"train": pictures, "test": pictures}
    assert len(np.unique(load(both, image_column="mask").train.images, axis=0)) == 1
    with pytest.raises(DataUnavailable, match=r"no column of images \(its columns: fine, coarse\)"):
        load(two.remove_columns("image"))
    with pytest.raises(DataUnavailable, match="the split test has no column 'coarse'"):
        load({"train": two, "test": two.remove_columns("coarse")}, label_column="coarse")
    # Bytes of image files are read, too.
    raw = datasets.Dataset.from_dict({"png": [png(image)["bytes"] for image in IMAGES], "label": list(range(2)) * 150})
    assert load(raw).class_names == ("0", "1")


def test_images_without_a_label(datasets, table, load):
    classes = datasets.ClassLabel(names=NAMES)
    train, unlabelled = table(12), table(6, label=([-1], classes))
    data = load({"train": train, "validation": table(9), "test": unlabelled, "extra": unlabelled})
    assert len(data.test.labels) == 9
    assert data.validation is None
    assert ["extra" in data.notes[0], "no labels" in data.notes[1], "validation" in data.notes[2]] == [True] * 3
    for split in ("train", "test"):
        tables = {"train": train, "test": train} | {split: table(12, label=([0, -1, 1], classes))}
        with pytest.raises(DataUnavailable, match=f"4 of 12 images in the split {split} have no 'label'"):
            load(tables)


def test_splits(datasets, table, load):
    data = load({"train": table(12), "valid": table(6), "test": table(9)})
    assert [len(split.labels) for split in (data.train, data.validation, data.test)] == [12, 6, 9]
    with pytest.raises(DataUnavailable, match=r"no images in a split train \(its splits: all, test\)"):
        load({"all": table(12), "test": table(6)})
    with pytest.raises(DataUnavailable, match="two splits for validation"):
        load({"train": table(12), "validation": table(6), "val": table(6)})


def test_pictures_that_are_missing_are_left_out(datasets, tmp_path):
    """Written by Arrow, because the library would read the file of every path."""
    pictures = [png(image) for image in IMAGES]
    pictures[7], pictures[8] = None, {"bytes": None, "path": os.devnull}
    import pyarrow as pa
    import pyarrow.parquet

    rows = pa.table({"image": pictures, "label": ["a", "b"] * (len(pictures) // 2)})
    pa.parquet.write_table(rows, tmp_path / "a.parquet")
    data = sources.load(f"hf:{tmp_path}/a.parquet", data_dir=str(tmp_path / "cache"))
    assert len(data.train.labels) + len(data.test.labels) == len(pictures) - 2
    reasons = f"train/7 (its row has no image), train/8 (its row has no bytes, and {os.devnull} is no file)"
    assert f"2 images cannot be read: {reasons}" in data.notes


def test_files_that_cannot_be_read_get_one_line(tmp_path, datasets, table, capfd):
    table(12).to_parquet(tmp_path / "a.parquet")
    table(12).save_to_disk(tmp_path / "saved")
    (arrow,) = (tmp_path / "saved").glob("*.arrow")
    for file in (tmp_path / "a.parquet", arrow):
        file.write_bytes(file.read_bytes()[:700])
    (tmp_path / "empty").mkdir()
    capfd.readouterr()
    for name, kind, message in (
        ("a.parquet", DataUnavailable, "a.parquet cannot be read: .*; restore it"),
        ("saved", DataUnavailable, "saved cannot be read: .*; restore it"),
        ("empty", DataUnavailable, "empty cannot be read: .*data files; restore it"),
        ("none", NotOnThisMachine, "none is not a folder or a .parquet file; set --config.data.name=hf:PATH"),
    ):
        with pytest.raises(kind, match=message) as error:
            sources.load(f"hf:{tmp_path / name}", fallback="mnist_5k")
        assert "\n" not in str(error.value)
    assert capfd.readouterr() == ("", "")


def test_the_library_is_an_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataUnavailable, match="pip install .*hf"):
        sources.load(f"hf:{tmp_path}", fallback="mnist_5k")


@pytest.mark.parametrize("name", ["hf:", "hf:mnist", "hf:csv", "hf:a/b/c", "hf:a b/c", "hf://datasets/a/b"])
def test_names_that_no_set_of_the_hub_has(name):
    with pytest.raises(UserError, match="write hf:OWNER/NAME for a set of the hub, or hf:PATH"):
        sources.load(name)
    with pytest.raises(UserError, match="data.fallback=.*name it in data.name"):
        sources.load("mnist_5k", fallback=name)


def test_a_hub_that_cannot_be_reached(datasets, tmp_path, monkeypatch):
    """It takes seconds, and no other set replaces the set. A user's wish to be offline is kept."""
    began = time.monotonic()
    with pytest.raises(
        DataUnavailable, match="owner/name is no path here, it is not in the cache of datasets .HF_HOME., and"
    ):
        sources.load("hf:owner/name", fallback="mnist_5k")
    assert time.monotonic() - began < 5
    assert not datasets.config.HF_HUB_OFFLINE
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("gan_jax.system.network.answers", lambda url: pytest.fail("the network is used"))
    with pytest.raises(DataUnavailable, match="its hub cannot be reached"):
        sources.load("hf:owner/name:config", fallback="mnist_5k")


def test_a_set_of_the_hub_is_found_again_by_its_name(datasets, table, tmp_path, config):
    """From the cache of the library without a network; if it is not there, from a folder with the same images."""
    tables = datasets.DatasetDict(train=table(12), test=table(6))
    for split, of_split in tables.items():
        of_split.to_parquet(tmp_path / "name" / f"{split}.parquet")
    datasets.load_dataset(str(tmp_path / "name"))
    cache = tmp_path / "hf_cache"
    (cache / "name").rename(cache / "owner___name")
    configs.override(config, {"data.name": "hf:owner/name", "data.dir": ""})
    data = load_data(config.data, str(tmp_path))
    recorded = describe(data)
    assert (recorded["requested"], recorded["used"]) == ("hf:owner/name",) * 2
    assert data.source == Source("Hugging Face hub")
    assert scoring_data("W", config.data, {"data": recorded}, str(tmp_path)).name == "hf:owner/name"
    (cache / "owner___name").rename(cache / "gone")
    with pytest.raises(DataUnavailable, match="not in the cache of datasets.*say where: --config.data.dir=PATH$"):
        scoring_data("W", config.data, {"data": recorded}, str(tmp_path))
    tables.save_to_disk(tmp_path / "saved")
    copy = scoring_data("W", config.data, {"data": recorded}, str(tmp_path), str(tmp_path / "saved"))
    assert copy.fingerprint() == recorded["fingerprint"]


def test_a_run_by_class_names(datasets, table, tmp_path, overrides, capsys):
    """A wrong column, then the right one; samples by name; the folder moves, and is found by data.dir."""
    species = datasets.Value("string")
    tables = {"train": table(12, species=(NAMES, species)), "test": table(6, first=12, species=(NAMES, species))}
    folder, path = tmp_path / "saved", str(tmp_path / "run")
    datasets.DatasetDict(tables).save_to_disk(folder)
    overrides = [*overrides, "--config.data.dir=", f"--config.data.name=hf:{folder}"]
    command = ("--config=configs/cgan.py", f"--workdir={path}", *overrides)
    assert run(main, *command, "--config.data.label_column=specie") == 2
    assert "no such column; it has image, species" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    assert run(main, *command, "--config.data.label_column=species") == 0
    assert Workdir(path).run()["data"]["classes"] == list(NAMES)
    assert run(sample, "--workdir", path, "--labels", "cow,ant", "--output", tmp_path / "a.npz") == 0
    arrays = np.load(tmp_path / "a.npz")
    assert (arrays["labels"].tolist(), arrays["class_names"].tolist()) == ([2, 0], list(NAMES))
    folder.rename(tmp_path / "moved")
    score = ("--workdir", path, "--features", "pixels", "--num_images", 12, "--quick")
    assert run(evaluate, *score) == 4
    assert f"it is not in {folder}" in capsys.readouterr().err
    assert run(evaluate, *score, f"--config.data.dir={tmp_path / 'moved'}") == 0
    config = cli.parse_config(
        "configs/cgan.py", [*overrides, f"--config.data.dir={tmp_path / 'moved'}", "--config.data.label_column=species"]
    )
    assert load_data(config.data, "", path).source.folder == str(tmp_path / "moved")
