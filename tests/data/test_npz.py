"""Arrays of images and labels in .npz files: names, axes, splits, and each mistake in one line."""

import io
import zipfile

import numpy as np
import pytest

from gan_jax import cli, main, sample
from gan_jax.data import sources
from gan_jax.runs.dataset import describe, load_data
from gan_jax.runs.workdir import Workdir
from gan_jax.system import config as configs
from gan_jax.system.errors import DataUnavailable, UserError
from gan_jax.training import session
from tests.tiny import run

RNG = np.random.default_rng(0)
COLOUR, GREY = (RNG.integers(0, 256, shape, np.uint8) for shape in ((40, 8, 6, 3), (40, 8, 8)))
LABELS = np.arange(40) % 3


def save(path, **arrays):
    path.parent.mkdir(exist_ok=True)
    np.savez_compressed(path, **arrays)
    return str(path)


def load(path, **options):
    return sources.load("npz", str(path), "mnist_5k", **options)


def splits_of(data):
    return {name: getattr(data, name) for name in ("train", "test", "validation") if getattr(data, name)}


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("train_images", "train_labels"),
        ("x_train", "y_train"),
        ("X_train", "Y_train"),
        ("images_train", "labels_train"),
    ],
)
def test_names_of_arrays(tmp_path, images, labels):
    test = {key.replace("train", "test"): array[:9] for key, array in ((images, COLOUR), (labels, LABELS))}
    data = load(save(tmp_path / "a.npz", **{images: COLOUR, labels: LABELS}, **test))
    np.testing.assert_array_equal(data.train.images, COLOUR)
    np.testing.assert_array_equal(data.test.images, COLOUR[:9])
    assert data.train.labels.tolist() == LABELS.tolist()
    recorded = describe(data)
    assert (recorded["requested"], recorded["used"], recorded["classes"]) == ("npz", "npz", ["0", "1", "2"])
    assert recorded["source_folder"] == str(tmp_path / "a.npz")
    assert "notes" not in recorded


def test_a_folder_has_a_file_for_each_split(tmp_path):
    save(tmp_path / "d" / "train.npz", x=GREY, y=LABELS[:, None], ids=LABELS)
    save(tmp_path / "d" / "test.npz", images=GREY[:6], labels=LABELS[:6, None].astype(np.uint64))
    save(tmp_path / "d" / "val.npz", val_images=GREY[:5], val_labels=LABELS[:5])
    data = load(tmp_path / "d")
    assert {name: split.images.shape for name, split in splits_of(data).items()} == {
        "train": (40, 8, 8, 1),
        "test": (6, 8, 8, 1),
        "validation": (5, 8, 8, 1),
    }
    assert data.test.labels.tolist() == LABELS[:6].tolist()
    assert data.notes == ("arrays of train.npz that are not used: ids",)
    (tmp_path / "d" / "test.npz").unlink()
    data = load(tmp_path / "d")
    assert sorted(splits_of(data)) == ["test", "train"]
    assert len(data.test.labels) == 5
    assert "the validation images are test images" in data.notes[1]


def test_a_file_of_one_split_is_divided(tmp_path):
    """Also if it is named test.npz."""
    path = save(tmp_path / "test.npz", images=COLOUR, labels=LABELS)
    data = load(path, test_share=0.25)
    assert np.bincount(data.test.labels).tolist() == [3, 3, 3]
    assert data.notes == ("npz has no test split, so 0.25 of the training images of each class are test images: 9",)
    unlabelled = load(save(tmp_path / "b.npz", images=COLOUR))
    assert (unlabelled.class_names, unlabelled.num_classes, len(unlabelled.test.labels)) == ((), 1, 4)


def test_axes(tmp_path):
    first = save(tmp_path / "first.npz", images=COLOUR.transpose(0, 3, 1, 2), labels=LABELS)
    last = save(tmp_path / "last.npz", images=np.asfortranarray(COLOUR), labels=LABELS)
    assert load(first).fingerprint() == load(last).fingerprint()
    assert load(first, axes="NCHW").fingerprint() == load(last, axes="NHWC").fingerprint()
    with pytest.raises(UserError, match=r"with data.axes=NHWC it has 6 channels, not 1 or 3; set --config.data.axes="):
        load(first, axes="NHWC")
    both = save(tmp_path / "both.npz", images=RNG.integers(0, 256, (20, 3, 32, 3), np.uint8))
    with pytest.raises(UserError, match=r"uint8 \[20, 3, 32, 3\].*set --config.data.axes=NHWC or NCHW"):
        load(both)
    assert [load(both, axes=axes).image_shape for axes in ("NHWC", "NCHW")] == [(3, 32, 3), (32, 3, 3)]
    with pytest.raises(UserError, match="did you mean NCHW"):
        load(both, axes="NCHV")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": COLOUR / 255}, r"images is float64 \[40, 8, 6, 3\], not uint8; if they are from 0 to 1, save"),
        ({"images": GREY.astype(int)}, "is int64.*if they are from 0 to 255, save images.astype"),
        ({"images": np.array([None] * 2)}, r"is object \[2\], not uint8"),
        ({"images": GREY.reshape(40, 64)}, r"is uint8 \[40, 64\]; reshape it to"),
        ({"images": np.zeros((9, 4, 5, 4), np.uint8)}, r"no axis of 1 or 3 channels; save images\[..., :3\]"),
        ({"images": GREY[:0]}, "has a split without images"),
        ({"images": GREY, "labels": LABELS[1:]}, r"images is uint8 .* and labels int64 \[39\]; give each image one"),
        ({"images": GREY, "labels": LABELS / 2}, "labels is float64.*not integers"),
        ({"images": GREY, "labels": np.array(list("ab") * 20)}, "labels is <U1.*numpy.unique"),
        ({"images": GREY, "labels": np.array([None] * 40)}, "labels is Python objects, not integers"),
        ({"images": GREY, "labels": np.eye(40, dtype=int)}, r"labels is int64 \[40, 40\].*labels.argmax"),
        ({"images": GREY, "labels": LABELS - 1}, "has 14 images without a label"),
        ({"images": GREY, "labels": LABELS + 2**32}, "labels has a label above 2147483647"),
        ({"pixels": GREY, "labels": LABELS}, "has labels and no images of that split; add train_images"),
        ({"test_images": GREY, "pixels": GREY}, r"no train images \(its arrays: pixels, test_images\); name them"),
        ({"images": GREY, "x_train": GREY}, "has images, x_train for one split"),
        ({"images": GREY, "labels": LABELS, "test_images": GREY}, "train has labels and test has none"),
    ],
)  # fmt: skip
def test_arrays_that_are_no_images_are_refused_in_one_line(tmp_path, arrays, message):
    with pytest.raises(DataUnavailable, match=message) as error:
        load(save(tmp_path / "a.npz", **arrays))
    assert "a.npz" in str(error.value)
    assert "\n" not in str(error.value)


def test_damaged_files_are_named(tmp_path):
    path = tmp_path / "a.npz"
    save(path, images=GREY)
    whole = path.read_bytes()
    middle = len(whole) // 2
    for content in (whole[:-30], whole[:middle], b"", whole[:middle] + b"\0\0\0\0\0\0\0\0" + whole[middle + 8 :]):
        path.write_bytes(content)
        with pytest.raises(DataUnavailable, match="a.npz .*save it again"):
            load(path)
    with zipfile.ZipFile(path, "w") as archive:
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (9, 8, 8)})
        archive.writestr("images.npy", header.getvalue() + b"short")
    with pytest.raises(DataUnavailable, match=r"a.npz \(array images\) cannot be read"):
        load(path)


def test_files_that_are_elsewhere_or_of_another_kind(tmp_path):
    path = save(tmp_path / "d" / "other.npz", images=GREY)
    with pytest.raises(DataUnavailable, match=r"has other.npz and no train.npz; name the file itself"):
        load(tmp_path / "d")
    with pytest.raises(DataUnavailable, match="is not a folder or a .npz file; set --config.data.dir=PATH"):
        load(tmp_path / "none.npz")
    with pytest.raises(UserError, match="needs a .npz file or a folder with train.npz: set --config.data.dir=PATH"):
        sources.load("npz")
    with pytest.raises(UserError, match="is a .npz file; if it has images, set --config.data.name=npz"):
        sources.load("mnist", path)


def test_what_does_not_fit_into_memory(tmp_path):
    path = save(tmp_path / "a.npz", images=GREY)
    small = 2000 / 2**30
    with pytest.raises(UserError, match=r"take 2.38e-06 GiB of memory, more than.*--config.data.stream=never"):
        load(path, resident_gib=small)
    assert len(load(path, resident_gib=small, stream="never").train.labels) == 36
    with pytest.raises(UserError, match="set --config.data.stream=auto"):
        load(path, stream="always")


@pytest.mark.thorough
def test_a_run_after_a_mistake_in_the_same_workdir(tmp_path, overrides, capsys):
    """Wrong axes, then none; the file moves; samples by class. Its programs are those of other tests."""
    file, path = tmp_path / "a.npz", str(tmp_path / "run")
    images = RNG.integers(0, 256, (12, 1, 9, 9), np.uint8)
    save(file, x_train=images, y_train=LABELS[:12] * 5, x_test=images[:6], y_test=LABELS[:6] * 5)
    overrides = [*overrides, "--config.data.name=npz", f"--config.data.dir={file}"]
    assert run(main, "--config=configs/cgan.py", f"--workdir={path}", *overrides, "--config.data.axes=NHWC") == 2
    assert "has 9 channels, not 1 or 3" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    config = cli.parse_config("configs/cgan.py", overrides)
    session.train(config, path)
    recorded = Workdir(path).run()
    assert (recorded["status"], recorded["data"]["classes"]) == ("completed", ["0", "5", "10"])
    file.rename(tmp_path / "b.npz")
    with pytest.raises(DataUnavailable, match=f"it is not in {file}.*--config.data.dir=PATH"):
        load_data(config.data, "", path)
    configs.override(config, {"data.dir": str(tmp_path / "b.npz"), "data.axes": "NCHW"})
    Workdir(path).start(config)
    assert load_data(config.data, "", path).fingerprint() == recorded["data"]["fingerprint"]
    output = tmp_path / "samples.npz"
    assert run(sample, "--workdir", path, "--labels", "10,5", "--output", output) == 0
    assert np.load(output)["labels"].tolist() == [10, 5]
