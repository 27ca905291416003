"""Many devices do what one does: batches cut over them, seeds cut over them, and mistakes in config.mesh."""

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

# TensorFlow's own imports warn about things that are not ours.
pytestmark = pytest.mark.filterwarnings("ignore")


def on_devices(counts, *systems):
    """What tests/devices/on_devices.py found, in a process with 8 devices."""
    environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=8"}
    words = [sys.executable, "-m", "tests.devices.on_devices", counts, *systems]
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def close(ours, theirs):
    """The metrics of every step, to rounding."""
    assert ours.keys() == theirs.keys()
    for name in ours:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-5, atol=1e-6, err_msg=name)


def gap(ours, theirs):
    """The largest relative difference of any metric of any step."""
    return max(np.max(np.abs(np.divide(ours[name], theirs[name]) - 1)) for name in ours if np.all(theirs[name]))


def check(result, counts):
    """The metrics of one device on all numbers of them, and programs that are really shared out."""
    one = result["0"]
    assert not any(one["collectives"].values())
    for count in counts:
        many = result[str(count)]
        close(many["metrics"], one["metrics"])
        print(result["system"], count, "devices:", "gap", gap(many["metrics"], one["metrics"]))
        if count > 1:
            assert many["collectives"]["all-reduce"] >= 1
            assert many["flops"] < one["flops"] * (0.35 + 0.65 / count), (count, many["flops"] / one["flops"])


def test_eight_devices_do_what_one_does():
    """A system with batch norm; and the CPU's convolutions, whose chunks each lie on all devices."""
    system, layers = on_devices("0,8", "configs/cgan_final.py", "convolutions")
    check(system, [8])
    for form in ("plain", "transposed"):
        assert layers[form]["gap"] < 1e-3
        # The gradient of the kernel is added up once, and not in the loop over chunks.
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
@pytest.mark.parametrize("spec", ["configs/cgan_final.py", "configs/dcgan.py", "configs/sgan.py"])
def test_four_seeds_on_four_pairs_of_devices_are_the_four_runs(spec):
    (result,) = on_devices("seeds", spec)
    for ours, theirs in zip(result["together"], result["alone"], strict=True):
        close(ours, theirs)
    assert result["together"][0] != result["together"][1]
    assert len(result["three"]) == 3
    for ours, theirs in zip(result["three"], result["alone"][:3], strict=True):
        close(ours, theirs)


@pytest.mark.slow
def test_images_in_files_reach_eight_devices(stored_set):
    (result,) = on_devices("streamed", str(stored_set))
    close(result["always"], result["never"])


def test_a_mesh_of_one_device_trains_a_run(finished_run, tmp_path):
    """The whole path of a run with a mesh: records, samples, checkpoints."""
    plain, config = finished_run
    configs.override(config, {"mesh": "seed:1,data:-1"})
    session.train(config, str(tmp_path / "mesh"))
    for ours, theirs in zip(rows(tmp_path / "mesh"), rows(plain), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-3, abs=1e-5)
    assert arrays(tmp_path / "mesh")[0] == 7
    # A run may go on on other devices: here it is done.
    session.train(config, str(plain))


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
