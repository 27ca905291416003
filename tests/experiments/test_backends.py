"""Backends without Ray: their choice, the cores and GPUs of each run, and the code that runs on the nodes."""

import os
import sys
import threading

import pytest

from experiments.ablations import __main__ as ablations
from experiments.jobs import on_node, pool
from experiments.jobs.cluster_shares import Share, share, usual_jobs
from experiments.jobs.locks import acquire
from experiments.semi_supervised import __main__ as semi_supervised
from gan_jax.system.errors import DataUnavailable, UserError
from gan_jax.system.extras import install
from tests.tiny import run


@pytest.mark.parametrize("command", [ablations, semi_supervised])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--backend=ray"], f"--backend=ray needs Ray: {install('ray')}"),
        (["--backend=rya"], "did you mean ray?"),
        (["--address=local"], "--address=local is for --backend=ray"),
        (["--jobs=0"], "--jobs=0: must be at least 1"),
    ],
)
def test_mistakes_get_one_line(command, arguments, message, monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "experiments.jobs.ray_backend", raising=False)
    assert run(command, "--workdir", tmp_path / "work", "--output", tmp_path / "out", *arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("nodes", "jobs", "expected"),
    [
        ([(16, 0)], 1, Share(16, 0)),
        ([(16, 0), (16, 0)], 2, Share(16, 0)),
        ([(16, 0), (8, 0)], 2, Share(8, 0)),
        ([(16, 0), (8, 0)], 3, Share(8, 0)),
        ([(4, 0)], 9, Share(1, 0)),
        ([(16, 2), (64, 0)], 2, Share(8, 1)),
        ([(16, 2)], 3, Share(5, 0.5)),
        ([(16, 1), (16, 3)], 4, Share(5, 1)),
    ],
)
def test_each_run_gets_as_much_as_lets_all_run_at_once(nodes, jobs, expected):
    assert share(nodes, jobs) == expected


def test_the_default_is_one_run_per_node_or_gpu():
    assert usual_jobs([(16, 0), (8, 0), (0, 0)]) == 2
    assert usual_jobs([(16, 4), (8, 0)]) == 4
    with pytest.raises(UserError, match="no cores to offer"):
        share([(0, 0)], 1)


class FakeBackend:
    """A backend that records events, and whose runs end with the given exit codes at the second poll."""

    jobs = 2

    def __init__(self, codes):
        self.codes, self.events = codes, []

    def open(self, workdir, runs, lock):
        self.events.append(("open", runs))

    def start(self, name, folder, arguments):
        backend = self

        class Run(pool.Child):
            num_polls = 0

            def code(self):
                self.num_polls += 1
                return None if self.num_polls < 2 else backend.codes[name]

            def working(self):
                return name != "late"

            def note(self, event):
                backend.events.append((event, name))

            def stop(self):
                self.note("stop")

            def wait(self):
                self.note("wait")

            def kill(self):
                self.note("kill")

            def close(self):
                self.note("close")

        self.events.append(("start", name, *arguments))
        folder.mkdir()
        (folder / "log.txt").write_text("error: no such data\n")
        return Run(name, folder)


def run_all(backend, tmp_path, names, stopping=lambda: False):
    ended, polled = [], []
    try:
        pool.run_all(
            "m",
            {name: ["x"] for name in names},
            tmp_path,
            backend,
            lambda children: polled.append([child.name for child in children]),
            lambda child, code: ended.append((child.name, code)),
            stopping,
        )
    finally:
        assert "late" not in sum(polled, [])
    return ended


@pytest.fixture
def fast(monkeypatch):
    monkeypatch.setattr(pool, "_POLL_SECONDS", 0.01)


def test_a_pool_starts_the_next_run_when_one_ends(fast, tmp_path):
    backend = FakeBackend({"a": 0, "late": 1, "c": 75})
    assert run_all(backend, tmp_path, backend.codes) == [("a", 0), ("late", 1), ("c", 75)]
    assert backend.events[:3] == [
        ("open", 3),
        *(("start", name, "m", str(tmp_path / name), "x") for name in ("a", "late")),
    ]
    assert [line for line in backend.events if line[0] == "close"] == [("close", name) for name in backend.codes]


def test_a_pool_stops_all_runs_before_it_waits(fast, tmp_path):
    backend, polls = FakeBackend({"a": 0, "b": 0}), []
    assert run_all(backend, tmp_path, backend.codes, lambda: polls.append(1) or len(polls) > 1) == []
    assert backend.events[-4:] == [("stop", "a"), ("stop", "b"), ("wait", "a"), ("wait", "b")]


def test_missing_data_ends_all_runs(fast, tmp_path):
    backend = FakeBackend({"a": DataUnavailable.exit_code, "b": 0})
    with pytest.raises(DataUnavailable, match="no such data"):
        run_all(backend, tmp_path, backend.codes)
    assert ("kill", "b") in backend.events


def test_a_node_reports_missing_requirements(tmp_path):
    folder, versions = os.getcwd(), {"numpy": __import__("numpy").__version__}
    (tmp_path / "token").touch()
    assert on_node.survey(folder, str(tmp_path), "token", versions) == ""
    assert "no checkout in" in on_node.survey(str(tmp_path), str(tmp_path), "token", versions)
    assert "does not see --workdir" in on_node.survey(folder, str(tmp_path), "other", versions)
    assert "has numpy" in on_node.survey(folder, str(tmp_path), "token", {"numpy": "0.1"})
    assert "has no_such_package none" in on_node.survey(folder, str(tmp_path), "token", {"no_such_package": "1"})


def on_a_node(folder, arguments, stop=None):
    """The result of Worker.run. It runs in another thread, because it sets the processors of its thread."""
    worker, returned = on_node.Worker(), []
    (folder / "seed-0.json").touch()
    work = lambda: returned.append(worker.run(os.getcwd(), str(folder), arguments, 1, str(folder), {"MARK": "7"}))  # noqa: E731
    thread = threading.Thread(target=work)
    thread.start()
    if stop:
        thread.join(1)
        assert not returned
        worker.stop()
    thread.join(20)
    (answer,) = returned
    return answer


def test_a_run_on_a_node(tmp_path):
    print_all = "import os; print(len(os.sched_getaffinity(0)), os.environ['MARK'])"
    code, records = on_a_node(tmp_path, ["timeit", "-n1", "-r1", print_all])
    assert (code, records) == (0, [str(tmp_path / "seed-0.json")])
    assert (tmp_path / "log.txt").read_text().startswith("1 7\n")


def test_a_run_on_a_node_gets_the_stop_signal(tmp_path):
    code, _ = on_a_node(tmp_path, ["timeit", "-n1", "-r1", "import time; time.sleep(60)"], stop=True)
    assert code == -15


def test_a_run_waits_for_the_one_that_lost_its_worker(tmp_path):
    with acquire(tmp_path / ".lock", lambda: True):
        assert on_a_node(tmp_path, ["timeit", "-n1", "-r1", "1"], stop=True) == (on_node.STOPPED, [])
    assert on_a_node(tmp_path, ["timeit", "-n1", "-r1", "1"])[0] == 0
