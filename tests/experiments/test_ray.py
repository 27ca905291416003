"""The Ray backend on a real cluster: its records equal those of the local backend, also if workers are killed."""

import contextlib
import json
import os
import pathlib
import signal

import pytest
from flax import traverse_util

from experiments.ablations import __main__ as runner
from experiments.ablations import one_run
from gan_jax.runs.records import read_metrics
from tests.experiments.tiny_studies import arguments, arms
from tests.tiny import run

# Ray reads these when it is imported; backends.py sets the same.
os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_worker_niceness": "0"}
ray = pytest.importorskip("ray", reason="needs the extra ray")
from experiments.jobs import ray_backend  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
TIMES = ("seconds", "steps_per_second")
# The checksum of a record depends on the times.
LEFT_OUT = (*TIMES, "sha256")


def records(folder):
    """hash -> seed -> the record, without the times."""
    result = {}
    for path in sorted(folder.glob("*/seed-*.json")):
        record = json.loads(path.read_text())
        result[f"{path.parent.name}/{path.stem}"] = {k: v for k, v in record.items() if k not in LEFT_OUT}
    return result


def differences(actual, expected):
    """Every number that differs, by its name."""
    actual, expected = (traverse_util.flatten_dict(records, sep=".") for records in (actual, expected))
    return {
        name: (actual.get(name), expected.get(name))
        for name in actual | expected
        if actual.get(name) != expected.get(name)
    }


def tables(folder):
    result = {path.name: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
    for table in result.values():
        table.pop("sha256", None)
        for arm in table["arms"].values():
            for seed in arm["seeds"].values():
                for name in TIMES:
                    del seed[name]
    return result


def command_arguments(folders, name, *more_arguments):
    folders.work, folders.out = folders.work.with_name(name), folders.out.with_name(f"{name}-out")
    return arguments(folders, "--studies=rates,batches", "--jobs=3", *more_arguments)


def kill(child):
    """Kills a worker with SIGKILL; returns its process number."""
    number = ray.get(child._worker.location.remote())[1]
    os.kill(number, signal.SIGKILL)
    return number


def test_three_workers_of_which_one_is_killed(folders, monkeypatch, capfd):
    """Bit for bit the records of the local backend, with one thread per arm."""
    assert run(runner, *command_arguments(folders, "local", "--steps=100")) == 0
    expected, expected_tables = records(folders.work), tables(folders.out)
    poll, killed = runner.Progress.poll, []

    def kill_one(self, children):
        poll(self, children)
        for child in children:
            if not killed and 0 < len(read_metrics(child.folder / "seed-0" / "metrics.jsonl")) < 90:
                killed.append(kill(child))

    monkeypatch.setattr(runner.Progress, "poll", kill_one)
    capfd.readouterr()
    assert run(runner, *command_arguments(folders, "ray", "--backend=ray", "--address=local", "--steps=100")) == 0
    printed = capfd.readouterr().out
    assert killed
    assert f"process {killed[0]}); try 1 of 3 begins" in printed
    assert "arm 1/3  rates:plain@tuned  seed 0  " in printed
    assert not differences(records(folders.work), expected)
    assert tables(folders.out) == expected_tables
    assert len(expected) == 6


def test_a_run_that_kills_its_workers_is_given_up(folders, monkeypatch):
    """The next command, here with the local backend, tries it again."""
    poll, run_name, killed = runner.Progress.poll, arms(folders)["plain"].hash, set()

    def kill_every_worker(self, children):
        poll(self, children)
        for child in children:
            if child.name == run_name and child._where not in killed:
                killed.add(child._where)
                kill(child)

    monkeypatch.setattr(runner.Progress, "poll", kill_every_worker)
    monkeypatch.setattr(ray_backend, "RETRIES", 1)
    assert run(runner, *command_arguments(folders, "ray", "--backend=ray", "--address=local")) == 0
    assert len(killed) == 2
    record = one_run.read(folders.work / run_name, 1)
    assert record["status"] == "crashed"
    assert record["reason"].endswith(": its worker died 2 times")
    monkeypatch.setattr(runner.Progress, "poll", poll)
    assert run(runner, *command_arguments(folders, "ray")) == 0
    assert one_run.read(folders.work / run_name, 1)["status"] == "completed"


def test_an_interrupt_saves_and_the_local_backend_continues(folders, monkeypatch, capfd):
    poll, plain_hash = runner.Progress.poll, arms(folders)["plain"].hash

    def interrupt(self, children):
        poll(self, children)
        if (folders.work / plain_hash / "seed-0.json").is_file():
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(runner.Progress, "poll", interrupt)
    assert run(runner, *command_arguments(folders, "ray", "--backend=ray", "--address=local")) == 75
    assert "all saved; the same command continues" in capfd.readouterr().err
    modified = (folders.work / plain_hash / "seed-0.json").stat().st_mtime_ns
    monkeypatch.setattr(runner.Progress, "poll", poll)
    assert run(runner, *command_arguments(folders, "ray")) == 0
    assert (folders.work / plain_hash / "seed-0.json").stat().st_mtime_ns == modified
    assert len(records(folders.work)) == 6


def listening():
    """The hexadecimal addresses on which Ray's processes of this session listen."""
    sockets = {}
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if b"ray" in (process / "cmdline").read_bytes() and os.getsid(int(process.name)) == os.getsid(0):
                sockets |= {os.readlink(link): process.name for link in (process / "fd").iterdir()}
    for table in ("tcp", "tcp6"):
        for line in pathlib.Path("/proc/net", table).read_text().splitlines()[1:]:
            columns = line.split()
            if columns[3] == "0A" and f"socket:[{columns[9]}]" in sockets:
                yield columns[1].partition(":")[0]


@pytest.mark.skipif(not pathlib.Path("/proc/net/tcp").exists(), reason="reads /proc")
def test_a_local_cluster_listens_on_localhost_only(tmp_path):
    with ray_backend.connected("local", None, tmp_path) as backend:
        assert backend.jobs == 1
        addresses = list(listening())
    assert len(addresses) > 3
    assert all(address.endswith("0100007F") for address in addresses)
