"""No space to write to, no right to: under training, every command and the caches. By hand: make test-faults"""

import contextlib
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest

from gan_jax.data import prepared, sources
from gan_jax.evaluation import features
from gan_jax.evaluation.classifier import Classifier, Recipe
from gan_jax.runs.load import load_run
from tests.tiny import rows
from tests.whole.long_runs import SAVING

pytestmark = pytest.mark.faults


def command(path, *words):
    words = ["--config", "configs/cgan.py", "--workdir", str(path), *SAVING, "--config.num_steps=120", *words]
    return [sys.executable, "-m", "gan_jax.main", *words]


def finish(words):
    """(exit code, what was written to stderr without the progress lines)."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    lines = [line for line in done.stderr.splitlines() if not line.startswith("step ")]
    return done.returncode, lines


def limited(size, words):
    """The command where no file may grow beyond `size` bytes, as on a disk that is full."""
    code = (
        "import os, resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size})); os.execv(sys.argv[1], sys.argv[1:])"
    )
    return [sys.executable, "-c", code, *words]


@pytest.mark.parametrize("size", [200, 2_000, 6_000, 30_000])
def test_no_file_may_grow(tmp_path, size):
    """Every size hits another file first: config, records, a checkpoint, ..."""
    path = tmp_path / "run"
    code, lines = finish(limited(size, command(path)))
    assert code in (2, 75)
    assert [line for line in lines if line.startswith("error: ")] == lines[-1:], lines
    # Before it, where the limit strikes inside of a save, a task of Orbax's may show a trace of its own.
    assert not list(path.rglob(".*.json")), "half-written files"
    assert finish(command(path))[0] == 0
    assert [row["step"] for row in rows(path)] == list(range(1, 121))


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 3 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", place], check=False).returncode:
        pytest.skip("needs the right to mount")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_disk(small_disk):
    path = small_disk / "run"
    code, lines = finish(command(path, "--config.keep_checkpoints=50"))
    assert (code, lines) == (75, ["error: no space is left to write to; free some, and the same command continues"])
    steps = [row["step"] for row in rows(path)]
    assert load_run(str(path)).step > 0, "the old checkpoints are whole"
    assert finish(command(path, "--config.keep_checkpoints=50"))[0] == 75
    subprocess.run(["mount", "-o", "remount,size=100m", small_disk], check=True)
    assert finish(command(path, "--config.keep_checkpoints=50"))[0] == 0
    assert [row["step"] for row in rows(path)] == list(range(1, 121))
    assert len(steps) < 120


def fill(disk):
    """Leaves no byte of a disk free; the file that does it."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (4096, 1):
            with contextlib.suppress(OSError):
                while file.write(bytes(size)):
                    pass
    return filler


OVER_A_RUN = {
    "samples.npz": ["sample", "--num_images", "500", "--output"],
    "samples.png": ["sample", "--num_images", "500", "--output"],
    "page.html": ["turing", "--num_images", "10", "--output"],
    "evaluation-pixels-quick.json": ["evaluate", "--features", "pixels", "--num_images", "20", "--quick"],
}


@pytest.mark.parametrize("name", OVER_A_RUN)
def test_a_full_disk_under_every_command(small_disk, short_run, name):
    path = pathlib.Path(shutil.copytree(short_run[0], small_disk / "run"))
    module, *words = OVER_A_RUN[name]
    words = [sys.executable, "-m", f"gan_jax.{module}", "--workdir", str(path), *words]
    words += [str(path / name)] if words[-1] == "--output" else []
    filler, before = fill(small_disk), {p.name for p in path.iterdir()}
    code, lines = finish(words)
    assert (code, lines) == (75, ["error: no space is left to write to; free some, and the same command continues"])
    assert {p.name for p in path.iterdir()} == before, "half-written files"
    filler.unlink()
    assert finish(words) == (0, [])
    assert {p.name for p in path.iterdir()} == {*before, name}


def test_a_full_disk_under_the_caches(small_disk, idx_folder, monkeypatch):
    """Prepared data and trained classifiers: nothing half, and made again when there is space."""
    dataset = sources.load("idx", str(idx_folder))
    variables = {"params": {"kernel": np.zeros((100, 100), np.float32)}}
    monkeypatch.setattr(features, "template", lambda *shapes: variables)
    monkeypatch.setattr(features, "fresh_classifier", lambda *words: Classifier(variables, 3, Recipe()))
    path = small_disk / "prepared" / "x.npz"
    writers = {
        "classifiers": lambda: features.classifier(dataset, str(small_disk)),
        "prepared": lambda: prepared.write(path, (dataset.train, dataset.test)),
    }
    for folder, write in writers.items():
        (small_disk / folder).mkdir()
        filler = fill(small_disk)
        with pytest.raises(OSError, match="No space left"):
            write()
        assert not list((small_disk / folder).iterdir())
        filler.unlink()
        write()
        assert len(list((small_disk / folder).iterdir())) == 1
    assert features.classifier(dataset, str(small_disk))[1]
    assert np.array_equal(prepared.read(path)[0].images, dataset.train.images)


def test_a_run_that_is_only_for_reading(small_disk, short_run, tmp_path):
    path = shutil.copytree(short_run[0], small_disk / "run")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    over = [sys.executable, "-m"]
    words = ["--workdir", str(path), "--features", "pixels", "--num_images", "20", "--quick"]
    code, lines = finish([*over, "gan_jax.evaluate", *words])
    assert code == 0
    assert lines == [f"WARNING: {path}/evaluation-pixels-quick.json is not written: Read-only file system"]
    assert finish([*over, "gan_jax.sample", "--workdir", str(path), "--output", str(tmp_path / "a.png")]) == (0, [])
    assert (tmp_path / "a.png").stat().st_size
    code, lines = finish([*over, "gan_jax.sample", "--workdir", str(path), "--output", str(path / "a.png")])
    assert (code, lines) == (2, [f"error: --output={path}/a.png cannot be written: Read-only file system"])
