"""The Ray backend on a real cluster of this process: the records of the local one, whatever happens to workers."""

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
from tests.experiments.tiny_studies import arms, words
from tests.tiny import run

# Read where Ray is imported, as backends.py has it.
os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_worker_niceness": "0"}
ray = pytest.importorskip("ray", reason="needs Ray: pip install -r requirements-ray.txt")
from experiments.jobs import ray_backend  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
TIMES = ("seconds", "steps_per_second")
# A file's own seal covers the times.
APART = (*TIMES, "sha256")


def records(folder):
    """hash -> seed -> the record, without the times."""
    found = {}
    for path in sorted(folder.glob("*/seed-*.json")):
        record = json.loads(path.read_text())
        found[f"{path.parent.name}/{path.stem}"] = {k: v for k, v in record.items() if k not in APART}
    return found


def different(ours, theirs):
    """Every number that differs, by its name."""
    ours, theirs = (traverse_util.flatten_dict(records, sep=".") for records in (ours, theirs))
    return {name: (ours.get(name), theirs.get(name)) for name in ours | theirs if ours.get(name) != theirs.get(name)}


def tables(folder):
    found = {path.name: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
    for table in found.values():
        table.pop("sha256", None)
        for arm in table["arms"].values():
            for seed in arm["seeds"].values():
                for name in TIMES:
                    del seed[name]
    return found


def cluster(places, work, *more):
    places.work, places.out = places.work.with_name(work), places.out.with_name(f"{work}-out")
    return words(places, "--studies=rates,batches", "--jobs=3", *more)


def kill(child):
    """Ends a worker as an operating system would; returns its process."""
    number = ray.get(child._worker.location.remote())[1]
    os.kill(number, signal.SIGKILL)
    return number


def test_three_workers_one_killed(places, monkeypatch, capfd):
    """Arms of one thread each, as by the local backend, to the last bit."""
    assert run(runner, *cluster(places, "local", "--steps=100")) == 0
    expected, expected_tables = records(places.work), tables(places.out)
    poll, killed = runner.Progress.poll, []

    def kills(self, children):
        poll(self, children)
        for child in children:
            if not killed and 0 < len(read_metrics(child.folder / "seed-0" / "metrics.jsonl")) < 90:
                killed.append(kill(child))

    monkeypatch.setattr(runner.Progress, "poll", kills)
    capfd.readouterr()
    assert run(runner, *cluster(places, "ray", "--backend=ray", "--address=local", "--steps=100")) == 0
    printed = capfd.readouterr().out
    assert killed
    assert f"process {killed[0]}); try 1 of 3 begins" in printed
    assert "arm 1/3  rates:plain@tuned  seed 0  " in printed
    assert not different(records(places.work), expected)
    assert tables(places.out) == expected_tables
    assert len(expected) == 6


def test_a_run_that_kills_its_workers_is_given_up(places, monkeypatch):
    """And tried again by the next command, here a local one."""
    poll, hopeless, killed = runner.Progress.poll, arms(places)["plain"].hash, set()

    def kills(self, children):
        poll(self, children)
        for child in children:
            if child.name == hopeless and child._where not in killed:
                killed.add(child._where)
                kill(child)

    monkeypatch.setattr(runner.Progress, "poll", kills)
    monkeypatch.setattr(ray_backend, "RETRIES", 1)
    assert run(runner, *cluster(places, "ray", "--backend=ray", "--address=local")) == 0
    assert len(killed) == 2
    record = one_run.read(places.work / hopeless, 1)
    assert record["status"] == "crashed"
    assert record["reason"].endswith(": its worker died 2 times")
    monkeypatch.setattr(runner.Progress, "poll", poll)
    assert run(runner, *cluster(places, "ray")) == 0
    assert one_run.read(places.work / hopeless, 1)["status"] == "completed"


def test_an_interrupt_saves_and_the_local_backend_continues(places, monkeypatch, capfd):
    poll, plain = runner.Progress.poll, arms(places)["plain"].hash

    def interrupts(self, children):
        poll(self, children)
        if (places.work / plain / "seed-0.json").is_file():
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(runner.Progress, "poll", interrupts)
    assert run(runner, *cluster(places, "ray", "--backend=ray", "--address=local")) == 75
    assert "all saved; the same command continues" in capfd.readouterr().err
    made = (places.work / plain / "seed-0.json").stat().st_mtime_ns
    monkeypatch.setattr(runner.Progress, "poll", poll)
    assert run(runner, *cluster(places, "ray")) == 0
    assert (places.work / plain / "seed-0.json").stat().st_mtime_ns == made
    assert len(records(places.work)) == 6


def listening():
    """Hexadecimal addresses that processes of Ray's in this session listen on."""
    sockets = {}
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if b"ray" in (process / "cmdline").read_bytes() and os.getsid(int(process.name)) == os.getsid(0):
                sockets |= {os.readlink(link): process.name for link in (process / "fd").iterdir()}
    for table in ("tcp", "tcp6"):
        for line in pathlib.Path("/proc/net", table).read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and f"socket:[{words[9]}]" in sockets:
                yield words[1].partition(":")[0]


@pytest.mark.skipif(not pathlib.Path("/proc/net/tcp").exists(), reason="reads /proc")
def test_a_cluster_of_one_process_listens_on_localhost_alone(tmp_path):
    with ray_backend.connected("local", None, tmp_path) as backend:
        assert backend.jobs == 1
        found = list(listening())
    assert len(found) > 3
    assert all(address.endswith("0100007F") for address in found)
