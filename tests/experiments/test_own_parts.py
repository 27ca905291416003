"""An objective that a user's file registers, as an arm of a comparison whose runs are other processes."""

import json

import pytest

import gan_jax
from experiments.compare import __main__ as compare
from experiments.compare import arms as arms_of
from experiments.jobs import pool
from gan_jax.system import parts
from tests.tiny import run

FILE = """
import jax
import jax.numpy as jnp

import gan_jax


def d_loss(real, fake, targets):
    return jnp.mean(jax.nn.softplus(-real) + jax.nn.softplus(fake))


def g_loss(real, fake, targets):
    return jnp.mean(jax.nn.softplus(-fake))


gan_jax.register_objective("my_objective", d_loss, g_loss, uses_targets=False)


def get_config():
    return gan_jax.config("cgan", objective="my_objective")
"""
TINY = "num_epochs=0 num_steps=4 batch_size=4 generator.widths=8 discriminator.widths=8 data.num_validation=15"


@pytest.fixture
def file(tmp_path, monkeypatch):
    """The user's file. What it registers is gone after the test."""
    monkeypatch.setattr(parts, "_files", [])
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    yield path
    if parts.is_registered("objective", "my_objective"):
        gan_jax.unregister("objective", "my_objective")


def test_the_processes_of_its_runs_are_given_the_file(file, tmp_path):
    _, arm = arms_of.parse("configs/cgan.py", TINY, [str(file)])
    assert arm.config.objective == "my_objective"
    backend = pool.Processes(1)
    backend.open(tmp_path, 1, 0)
    assert backend._environment[parts.FILES_VARIABLE] == str(file)


def test_the_nodes_of_a_cluster_are_given_the_file(file, tmp_path):
    pytest.importorskip("ray", reason="needs the extra ray")
    from experiments.jobs import ray_backend

    arms_of.parse("configs/cgan.py", TINY, [str(file)])
    backend = ray_backend.Cluster(1, None)
    backend.open(tmp_path, 1, 0)
    assert backend._settings[parts.FILES_VARIABLE] == str(file)


@pytest.mark.slow  # One to three minutes each. What the processes are given is checked above.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("backend", ["local", "ray"])
def test_its_runs_train_with_it(file, folders, backend):
    if backend == "ray":
        pytest.importorskip("ray", reason="needs the extra ray")
    shared = f"{TINY} data.name=idx data.dir={folders.data} eval.every_steps=0"
    arguments = [f"--shared={shared}", "--max_seeds=3", f"--workdir={folders.work}", f"--data_dir={folders.cache}"]
    where = [f"--backend={backend}", *(["--address=local"] if backend == "ray" else [])]
    assert run(compare, "--config", "configs/cgan.py", file, *arguments, *where) == 0
    used = {"bce": [], "my_objective": []}
    for path in folders.work.glob("*/seed-?/run.json"):
        info, config = json.loads(path.read_text()), json.loads((path.parent / "config.json").read_text())
        used[config["objective"]].append((info["status"], info.get("parts", [])))
    assert used["bce"] == [("completed", [])] * 3
    assert used["my_objective"] == [("completed", ["objective my_objective"])] * 3
