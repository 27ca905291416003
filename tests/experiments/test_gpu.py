"""The measurements on a GPU: parts in processes of their own, their records and page, tried without a GPU."""

import json
import os
import pathlib
import sys
import types

import jax
import jax.numpy as jnp
import pytest

from experiments.benchmarks import contenders, works
from experiments.benchmarks.gpu import __main__ as gpu
from experiments.benchmarks.gpu import busy, graphs, one_part, page, roofline, schedule, seeds, steps, studies
from experiments.benchmarks.gpu.parts import Part, Size, make_parts
from tests.tiny import run

SIZE = Size()


def is_running(pid):
    """Whether a process computes. An ended process that nobody waits for is a zombie."""
    path = pathlib.Path(f"/proc/{pid}/stat")
    return path.is_file() and path.read_text().rpartition(")")[2].split()[0] != "Z"


def part(name, seconds=60.0, **variables):
    return Part(name, lambda run: {}, seconds, variables)


@pytest.fixture
def stand_in(monkeypatch):
    monkeypatch.setattr(schedule, "_MODULE", "tests.experiments.stand_in_part")
    monkeypatch.setattr(schedule, "_GRACE_SECONDS", 0.2)


@pytest.mark.thorough
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_part_that_crashes_or_hangs_writes_its_error_and_the_others_go_on(stand_in, tmp_path):
    parts = [part("crashes"), part("hangs", 4.0), part("fine", OF_A_PART="set")]
    assert schedule.run_parts(parts, tmp_path, SIZE, 300.0, retry=False) == []
    records = {name: json.loads((tmp_path / f"{name}.json").read_text()) for name in ("crashes", "hangs", "fine")}
    assert records["crashes"]["error"] == "exit code -11: about to crash"
    assert records["hangs"]["error"].startswith("not done within 4 s")
    assert records["fine"]["result"]["variable"] == "set"
    assert "OF_A_PART" not in os.environ
    assert not is_running((tmp_path / "child").read_text())


def started(folder):
    return (folder / "started").read_text().split()


def test_parts_with_a_record_are_skipped(stand_in, tmp_path):
    parts = [part("fine"), part("crashes"), part("continues")]
    schedule.run_parts(parts, tmp_path, SIZE, 300.0, retry=False)
    schedule.run_parts(parts, tmp_path, SIZE, 300.0, retry=False)
    assert started(tmp_path) == ["fine", "crashes", "continues", "continues"]
    schedule.run_parts(parts, tmp_path, SIZE, 300.0, retry=True)
    assert started(tmp_path)[4:] == ["crashes", "continues"]


def test_parts_for_which_no_time_is_left_are_named(stand_in, tmp_path):
    assert schedule.run_parts([part("fine"), part("crashes")], tmp_path, SIZE, 0.0, retry=False) == ["fine", "crashes"]
    assert not list(tmp_path.iterdir())


def test_the_limits_fit_into_twelve_minutes():
    *fixed, last = make_parts(SIZE)
    assert sum(part.seconds for part in fixed) <= 10 * 60
    assert last.name == "studies"  # It takes what is left.


def test_the_parts_are_those_that_were_asked_for():
    names = [part.name for part in make_parts(SIZE)]
    assert names == [part.name for part in make_parts(Size(tiny=True))]
    assert len(set(names)) == len(names)
    for name in ("cgan", "cdcgan", "dcgan_upsample", "sngan_resnet_paper", "sngan_resnet_paper_bfloat16"):
        assert f"steps-{name}" in names
    flags = {part.name: part.variables["XLA_FLAGS"] for part in make_parts(SIZE) if part.name.startswith("graph-cgan")}
    assert flags["graph-cgan-while_conditional"] == "--xla_gpu_enable_command_buffer=+WHILE,+CONDITIONAL"
    assert works.load("sngan_resnet_paper_bfloat16").dtype == "bfloat16"
    assert seeds.COUNTS == (1, 4, 16, 64)


@pytest.mark.parametrize(
    ("intervals", "expected"),
    [([(0, 2), (1, 3), (5, 6)], (4, 6)), ([(4, 5), (0, 10)], (10, 10)), ([(2, 3)], (1, 1))],
)
def test_the_union_of_intervals(intervals, expected):
    assert busy.covered(intervals) == expected


def test_the_busy_share_is_that_of_the_streams_of_the_gpu(tmp_path, monkeypatch):
    event = lambda start, end: types.SimpleNamespace(start_ns=start, end_ns=end)  # noqa: E731
    line = lambda name, *events: types.SimpleNamespace(name=name, events=events)  # noqa: E731
    planes = [
        types.SimpleNamespace(name="/host:CPU", lines=[line("python", event(0, 100))]),
        types.SimpleNamespace(
            name="/device:GPU:0",
            lines=[line("Stream #1(Compute)", event(10, 20), event(30, 50)), line("XLA Modules", event(10, 50))],
        ),
    ]
    profile = types.SimpleNamespace(from_file=lambda path: types.SimpleNamespace(planes=planes))
    (tmp_path / "a.xplane.pb").touch()
    monkeypatch.setattr(jax.profiler, "ProfileData", profile)
    assert busy.busy_share(tmp_path) == 0.75


def test_a_profile_without_a_gpu_has_no_busy_share(tmp_path):
    with jax.profiler.trace(str(tmp_path)):
        jnp.ones(3).block_until_ready()
    assert busy.busy_share(tmp_path) is None


def test_the_cost_of_a_step_has_the_products_of_its_layers():
    g, d = (110 * 256 + 256 * 512 + 512 * 1024 + 1024 * 784), (794 * 1024 + 1024 * 512 + 512 * 256 + 256)
    products = 2 * 128 * (g + 2 * 3 * d + 3 * g + 2 * d)  # see test_step_gflop_counts_the_products_of_the_layers
    assert products < roofline.cost("cgan")["flops"] < 1.03 * products


def test_the_roofline_is_the_longer_of_arithmetic_and_memory():
    peaks = {"flops_per_second": {"float32": 10.0, "bfloat16": 100.0}, "bytes_per_second": 2.0}
    assert roofline.least_seconds({"flops": 50.0, "bytes": 4.0}, peaks, "float32") == 5.0
    assert roofline.least_seconds({"flops": 50.0, "bytes": 4.0}, peaks, "bfloat16") == 2.0


def times_of_contenders(entries, name, device, **effort):
    """Stands in for contenders.measure: one form fails, the others take 2, 3, ... times as long as gan_jax."""
    good = [label for label in entries if label != "PyTorch compile"]
    ms = {label: [[float(index), 2.0 * index]] for index, label in enumerate(good, 1)}
    return contenders.Times(ms, {"PyTorch compile": "RuntimeError: no compiler"})


def test_steps_are_timed_beside_pytorchs_forms_for_a_gpu(monkeypatch):
    monkeypatch.setattr(contenders, "measure", times_of_contenders)
    monkeypatch.setattr(steps, "apart", lambda function, *arguments: function(*arguments))
    monkeypatch.setattr(roofline, "cost", lambda name: {"flops": 1.0, "bytes": 1.0})
    rows = steps.measure("cgan", tiny=False)["contenders"]
    assert rows["gan_jax"]["steps_per_second"] == pytest.approx(666.7)
    assert rows["PyTorch eager"]["ratio"]["median"] == 2.0
    assert rows["PyTorch compile"] == {"error": "RuntimeError: no compiler"}
    assert "PyTorch compile, reduce-overhead, one forward pass" in rows
    assert not any("max-autotune" in label or "whole step" in label for label in rows)


@pytest.mark.slow
def test_seeds_are_trained_in_one_program():
    rows = seeds.measure(works.tiny("semi_supervised"), tiny=True)["seeds"]
    assert list(rows) == ["1", "2"]
    assert rows["1"]["ratio"] == 1.0
    assert rows["2"]["ms"]["median"] > 0


def test_too_many_seeds_for_the_memory_are_a_result(monkeypatch):
    def milliseconds(name, count, calls):
        if count == 16:
            raise RuntimeError("RESOURCE_EXHAUSTED: out of memory")
        return [float(count)]

    monkeypatch.setattr(seeds, "_milliseconds", milliseconds)
    rows = seeds.measure("cgan", tiny=False)["seeds"]
    assert {count: row.get("ratio", row.get("error")) for count, row in rows.items()} == {
        "1": 1.0,
        "4": 4.0,
        "16": "out of memory",
    }


@pytest.mark.thorough
@pytest.mark.parametrize("variant", ["default", pytest.param("unrolled", marks=pytest.mark.slow)])
def test_a_loop_is_timed_and_profiled(variant, tmp_path):
    result = graphs.measure(works.tiny("cgan"), variant, tmp_path)
    assert result["ms"] > 0
    assert result["busy_share"] is None


@pytest.mark.thorough
def test_the_studies_change_the_optimizers_only():
    assert studies.names() == ["beta1", "learning_rate", "optimizer", "ttur", "weight_decay"]


@pytest.mark.parametrize(
    ("code", "unfinished"),
    [("pass", False), ("import sys; sys.exit(75)", True), ("import time; time.sleep(600)", None)],
)
def test_studies_are_asked_to_stop_in_time(code, unfinished, tmp_path, monkeypatch):
    monkeypatch.setattr(studies, "_command", lambda *arguments: [sys.executable, "-c", code])
    if unfinished is None:  # Ended by the signal: the command neither finished nor saved.
        with pytest.raises(RuntimeError, match="exit code -15"):
            studies.measure(tiny=True, idx="", seconds=21.0, folder=tmp_path)
    else:
        assert studies.measure(True, "", 60.0, tmp_path) == {"unfinished": unfinished, "seeds": {}}


def test_a_part_writes_its_record(tmp_path, monkeypatch):
    measured = Part("device", lambda run: {"seconds": run.seconds, "folder": run.folder.name}, 1.0)
    monkeypatch.setattr(one_part, "make_parts", lambda size: [measured])
    assert run(one_part, "device", tmp_path, "--seconds", 7, "--tiny") == 0
    record = json.loads((tmp_path / "device.json").read_text())
    assert record["result"] == {"seconds": 7.0, "folder": "device"}
    assert record["tiny"] is True
    assert record["provenance"]["commit"]
    assert record["provenance"]["device"]["platform"] == "cpu"


ORIGIN = {
    "date": "2026-11-30",
    "commit": "0123456789abcdef",
    "device": {"count": 1, "kind": "a GPU", "platform": "gpu"},
    "cpu_model": "a CPU",
    "python": "3.12",
    "versions": {"jax": "0.11"},
    "torch": "2.14",
}


def test_the_page_has_every_part_and_every_failure():
    ms = {"lower": 1.0, "median": 2.0, "upper": 3.0}
    peaks = {"flops_per_second": {"float32": 1e12, "bfloat16": 2e12}, "bytes_per_second": 1e12, "stated": None}
    rows = {"gan_jax": {"ms": ms, "steps_per_second": 500.0}, "PyTorch compile": {"error": "none | here"}}
    step = {"work": "cgan", "batch_size": 128, "dtype": "float32", "cost": {"flops": 1e9, "bytes": 1e6}}
    results = {
        "device": peaks,
        "steps-cgan": {**step, "contenders": rows},
        "graph-cgan-default": {"work": "cgan", "variant": "default", "ms": 2.0, "busy_share": 0.5},
        "seeds-cgan": {"work": "cgan", "seeds": {"1": {"ms": ms, "ratio": 1.0}, "4": {"error": "out of memory"}}},
        "studies": {"unfinished": True, "seeds": {"beta1": {"0.5": 10, "0.9": 7}}},
    }
    records = {name: {"tiny": False, "result": result, "provenance": ORIGIN} for name, result in results.items()}
    records["graph-cgan-while"] = {"tiny": False, "error": "exit code -11: a crash"}
    records["steps-cdcgan"] = {"tiny": False, "error": "not done within 45 s"}
    text = page.page(records)
    for line in (
        "| gan_jax | 2 (1 to 3) | 500 | 50% | - |",
        "| `cgan`, default | 2 | 50% |",
        "| `cgan` | 4 | out of memory | - |",
        "| `beta1` | 0.5 10, 0.9 7 |",
        "steps-cdcgan: failed, not done within 45 s",
        "2026-11-30, commit 0123456789ab, 1 x a GPU, a CPU, Python 3.12, jax 0.11, PyTorch 2.14.",
    ):
        assert line in text
    assert "| graph-cgan-while | failed: exit code -11: a crash | - |" in text
    assert "the numbers mean nothing" not in text
    assert "the numbers mean nothing" in page.page({"device": {**records["device"], "tiny": True}})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "or add --tiny"),
        (["--tiny", "--only", "step-cgan"], "did you mean steps-cgan"),
        (["--minutes", "0"], "--minutes=0: must be at least 1"),
    ],
)
def test_wrong_arguments_get_one_line(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(gpu, "apart", lambda function: function())
    assert run(gpu, *arguments, "--output", tmp_path / "records") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not (tmp_path / "records").exists()


def test_tiny_records_are_no_measurements(tmp_path, monkeypatch, capsys):
    (tmp_path / "device.json").write_text('{"tiny": true}')
    monkeypatch.setattr(gpu, "apart", lambda function: "gpu")
    assert run(gpu, "--output", tmp_path) == 2
    assert "has records of a run with --tiny" in capsys.readouterr().err


def test_the_command_runs_its_parts_and_writes_the_page(tmp_path, monkeypatch, capsys):
    def run_parts(parts, folder, size, seconds, retry):
        assert [part.name for part in parts] == ["device"]
        record = {"tiny": True, "error": "none"}
        (folder / "device.json").write_text(json.dumps(record))
        return ["device"]

    monkeypatch.setattr(schedule, "run_parts", run_parts)
    assert run(gpu, "--tiny", "--only", "device", "--output", tmp_path) == 0
    assert "no time left for device; the same command continues" in capsys.readouterr().out
    assert "device: failed, none" in (tmp_path / "gpu.md").read_text()
