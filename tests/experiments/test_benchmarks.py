"""The benchmark against PyTorch: equal losses, alternating measurements, the page, wrong arguments."""

import argparse
import functools
import importlib.metadata
import json
import math
import operator
import time

import numpy as np
import pytest

from experiments.benchmarks import __main__ as benchmarks
from experiments.benchmarks import contenders, convolutions, report, streaming, summary, works
from experiments.benchmarks.processes import Contender
from tests.tiny import run

PROVENANCE = {
    "commit": "abc",
    "date": "2026-11-21",
    "device": {"platform": "cpu", "kind": "cpu", "count": 1},
    "cpu_model": "a CPU",
    "cpu_cores": 2,
    "load_average": 0.1,
    "python": "3.11.7",
    "versions": {"jax": "0.10.2"},
    "torch": "2.13.0",
}
TIMES = {"gan_jax": [10.0, 20.0, 10.0], "PyTorch eager": [20.0, 40.0, 30.0], "PyTorch compile": [30.0, 30.0, 50.0]}


def work():
    rows = summary.summarize(TIMES, 128, 0.5, 100.0)
    return {
        "title": "Two layers",
        "config": "configs/cgan.py",
        "batch_size": 128,
        "step_gflop": 0.5,
        "rounds": 3,
        "peak": {"gflops": 100.0, "by_framework": {}},
        "equality": {"d_loss": 1e-7, "g_loss": 2e-7, "after_10_steps": 3e-5},
        "contenders": {**rows, "PyTorch channels_last": {"error": "CppCompileError: no | compiler"}},
    }


@pytest.mark.parametrize(
    "name", ["cgan", "cdcgan", *(pytest.param(n, marks=pytest.mark.slow) for n in list(works.WORKS)[2:])]
)
def test_both_frameworks_compute_the_same_losses(torch, name):
    from experiments.benchmarks import equality

    differences = equality.check_equal_losses(name, batch_size=8)
    assert max(differences["d_loss"], differences["g_loss"]) < 1e-5


def test_different_weights_are_detected(torch, monkeypatch):
    from experiments.benchmarks import equality

    monkeypatch.setattr(equality, "copy_weights", lambda network, player: None)
    with pytest.raises(AssertionError, match="cgan: the first D loss is"):
        equality.check_equal_losses("cgan", batch_size=8)


def test_step_gflop_counts_the_products_of_the_layers(torch):
    from experiments.benchmarks import peak

    g, d = (110 * 256 + 256 * 512 + 512 * 1024 + 1024 * 784), (794 * 1024 + 1024 * 512 + 512 * 256 + 256)
    # Each layer has a product forward, one for the gradient of its weights and one for that of its inputs (in first
    # layers: of the label embedding). D's update: G forward, all three of D for real and fake images. G's update: all
    # three of G, and those of D without the gradient of the weights.
    products = g + 2 * 3 * d + 3 * g + 2 * d
    assert peak.step_gflop("cgan") == pytest.approx(2 * 128 * products / 1e9)


def test_contenders_are_measured_or_record_their_error():
    sleeps = Contender(functools.partial, (time.sleep, 0.01), 0.0, 60.0)
    assert sleeps.error == ""
    assert sleeps.turn() >= 0.01
    sleeps.close()
    fails = Contender(operator.truediv, (1, 0), 0.0, 60.0)
    assert fails.error == "ZeroDivisionError: division by zero"
    fails.close()
    stops = Contender(functools.partial, (next, iter([None])), 0.0, 60.0)
    assert math.isnan(stops.turn())
    assert stops.error == "StopIteration:"
    stops.close()


def test_ratios_are_computed_within_each_round():
    rows = summary.summarize(TIMES, 128, 0.5, 100.0)
    assert rows["PyTorch eager"]["ratio"] == {"lower": 2.0, "median": 2.0, "upper": 2.5}
    assert rows["gan_jax"]["images_per_second"] == 12800
    assert rows["gan_jax"]["peak_fraction"] == 0.5
    assert summary.best_rival(rows) == "PyTorch eager"


def test_layouts_are_timed_for_convolutions_only():
    assert "PyTorch channels_last" not in contenders.labels("cgan", "cpu")
    assert "PyTorch channels_last" in contenders.labels("cdcgan", "cpu")
    assert "PyTorch compile, reduce-overhead" in contenders.labels("cdcgan", "gpu")


def test_the_page_shows_every_section(tmp_path):
    interval = {"lower": 1.0, "median": 2.0, "upper": 3.0}
    row = {"temp": 2**20, "argument": 2**20, "output": 0, "total": 2**21}
    rates = {"forward": {"gan_jax": 99.6, "torch": 200.0}, "with gradients": {"gan_jax": 50.0, "torch": 150.0}}
    result = {
        "works": {"cgan": {**work(), "provenance": PROVENANCE}},
        "convolutions": {"batch": 128, "rows": [{"work": "cdcgan", "layer": "3x3", "gflop": 1.0, "rates": rates}]},
        "cold_start": {"seconds": {"cgan": {"gan_jax": interval}}},
        "memory": {"work": "cdcgan", "batches": {"32": row}, "bytes_per_image": 2048, "bytes_besides": 2**20},
        "seeds": {"work": "cgan", "seeds": 16, "together": interval, "in_turn": interval, "ratio": interval},
    }
    for name in ("convolutions", "cold_start", "memory", "seeds"):
        result[name]["provenance"] = PROVENANCE
    page = report.page(result)
    assert "| `cgan` | 10 (10 to 15) | 30 (25 to 35), eager | 2 (2 to 2.5) |" in page
    assert "| PyTorch channels_last | failed: CppCompileError: no / compiler | - | - | - |" in page
    assert "| gan_jax, forward | torch, forward | gan_jax, with gradients | torch, with gradients |" in page
    assert "| `cdcgan` | 3x3 | 100 | 200 | 50 | 150 |" in page
    for line in ("| `cgan` | gan_jax | 2 (1 to 3) |", "| 32 | 1.0 | 1.0 | 0.0 | 2.0 |", "2 KiB per image"):
        assert line in page
    report.write_chart(tmp_path / "chart.png", result["works"])
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "layer",
    [
        convolutions.Layer(6, 3, 4, 3),
        convolutions.Layer(6, 3, 4, 4, stride=2),
        convolutions.Layer(3, 4, 3, 4, stride=2, transposed=True),
    ],
    ids=str,
)
def test_single_convolutions_are_equal_in_every_form(torch, layer, monkeypatch):
    monkeypatch.setattr(convolutions, "BATCH", 2)
    x, w, dy = layer.arrays()
    flip_kernel = (lambda kernel: kernel[::-1, ::-1]) if layer.transposed else (lambda kernel: kernel)
    forward, gradients = convolutions.torch_passes(layer, (x, flip_kernel(w).copy(), dy), "cpu")
    y, dx, dw = (tensor.detach().numpy() for tensor in (forward(), *gradients()))
    dw = flip_kernel(dw.transpose((2, 3, 0, 1) if layer.transposed else (2, 3, 1, 0)))
    for label in (contenders.OURS, convolutions.XLA):
        forward, gradients = convolutions.jax_passes(layer, (x, w, dy), label)
        expected = (y.transpose(0, 2, 3, 1), dx.transpose(0, 2, 3, 1), dw)
        for actual, torch_array in zip((forward(), *gradients()), expected, strict=True):
            np.testing.assert_allclose(actual, torch_array, rtol=1e-4, atol=1e-4)


def test_a_new_measurement_of_one_part_keeps_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(benchmarks, "_measure_work", lambda name, *other_arguments: work())
    monkeypatch.setattr(benchmarks, "_torch_version", lambda: "2.13.0")
    for name in ("cdcgan", "cgan"):
        assert run(benchmarks, "--only", name, "--output", tmp_path / "results") == 0
    result = json.loads((tmp_path / "results" / "benchmark.json").read_text())
    assert list(result["works"]) == ["cgan", "cdcgan"]
    assert "## cdcgan" in (tmp_path / "results" / "benchmark.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--only", "cgn"], "did you mean cgan"), (["--only", "cgan", "--rounds", "0"], "--rounds=0: must be at least 1")],
)
def test_wrong_arguments_get_one_line(capsys, arguments, message):
    assert run(benchmarks, *arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_a_missing_pytorch_gets_one_line(capsys, monkeypatch):
    def version(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert run(benchmarks, "--only", "cgan") == 2
    assert "pip install torch" in capsys.readouterr().err


@pytest.mark.parametrize(("seconds", "waiting"), [(0.002, 0.0), (0.06, 2 / 3)])
def test_steps_wait_for_a_slower_stream(seconds, waiting):
    """A call of 4 steps at 200 steps per second takes 20 ms; the stream takes 2 or 60 ms for its batches."""
    arguments = argparse.Namespace(steps_per_call=4, steps_per_second=200.0, calls=20)
    waiting_share = streaming._paced(lambda step, count: time.sleep(seconds), arguments)
    assert waiting_share == pytest.approx(waiting, abs=0.12)


def test_streaming_writes_its_measurements(tmp_path):
    pytest.importorskip("grain")
    sizes = ("--num_images", 40, "--side", 16, "--batch_size", 8, "--steps_per_call", 2, "--calls", 3)
    assert run(streaming, *sizes, "--encodings", "raw", "--workers", "0", "--output", tmp_path) == 0
    result = json.loads((tmp_path / "streaming.json").read_text())
    row = result["encodings"]["raw"]["workers"]["0"]
    assert row["images_per_second"]["median"] > 0
    assert row["core_ms_per_image"] >= 0
    assert 0 <= row["waiting"] <= 1
    # 768 bytes of pixels, plus the overhead of records and files.
    assert 768 < result["encodings"]["raw"]["bytes_per_image"] < 5000
    assert f"{row['images_per_second']['median']:.0f} (" in (tmp_path / "streaming.md").read_text()
    assert run(streaming, "--workers", "two") == 2
    assert run(streaming, "--calls", 0) == 2
    assert run(streaming, "--encodings", "gif") == 2
