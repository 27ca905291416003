"""Full disks and missing write permission, for training, every command and the caches. Run: make test-faults"""

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


def command(path, *arguments):
    arguments = ["--config", "configs/cgan.py", "--workdir", str(path), *SAVING, "--config.num_steps=120", *arguments]
    return [sys.executable, "-m", "gan_jax.main", *arguments]


def run_to_end(command_line):
    """(exit code, lines of stderr without the progress lines)."""
    done = subprocess.run(command_line, capture_output=True, text=True, check=False)
    lines = [line for line in done.stderr.splitlines() if not line.startswith("step ")]
    return done.returncode, lines


def with_file_size_limit(size, command_line):
    """The command with a limit of `size` bytes per file, which acts like a full disk."""
    code = (
        "import os, resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size})); os.execv(sys.argv[1], sys.argv[1:])"
    )
    return [sys.executable, "-c", code, *command_line]


@pytest.mark.parametrize("size", [200, 2_000, 6_000, 30_000])
def test_no_file_may_grow(tmp_path, size):
    """Each size stops another file first: config, metrics, a checkpoint, ..."""
    path = tmp_path / "run"
    code, lines = run_to_end(with_file_size_limit(size, command(path)))
    assert code in (2, 75)
    assert [line for line in lines if line.startswith("error: ")] == lines[-1:], lines
    # If the limit is reached during a save, a thread of Orbax may print a traceback before the error line.
    assert not list(path.rglob(".*.json")), "half-written files"
    assert run_to_end(command(path))[0] == 0
    assert [row["step"] for row in rows(path)] == list(range(1, 121))


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 3 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", disk], check=False).returncode:
        pytest.skip("needs the right to mount")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk(small_disk):
    path = small_disk / "run"
    code, lines = run_to_end(command(path, "--config.keep_checkpoints=50"))
    assert (code, lines) == (75, ["error: no space is left to write to; free some, and the same command continues"])
    steps = [row["step"] for row in rows(path)]
    assert load_run(str(path)).step > 0, "the old checkpoints are complete"
    assert run_to_end(command(path, "--config.keep_checkpoints=50"))[0] == 75
    subprocess.run(["mount", "-o", "remount,size=100m", small_disk], check=True)
    assert run_to_end(command(path, "--config.keep_checkpoints=50"))[0] == 0
    assert [row["step"] for row in rows(path)] == list(range(1, 121))
    assert len(steps) < 120


def fill(disk):
    """Fills a disk to the last byte; returns the file that does so."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (4096, 1):
            with contextlib.suppress(OSError):
                while file.write(bytes(size)):
                    pass
    return filler


FEW = "WARNING: fewer images (20 generated"  # The test split is smaller than the number of pixels.
COMMANDS = {
    "samples.npz": ["sample", "--num_images", "500", "--output"],
    "samples.png": ["sample", "--num_images", "500", "--output"],
    "page.html": ["turing", "--num_images", "10", "--output"],
    "evaluation-20_images-pixels-quick.json": ["evaluate", "--features", "pixels", "--num_images", "20", "--quick"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk_under_every_command(small_disk, short_run, name):
    path = pathlib.Path(shutil.copytree(short_run[0], small_disk / "run"))
    module, *arguments = COMMANDS[name]
    arguments = [sys.executable, "-m", f"gan_jax.{module}", "--workdir", str(path), *arguments]
    arguments += [str(path / name)] if arguments[-1] == "--output" else []
    filler, before = fill(small_disk), {p.name for p in path.iterdir()}
    code, lines = run_to_end(arguments)
    lines = [line for line in lines if FEW not in line]
    assert (code, lines) == (75, ["error: no space is left to write to; free some, and the same command continues"])
    assert {p.name for p in path.iterdir()} == before, "half-written files"
    filler.unlink()
    code, lines = run_to_end(arguments)
    assert (code, [line for line in lines if FEW not in line]) == (0, [])
    assert {p.name for p in path.iterdir()} == {*before, name}


def test_a_full_disk_under_the_caches(small_disk, idx_folder, monkeypatch):
    """No half-written prepared data or classifier stays, and with free space the same call works."""
    dataset = sources.load("idx", str(idx_folder))
    variables = {"params": {"kernel": np.zeros((100, 100), np.float32)}}
    monkeypatch.setattr(features, "template", lambda *shapes: variables)
    monkeypatch.setattr(features, "fresh_classifier", lambda *arguments: Classifier(variables, 3, Recipe()))
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


def test_a_read_only_run(small_disk, short_run, tmp_path):
    path = shutil.copytree(short_run[0], small_disk / "run")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    python_module = [sys.executable, "-m"]
    arguments = ["--workdir", str(path), "--features", "pixels", "--num_images", "20", "--quick"]
    code, lines = run_to_end([*python_module, "gan_jax.evaluate", *arguments])
    assert code == 0
    assert FEW in lines[0]
    assert lines[1:] == [
        f"WARNING: {path}/evaluation-20_images-pixels-quick.json is not written: Read-only file system"
    ]
    assert run_to_end(
        [*python_module, "gan_jax.sample", "--workdir", str(path), "--output", str(tmp_path / "a.png")]
    ) == (0, [])
    assert (tmp_path / "a.png").stat().st_size
    code, lines = run_to_end(
        [*python_module, "gan_jax.sample", "--workdir", str(path), "--output", str(path / "a.png")]
    )
    assert (code, lines) == (2, [f"error: --output={path}/a.png cannot be written: Read-only file system"])
