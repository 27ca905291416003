"""The Ray backend on a real cluster of this process: the records of the local one, whatever happens to workers."""

import json
import os
import signal

import pytest

from experiments.ablations import __main__ as runner
from gan_jax.records import read_metrics
from tests.conftest import run
from tests.test_ablations import arms, places, words  # noqa: F401

# Read where Ray is imported, as backends.py has it.
os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_worker_niceness": "0"}
ray = pytest.importorskip("ray", reason="needs Ray: pip install -r requirements-ray.txt")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
TIMES = ("seconds", "steps_per_second")


def records(folder):
    """hash -> seed -> the record, without the times."""
    found = {}
    for path in sorted(folder.glob("*/seed-*.json")):
        record = json.loads(path.read_text())
        found[f"{path.parent.name}/{path.stem}"] = {k: v for k, v in record.items() if k not in TIMES}
    return found


def tables(folder):
    found = {path.name: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
    for table in found.values():
        for arm in table["arms"].values():
            for seed in arm["seeds"].values():
                for name in TIMES:
                    del seed[name]
    return found


def cluster(places, work, *more):  # noqa: F811
    places.work, places.out = places.work.with_name(work), places.out.with_name(f"{work}-out")
    return words(places, "--studies=rates,batches", "--steps=100", "--jobs=3", *more)


def test_three_workers_one_killed(places, monkeypatch, capfd):  # noqa: F811
    """Arms of one thread each, as by the local backend, to the last bit."""
    assert run(runner, *cluster(places, "local")) == 0
    expected, expected_tables = records(places.work), tables(places.out)
    look, killed = runner.Progress.look, []

    def kills(self, children):
        look(self, children)
        for child in children:
            if not killed and 0 < len(read_metrics(child.folder / "seed-0" / "metrics.jsonl")) < 90:
                killed.append(ray.get(child._worker.where.remote())[1])
                os.kill(killed[0], signal.SIGKILL)

    monkeypatch.setattr(runner.Progress, "look", kills)
    capfd.readouterr()
    assert run(runner, *cluster(places, "ray", "--backend=ray", "--address=local")) == 0
    printed = capfd.readouterr().out
    assert killed
    assert f"process {killed[0]}); try 1 of 3 begins" in printed
    assert "arm 1/3  rates:plain@tuned  seed 0  " in printed
    assert records(places.work) == expected
    assert tables(places.out) == expected_tables
    assert len(expected) == 6
