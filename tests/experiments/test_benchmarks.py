"""The benchmark against PyTorch: equal losses, alternating measurements, the page, wrong arguments."""

import argparse
import functools
import importlib.metadata
import json
import math
import operator
import os
import sys
import time
import types

import numpy as np
import pytest

from experiments.benchmarks import __main__ as benchmarks
from experiments.benchmarks import (
    contenders,
    convolutions,
    forms,
    machine,
    peak,
    processes,
    report,
    streaming,
    summary,
    works,
)
from experiments.benchmarks.processes import Contender, apart
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
# One process with three rounds.
TIMES = {
    "gan_jax": [[10.0, 20.0, 10.0]],
    "PyTorch eager": [[20.0, 40.0, 30.0]],
    "PyTorch compile": [[30.0, 30.0, 50.0]],
}


def work():
    rows = summary.summarize(TIMES, 128, 0.5, 100.0)
    return {
        "title": "Two layers",
        "config": "configs/cgan.py",
        "batch_size": 128,
        "step_gflop": 0.5,
        "processes": 1,
        "rounds": 3,
        "not_installed": ["jemalloc"],
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


FORMS_OF_WORKS = [
    pytest.param(name, label, marks=pytest.mark.slow if forms.FORMS[label].compiled else ())
    for name in ("cgan", "semi_supervised", "cdcgan")
    for label in forms.labels(works.load(name), "gpu")[2:]
]


@pytest.mark.parametrize(("name", "label"), FORMS_OF_WORKS)
def test_every_form_of_pytorch_computes_the_same_losses(torch, name, label, monkeypatch):
    from experiments.benchmarks import equality

    monkeypatch.setenv("TORCHINDUCTOR_COMPILE_THREADS", "1")
    torch._dynamo.reset()  # The programs of other forms would count towards the limit of programs.
    differences = equality.check_equal_losses(works.tiny(name), batch_size=8, form=forms.FORMS[label])
    assert max(differences["d_loss"], differences["g_loss"]) < 1e-5


def test_one_forward_pass_calls_the_discriminator_once(torch):
    """The test of equal losses would pass if the form were ignored."""
    from experiments.benchmarks.torch_step import Trainer

    config = works.load(works.tiny("semi_supervised"))
    real = works.as_floats(works.real_images("semi_supervised", config))
    sizes = {}
    for label in ("PyTorch eager", "PyTorch eager, one forward pass"):
        trainer, batches = Trainer(config, real, forms.FORMS[label]), []
        trainer.discriminator.register_forward_hook(lambda module, inputs, output, b=batches: b.append(len(inputs[0])))
        trainer.step()
        sizes[label] = batches
    # D's update, then G's: the generated images and, for feature matching, the real ones.
    assert list(sizes.values()) == [[8, 8, 8, 8, 8], [24, 8, 8]]


def test_bfloat16_is_for_products_only(torch):
    from experiments.benchmarks.torch_step import Trainer

    config = works.load(works.tiny("sngan_resnet_paper_bfloat16"))
    real = works.as_floats(works.real_images("sngan_resnet_paper", config))
    losses, dtypes = {}, {}
    for autocast in (False, True):
        torch.manual_seed(0)
        trainer, of_convolutions = Trainer(config, real, forms.Form(autocast=autocast)), set()
        for module in trainer.discriminator.modules():
            if isinstance(module, torch.nn.Conv2d):
                module.register_forward_hook(lambda module, inputs, output, d=of_convolutions: d.add(output.dtype))
        losses[autocast] = [float(loss) for loss in trainer.step()]
        dtypes[autocast] = of_convolutions
        assert {parameter.grad.dtype for parameter in trainer.discriminator.parameters()} == {torch.float32}
    assert dtypes == {False: {torch.float32}, True: {torch.bfloat16}}
    assert losses[True] == pytest.approx(losses[False], rel=0.02, abs=0.02)


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


def contender(make_turn, arguments, variables=None):
    result = Contender(make_turn, arguments, 0.0, variables)
    result.wait_until_warm(60.0)
    return result


def test_contenders_are_measured_or_record_their_error():
    sleeps = contender(functools.partial, (time.sleep, 0.01))
    assert sleeps.error == ""
    assert sleeps.turn() >= 0.01
    sleeps.close()
    fails = contender(operator.truediv, (1, 0))
    assert fails.error == "ZeroDivisionError: division by zero"
    fails.close()
    stops = contender(functools.partial, (next, iter([None])))
    assert math.isnan(stops.turn())
    assert stops.error == "StopIteration:"
    stops.close()


def turn_with_variable(label, name, device, pins):
    """Stands in for contenders.make_turn: needs the variable that its label names."""
    if label != forms.OURS and os.environ.get("OF_THIS_TEST") != label:
        raise KeyError(label)
    return functools.partial(time.sleep, 0.001)


@pytest.mark.thorough
def test_a_contender_has_its_own_environment_and_one_process_after_the_other(monkeypatch):
    monkeypatch.setattr(contenders, "make_turn", turn_with_variable)
    entries = {
        "gan_jax": contenders.Entry(forms.OURS),
        "right": contenders.Entry("a", forms.Environment({"OF_THIS_TEST": "a"})),
        "wrong": contenders.Entry("a", forms.Environment({"OF_THIS_TEST": "b"})),
    }
    times, errors = contenders.measure(entries, "cgan", "cpu", rounds=3, processes=2, warm_seconds=0.0)
    assert errors == {"wrong": "KeyError: 'a'"}
    assert {label: [len(rounds) for rounds in processes] for label, processes in times.items()} == {
        "gan_jax": [3, 3],
        "right": [3, 3],
    }
    assert "OF_THIS_TEST" not in os.environ


def test_the_environments_are_tried_for_gan_jax_and_for_the_fastest_form(monkeypatch):
    """Without PyTorch: `compile` is the fastest form, and pinned threads halve every time."""
    measured = []

    def measure(entries, name, device, **effort):
        measured.append(list(entries))
        base = {"gan_jax": 10.0, "PyTorch compile": 15.0}
        seconds = lambda entry: base.get(entry.form, 20.0) / (2 if entry.environment.pins else 1)  # noqa: E731
        failed = "PyTorch compile, max-autotune"
        ms = {label: [[seconds(entry)], [seconds(entry)]] for label, entry in entries.items() if label != failed}
        return contenders.Times(ms, {failed: "none"} if failed in entries else {})

    equality = types.SimpleNamespace(
        check_equal_losses=lambda name: {"d_loss": 0.0, "g_loss": 0.0, "after_10_steps": 0.0}
    )
    monkeypatch.setitem(sys.modules, "experiments.benchmarks.equality", equality)
    monkeypatch.setattr(processes, "apart", lambda function, *arguments: function(*arguments))
    monkeypatch.setattr(peak, "step_gflop", lambda name: 0.5)
    monkeypatch.setattr(peak, "measure", lambda device: {"gflops": 100.0, "by_framework": {}})
    monkeypatch.setattr(contenders, "measure", measure)
    monkeypatch.setattr(forms.ctypes.util, "find_library", lambda name: None)
    section = benchmarks._measure_work("cgan", "cpu", benchmarks.Effort(2, 1, 0.0))
    assert measured[0] == forms.labels(works.load("cgan"), "cpu")
    assert measured[1] == ["gan_jax", "gan_jax, pinned threads", "PyTorch compile, pinned threads"]
    rows = section["contenders"]
    assert rows["PyTorch compile, max-autotune"] == {"error": "none"}
    assert summary.best_rival(rows) == "PyTorch compile, pinned threads"
    assert rows["PyTorch compile, pinned threads"]["ratio"]["median"] == 0.75
    assert section["not_installed"] == ["tcmalloc", "jemalloc"]
    assert "2 processes of 1 rounds" in report.page({"works": {"cgan": {**section, "provenance": PROVENANCE}}})


def affinities_of_pinned_threads():
    machine.pin_threads("")
    return [len(os.sched_getaffinity(int(thread))) for thread in os.listdir("/proc/self/task")]


@pytest.mark.thorough
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot pin threads")
def test_pinned_threads_have_one_core_each():
    assert set(apart(affinities_of_pinned_threads)) == {1}


def test_allocators_are_preloaded_if_they_are_installed(monkeypatch):
    library = {"jemalloc": "libjemalloc.so.2"}.get
    monkeypatch.setattr(forms.ctypes.util, "find_library", library)
    found, missing = forms.environments()
    assert found["jemalloc"].variables == {"LD_PRELOAD": "libjemalloc.so.2"}
    assert missing == ["tcmalloc"]


def test_quartiles_are_over_processes():
    times = {"gan_jax": [[1.0, 9.0, 2.0], [4.0, 4.0, 4.0]], "PyTorch eager": [[2.0, 9.0, 8.0], [4.0, 8.0, 12.0]]}
    rows = summary.summarize(times, 128, 0.5, 100.0)
    assert rows["gan_jax"]["ms"] == {"lower": 2.5, "median": 3.0, "upper": 3.5}  # of 2 and 4
    assert rows["PyTorch eager"]["ratio"] == {"lower": 2.0, "median": 2.0, "upper": 2.0}  # 2, 1, 4 and 1, 2, 3


def test_the_best_rival_has_the_lowest_ratio():
    """Contenders of different generations are compared with gan_jax in their own rounds."""
    ms = lambda value: {"median": value}  # noqa: E731
    rows = {
        "gan_jax": {"ms": ms(10.0)},
        "gan_jax, jemalloc": {"ms": ms(1.0), "ratio": ms(0.1)},
        "PyTorch eager": {"ms": ms(20.0), "ratio": ms(2.0)},
        "PyTorch eager, jemalloc": {"ms": ms(21.0), "ratio": ms(1.5)},
        "PyTorch compile": {"error": "none"},
    }
    assert summary.best_rival(rows) == "PyTorch eager, jemalloc"


def test_the_page_has_the_share_of_the_single_pass():
    ratio = lambda value: {"ratio": {"median": value}}  # noqa: E731
    measured = {
        "PyTorch eager": ratio(1.4),
        "PyTorch eager, one forward pass": ratio(1.3),
        "PyTorch compile": ratio(0.9),
        "PyTorch compile, one forward pass": ratio(0.8),
    }
    eager, compiled, allocators = report.notes({"contenders": measured, "not_installed": ["jemalloc"]}).splitlines()[:3]
    assert eager.endswith("1.3 times with one forward pass of D: this pass is 25% of gan_jax's lead over that form.")
    assert compiled.endswith("0.8 times with one forward pass of D.")  # gan_jax has no lead.
    assert "jemalloc" in allocators


def test_ratios_are_computed_within_each_round():
    rows = summary.summarize(TIMES, 128, 0.5, 100.0)
    assert rows["PyTorch eager"]["ratio"] == {"lower": 2.0, "median": 2.0, "upper": 2.5}
    assert rows["gan_jax"]["images_per_second"] == 12800
    assert rows["gan_jax"]["peak_fraction"] == 0.5
    assert summary.best_rival(rows) == "PyTorch eager"


def test_forms_are_timed_only_if_they_differ():
    mlp, convolutional = works.load("cgan"), works.load("cdcgan")
    assert "PyTorch channels_last" not in forms.labels(mlp, "cpu")
    assert "PyTorch eager, one forward pass" in forms.labels(mlp, "cpu")
    assert "PyTorch channels_last" in forms.labels(convolutional, "cpu")
    assert "PyTorch eager, one forward pass" not in forms.labels(convolutional, "cpu")
    assert "PyTorch compile, reduce-overhead" not in forms.labels(convolutional, "cpu")
    assert "PyTorch compile, reduce-overhead" in forms.labels(convolutional, "gpu")


def test_the_page_names_every_form():
    page = report.page({"works": {}})
    for form in forms.FORMS.values():
        parts = (form.channels_last and "channels_last", form.single_pass and "one forward pass", form.compiled)
        assert all(part in page for part in (*filter(None, parts), form.mode) if part not in ("networks", "default"))
    assert all(f"`{allocator}`" in page for allocator in forms.ALLOCATORS)


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
    for label in (forms.OURS, convolutions.XLA):
        forward, gradients = convolutions.jax_passes(layer, (x, w, dy), label)
        expected = (y.transpose(0, 2, 3, 1), dx.transpose(0, 2, 3, 1), dw)
        for actual, torch_array in zip((forward(), *gradients()), expected, strict=True):
            np.testing.assert_allclose(actual, torch_array, rtol=1e-4, atol=1e-4)


def test_a_new_measurement_of_one_part_keeps_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(benchmarks, "_measure_work", lambda name, *other_arguments: work())
    monkeypatch.setattr(benchmarks, "_torch_version", lambda: "2.13.0")
    monkeypatch.setattr(machine, "load_average", lambda: 0.1)
    for name in ("cdcgan", "cgan"):
        assert run(benchmarks, "--only", name, "--output", tmp_path / "results") == 0
    result = json.loads((tmp_path / "results" / "benchmark.json").read_text())
    assert list(result["works"]) == ["cgan", "cdcgan"]
    assert "## cdcgan" in (tmp_path / "results" / "benchmark.md").read_text()


def test_a_busy_machine_is_refused_before_anything_is_measured(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(benchmarks, "_measure_work", lambda name, *other_arguments: work())
    monkeypatch.setattr(benchmarks, "_torch_version", lambda: "2.13.0")
    monkeypatch.setattr(machine, "load_average", lambda: 0.6)
    output = tmp_path / "results"
    assert run(benchmarks, "--only", "cgan", "--output", output) == 2
    assert "load average is 0.6, above 0.5" in capsys.readouterr().err
    assert not output.exists()
    assert run(benchmarks, "--only", "cgan", "--output", output, "--any-load") == 0
    assert "start 0.6, above 0.5: measured beside other work" in (output / "benchmark.md").read_text()


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
