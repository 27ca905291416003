"""Folders and archives of image files: layouts, files that are skipped, splits, sizes, large sets."""

import os
import stat
import zipfile

import numpy as np
import pytest
from PIL import Image

from gan_jax.data import sources
from gan_jax.data.dataset import hold_out
from gan_jax.data.pictures import prepare, records
from gan_jax.data.stored import StoredImages
from gan_jax.system.errors import DataUnavailable, UserError
from tests.data.picture_files import noise, write_classes, write_images, write_zip, zip_folder


@pytest.fixture
def load(tmp_path):
    """(path, **options) -> Dataset, with a cache of the test's own."""
    return lambda path, **options: sources.load("folder", str(path), data_dir=str(tmp_path / "cache"), **options)


@pytest.fixture
def root(tmp_path):
    return tmp_path / "images"


def shares(data):
    return [len(split.labels) for split in (data.train, data.test)]


def test_class_folders_have_a_test_split_by_the_hash_of_the_name(load, root):
    data = load(write_classes(root, ["dog", "cat"], 50))
    assert (data.name, data.class_names, data.image_shape) == ("folder", ("cat", "dog"), (8, 8, 3))
    assert sum(shares(data)) == 100
    assert 2 <= len(data.test.labels) <= 20
    before = {image.tobytes() for image in data.test.images}
    write_images(root / "cat", 30, start=500)
    after = load(root)
    assert before <= {image.tobytes() for image in after.test.images}
    assert not before & {image.tobytes() for image in after.train.images}
    halves = load(root, test_share=0.5)
    assert before <= {image.tobytes() for image in halves.test.images}
    with pytest.raises(DataUnavailable, match="test_share=0.0001 makes 0 of its 130 images test images; set another"):
        load(root, test_share=0.0001)


def test_pixels_and_labels_are_those_of_the_files(load, root):
    data = load(write_classes(root, ["a", "b", "c"], 20))
    splits = [data.train, data.test]
    images, labels = (np.concatenate(arrays) for arrays in zip(*splits, strict=True))
    expected = {noise(index).tobytes(): index // 20 for index in range(60)}
    assert {image.tobytes(): label for image, label in zip(images, labels, strict=True)} == expected


@pytest.mark.parametrize("test_folder", ["test", "Testing", "val"])
def test_folders_of_splits(load, root, test_folder):
    write_classes(root / "train", ["a", "b"], 5)
    write_classes(root / test_folder, ["a", "b"], 3)
    data = load(root)
    assert (shares(data), data.class_names, data.validation) == ([10, 6], ("a", "b"), None)
    assert any("no test folder" in note for note in data.notes) == (test_folder == "val")


def test_a_validation_folder_takes_the_place_of_held_out_images(load, root):
    for name, number in (("train", 5), ("test", 3), ("validation", 2)):
        write_classes(root / name, ["a", "b"], number)
    data = load(root)
    assert len(data.validation.labels) == 4
    assert hold_out(data, 3) is data
    assert hold_out(data, 0).validation is None


def test_flat_folders_have_no_labels(load, root):
    data = load(write_images(root, 60))
    assert (data.has_labels, data.num_classes, data.class_names) == (False, 1, ())
    write_images(root / "train", 4), write_images(root / "test", 3)
    for file in root.glob("*.png"):
        file.unlink()
    assert shares(load(root)) == [4, 3]
    write_images(root / "test" / "a", 3)
    with pytest.raises(DataUnavailable, match="test has class folders and train has none; give both the same"):
        load(root)


def test_a_zip_is_the_folder_and_what_wraps_it_does_not_count(load, root, tmp_path):
    write_classes(root, ["a", "b"], 20)
    fingerprints = {
        load(path).fingerprint()
        for path in (root, zip_folder(root, tmp_path / "x.zip"), zip_folder(root, tmp_path / "y.ZIP", "my/images/"))
    }
    assert len(fingerprints) == 1


def test_what_is_no_image_is_skipped_and_counted(load, root):
    write_classes(root, ["a", "b"], 60)
    for name in ("a/.DS_Store", "b/Thumbs.db", ".hidden/x.png", "__MACOSX/a/x.png", "a/notes.txt", "preview.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"no image")
    (root / "a" / "upper.PNG").write_bytes((root / "a" / "000.png").read_bytes())
    (root / "empty").mkdir()
    data = load(root)
    assert sum(shares(data)) == 121
    assert data.class_names == ("a", "b")
    assert data.notes[0] == "1 folder has no image: empty"
    assert "4 skipped (hidden or system files): .hidden/, __MACOSX/, a/.DS_Store, b/Thumbs.db" in data.notes
    assert "1 skipped (no image files by their name): a/notes.txt" in data.notes
    assert "1 skipped (they are in no class folder): preview.png" in data.notes


def test_links_are_followed_but_not_in_circles(load, root, tmp_path):
    write_classes(root, ["a"], 15)
    os.symlink(write_images(tmp_path / "elsewhere", 15, start=50), root / "b")
    os.symlink(root, root / "a" / "loop")
    os.symlink(root / "nothing.png", root / "a" / "broken.png")
    data = load(root)
    assert (sum(shares(data)), data.class_names) == (30, ("a", "b"))
    assert "2 skipped (links that lead nowhere or to a folder above): a/broken.png, a/loop" in data.notes


def test_names_that_are_not_utf8(load, root):
    write_classes(root, ["a"], 15)
    try:
        os.rename(os.fsencode(root / "a"), os.fsencode(root) + b"/caf\xe9")
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    write_classes(root, ["b"], 15)
    assert load(root).class_names == ("b", "caf\\xe9")


def test_a_few_broken_files_are_skipped_and_more_are_refused(load, root):
    write_classes(root, ["a", "b"], 100)
    file = root / "a" / "007.png"
    file.write_bytes(file.read_bytes()[:60])
    (root / "b" / "150.png").write_bytes(b"")
    data = load(root)
    assert sum(shares(data)) == 198
    assert any(note.startswith("2 images cannot be read: ") and "b/150.png" in note for note in data.notes)
    assert load(root).notes == data.notes, "from the cache"
    (root / "b" / "151.png").write_bytes(b"")
    with pytest.raises(DataUnavailable, match="more than 1% of 200 images cannot be read, such as .*repair or remove"):
        load(root)


@pytest.mark.parametrize(
    ("sizes", "side"),
    [({(40, 40): 3, (50, 20): 2}, 40), ({(200, 300): 3}, 128), ({(90, 70): 2, (64, 64): 1}, 64), ({(20, 30): 1}, 20)],
)
def test_the_side_is_the_commonest_or_the_next_below(sizes, side):
    from collections import Counter

    assert prepare.common_side(Counter(sizes)) == side


def test_resizing_crops_pads_or_stretches_and_filters(load, root):
    """A white right half shows where the pixels come from; a checkerboard becomes grey if they are averaged."""
    picture = np.zeros((40, 80, 3), np.uint8)
    picture[:, 40:] = 255
    checkers = np.kron(np.indices((32, 32)).sum(axis=0) % 2, np.ones((1, 1))).astype(np.uint8) * 255
    for index in range(12):
        for name, array in (("half", picture), ("checkers", np.repeat(checkers[:, :, None], 3, axis=2))):
            (root / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(root / name / f"{index}.png")
    means = {}
    for resize in ("crop", "pad", "stretch"):
        data = load(root, image_size=8, resize=resize, test_share=0.4)
        assert data.image_shape == (8, 8, 3)
        half, grey = data.train.images[data.train.labels == 1][0], data.train.images[data.train.labels == 0][0]
        assert np.ptp(grey[2:-2, 2:-2].astype(int)) < 20, "no aliasing"
        means[resize] = float(half.mean()), float(half[0].mean())
    assert means["crop"][0] == pytest.approx(127.5, abs=20)
    assert means["pad"][1] == 0
    assert means["stretch"][0] == pytest.approx(127.5, abs=20)


def test_a_set_larger_than_memory_has_the_same_batches_from_files(load, root, monkeypatch):
    monkeypatch.setattr(records, "_FILE_BYTES", 15 * 8 * 8 * 3)
    write_classes(root, ["a", "b"], 100)
    (root / "a" / "007.png").write_bytes(b"broken")
    held, streamed = load(root), load(root, stream="always")
    assert isinstance(streamed.train.images, StoredImages)
    for split in ("train", "test"):
        one, other = getattr(held, split), getattr(streamed, split)
        np.testing.assert_array_equal(one.images, other.images[:])
        np.testing.assert_array_equal(one.labels, other.labels)
    assert [note for note in streamed.notes if "cannot be read" in note] == [
        note for note in held.notes if "cannot be read" in note
    ]


def test_a_stopped_preparation_continues(load, root, monkeypatch, tmp_path):
    monkeypatch.setattr(records, "_FILE_BYTES", 20 * 8 * 8 * 3)
    write_classes(root, ["a", "b"], 50)
    images, decoded = prepare.Plan.image, []

    def stop_at_50(plan, pictures, row):
        decoded.append(row)
        if len(decoded) == 50:
            raise KeyboardInterrupt
        return images(plan, pictures, row)

    monkeypatch.setattr(prepare.Plan, "image", stop_at_50)
    with pytest.raises(KeyboardInterrupt):
        load(root, stream="always")
    first = len(list((tmp_path / "cache").rglob("*.json")))
    assert 1 <= first <= 2
    assert sum(shares(load(root, stream="always"))) == 100
    assert len(decoded) - 50 == 100 - first * 20


def test_too_little_space_is_refused_before_it_is_used(load, root, monkeypatch):
    write_classes(root, ["a", "b"], 20)
    monkeypatch.setattr(records.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1000}))
    with pytest.raises(UserError, match="where 0.00 GiB are free; choose another cache folder: --data_dir=FOLDER"):
        load(root, stream="always")


def test_archives_that_are_refused(load, tmp_path):
    path = tmp_path / "x.zip"
    path.write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(DataUnavailable, match="x.zip is no zip archive, or it is damaged"):
        load(path)
    for name, message in (
        ("../up.png", "has a member outside of the archive"),
        ("/root.png", "has a member outside of the archive"),
        ("more.tar.gz", "has another archive inside: more.tar.gz; unpack it"),
    ):
        with pytest.raises(DataUnavailable, match=message):
            load(write_zip(path, {name: b"x"}))
    with pytest.raises(DataUnavailable, match="has no image files; 1 skipped"):
        load(write_zip(path, {"readme.txt": b"x"}))
    link = zipfile.ZipInfo("a/link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(DataUnavailable, match=r"has no image files; 1 skipped \(links\): a/link.png"):
        load(write_zip(path, {link: b"/etc/passwd"}))
    encrypted = zipfile.ZipInfo("a.png")
    write_zip(path, {encrypted: b"x"})
    data = bytearray(path.read_bytes())
    central = data.index(b"PK\x01\x02")
    data[central + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(DataUnavailable, match=r"is encrypted \(a.png\); unpack it"):
        load(path)


def test_folders_that_are_refused(load, root, tmp_path):
    root.mkdir()
    with pytest.raises(DataUnavailable, match="has no image files"):
        load(root)
    with pytest.raises(DataUnavailable, match="is not a folder or a .zip file; set --config.data.dir=PATH"):
        load(tmp_path / "absent")
    with pytest.raises(UserError, match="data.name=folder needs a folder of images or a .zip of them: set"):
        sources.load("folder")
    write_images(root / "test", 2), write_images(root / "val", 2)
    with pytest.raises(DataUnavailable, match="has test, val and no folder train; add it"):
        load(root)
    write_images(root / "train", 2), write_images(root / "extra", 2)
    with pytest.raises(DataUnavailable, match="has extra beside the folder train; move it into train, or out of it"):
        load(root)
    with pytest.raises(UserError, match="background=whit is no colour"):
        load(root, background="whit")
    with pytest.raises(UserError, match="test_share=1.0: must be more than 0 and less than 1"):
        load(root, test_share=1.0)
    with pytest.raises(DataUnavailable, match="For image files, .*: --config.data.name=folder, npz or hf"):
        sources.load("mnist", str(root))
    path = zip_folder(root, tmp_path / "x.zip")
    with pytest.raises(UserError, match="x.zip is a .zip file; if it has images, set --config.data.name=folder"):
        sources.load("mnist", str(path))
