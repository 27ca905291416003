"""Several devices give the results of one, with batches or seeds sharded over them; mistakes in config.mesh."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from gan_jax.devices import mesh
from gan_jax.system import config as configs
from gan_jax.system.errors import UserError
from gan_jax.training import session
from tests.systems import specs
from tests.tiny import arrays, rows

# Imports of TensorFlow give warnings about other packages.
RESNET = "configs/sngan.py:resnet"  # It has 1x1 convolutions.
pytestmark = pytest.mark.filterwarnings("ignore")


def on_devices(counts, *systems):
    """The results of tests/devices/on_devices.py, in a process with 8 devices."""
    environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=8"}
    command = [sys.executable, "-m", "tests.devices.on_devices", counts, *systems]
    process = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert process.returncode == 0, process.stderr
    return [json.loads(line) for line in process.stdout.splitlines()]


def assert_close(actual, expected):
    """The metrics of every step are equal to rounding."""
    assert actual.keys() == expected.keys()
    for name in actual:
        np.testing.assert_allclose(actual[name], expected[name], rtol=1e-5, atol=1e-6, err_msg=name)


def largest_difference(actual, expected):
    """The largest relative difference of any metric of any step."""
    return max(np.max(np.abs(np.divide(actual[name], expected[name]) - 1)) for name in actual if np.all(expected[name]))


def check(result, counts):
    """Any number of devices gives the metrics of one, and the program divides the operations among them."""
    single = result["0"]
    assert not any(single["collectives"].values())
    for count in counts:
        several = result[str(count)]
        assert_close(several["metrics"], single["metrics"])
        print(
            result["system"],
            count,
            "devices:",
            "largest difference",
            largest_difference(several["metrics"], single["metrics"]),
        )
        if count > 1:
            assert several["collectives"]["all-reduce"] >= 1
            assert several["flops"] < single["flops"] * (0.35 + 0.65 / count), (
                count,
                several["flops"] / single["flops"],
            )


@pytest.mark.thorough
def test_eight_devices_equal_one():
    """A system with batch norm, and every kind of convolution, with the batch or the seeds sharded over the devices."""
    system, layers, seed_layers = on_devices("0,8", "configs/cgan_final.py", "convolutions", "seed_convolutions")
    check(system, [8])
    for form in ("plain", "transposed", "same size", "1x1", "whole image"):
        assert layers[form]["difference"] < 1e-5
        assert seed_layers[form]["difference"] < 1e-5
    for form in ("plain", "transposed"):
        # The gradient of the kernel is reduced once, not in the loop over chunks.
        text = layers[form]["program"]
        reductions = [line for line in text.splitlines() if " all-reduce(" in line]
        assert 1 <= len(reductions) <= 2, reductions
        assert " while(" in text
        assert not any("while/body" in line for line in reductions), reductions
        assert " all-gather(" not in text


@pytest.mark.slow
@pytest.mark.parametrize("spec", specs())
def test_every_system_on_1_2_4_and_8_devices(spec):
    check(*on_devices("0,1,2,4,8", spec), [1, 2, 4, 8])


@pytest.mark.slow
@pytest.mark.parametrize("spec", ["configs/cgan_final.py", "configs/dcgan.py", "configs/sgan.py", RESNET])
def test_four_seeds_on_four_pairs_of_devices_equal_four_runs(spec):
    (result,) = on_devices("seeds", spec)
    for actual, expected in zip(result["together"], result["alone"], strict=True):
        assert_close(actual, expected)
    assert result["together"][0] != result["together"][1]
    assert len(result["three"]) == 3
    for actual, expected in zip(result["three"], result["alone"][:3], strict=True):
        assert_close(actual, expected)


@pytest.mark.slow
def test_images_in_files_reach_eight_devices(stored_set):
    (result,) = on_devices("streamed", str(stored_set))
    assert_close(result["always"], result["never"])


@pytest.mark.thorough
def test_a_mesh_of_one_device_trains_a_run(finished_run, tmp_path):
    """A full run with a mesh: metrics, samples, checkpoints."""
    path, config = finished_run
    configs.override(config, {"mesh": "seed:1,data:-1"})
    session.train(config, str(tmp_path / "mesh"))
    for actual, expected in zip(rows(tmp_path / "mesh"), rows(path), strict=True):
        assert actual == pytest.approx(expected, rel=1e-3, abs=1e-5)
    assert arrays(tmp_path / "mesh")[0] == 7
    # A run can be resumed on other devices; this one is already finished.
    session.train(config, str(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("4", "write data:-1"),
        ("data", "write data:-1"),
        ("data:0", "write data:-1"),
        ("data:" + "9" * 5000, "write data:-1"),
        ("data:-2", "write data:-1"),
        ("data:2,data:4", "write data:-1"),
        ("model:8", "write data:-1"),
        ("data:4", "does not fit the 8 devices"),
        ("data:3", "does not fit the 8 devices"),
        ("seed:-1,data:-1", "does not fit the 8 devices"),
        ("data:8", "batch_size=12 cannot be divided evenly among 8 devices"),
        ("seed:4,data:2", "num_seeds=6 cannot be divided evenly among 4 devices"),
    ],
)
def test_a_wrong_mesh_is_one_line(text, message):
    with pytest.raises(UserError, match=message) as error:
        mesh.make_mesh(text, [None] * 8, 12, 6)
    assert "\n" not in str(error.value)


def test_a_wrong_mesh_leaves_no_folder(config, tmp_path):
    configs.override(config, {"mesh": "data:64"})
    with pytest.raises(UserError, match="mesh='data:64'"):
        session.train(config, str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()
