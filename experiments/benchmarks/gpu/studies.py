"""Runs ablation studies with ten seeds an arm, as far as the time goes; the next start continues them."""

import json
import pathlib
import signal
import subprocess
import sys

from experiments.ablations import plan
from gan_jax.system import config as configs
from gan_jax.system.errors import Interrupted

_BASE, _SEEDS, _STEPS, _JOBS = "tuned", 10, 2500, 4
_TINY_STUDIES = ("beta1",)
_SAVING_SECONDS = 20.0  # between the request to stop and the end of this part
_OF_OPTIMIZERS = ("d_optimizer.", "g_optimizer.")


def names() -> list[str]:
    """The studies whose arms change the optimizers only, so that all have the networks and batches of one program."""
    return [study for study in plan.STUDIES if all(leaf.startswith(_OF_OPTIMIZERS) for leaf in _changes(study))]


def _changes(study: str) -> set[str]:
    """The leaves in which an arm of a study differs from its baseline."""
    arms = plan.plan((study,), (_BASE,), _STEPS, {})
    leaves = [configs.leaves(arm.config) for arm in arms]
    (base,) = (configs.leaves(arm.config) for arm in arms if arm.is_baseline)
    return {leaf for arm in leaves for leaf in base if arm[leaf] != base[leaf]}


def _command(tiny: bool, idx: str, folder: pathlib.Path) -> list[str]:
    seeds, steps, jobs = (1, 4, 1) if tiny else (_SEEDS, _STEPS, _JOBS)
    studies = _TINY_STUDIES if tiny else names()
    folders = ["--workdir", str(folder / "runs"), "--output", str(folder / "results")]
    data = ["--idx", idx] if idx else []
    arguments = ["--preset", "quick" if tiny else "full", "--studies", ",".join(studies), "--bases", _BASE]
    numbers = ["--seeds", str(seeds), "--baseline_seeds", str(seeds), "--steps", str(steps), "--jobs", str(jobs)]
    return [sys.executable, "-m", "experiments.ablations", *arguments, *numbers, *folders, *data]


def measure(tiny: bool, idx: str, seconds: float, folder: pathlib.Path) -> dict:
    """Trains for about `seconds`, with the time to save and stop. "unfinished": whether seeds are missing."""
    process = subprocess.Popen(_command(tiny, idx, folder))
    try:
        code = process.wait(max(seconds - _SAVING_SECONDS, 0.0))
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)
        code = process.wait()
    if code not in (0, Interrupted.exit_code):
        raise RuntimeError(f"experiments.ablations ended with exit code {code}")
    return {"unfinished": code != 0, "seeds": _seeds(folder / "results")}


def _seeds(results: pathlib.Path) -> dict[str, dict[str, int]]:
    """Study -> arm -> finished seeds, from the files of results."""
    tables = [json.loads(path.read_text()) for path in sorted(results.glob("*@*.json"))]
    return {table["study"]: {arm: len(entry["seeds"]) for arm, entry in table["arms"].items()} for table in tables}
