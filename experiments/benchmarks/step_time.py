"""Time of one training step beside PyTorch, on this machine: python -m experiments.benchmarks.step_time

The same networks, batch, losses and optimizer, one D and one G update a step, in turns within one process, medians
with quartiles. Needs PyTorch, which the package itself does not: pip install torch
"""

import argparse
import datetime
import json
import os
import pathlib
import time
from collections.abc import Callable

import jax
import numpy as np

from gan_jax import build, cli, train, workdir
from gan_jax import config as configs
from gan_jax.errors import UserError

_BATCH = 128
_CONFIGS = {"cgan": "configs/cgan.py", "cdcgan": "configs/cdcgan.py"}
# What the networks of torch_networks.py are: everything else is the config's own.
_SAME = {
    "batch_size": _BATCH,
    "d_steps": 1,
    "objective": "bce_logits",
    **{f"{p}_optimizer.{k}": v for p in "dg" for k, v in (("learning_rate", 2e-4), ("b1", 0.5))},
    "generator.average_decay": 0.0,
}


def jax_steps(name: str, images: np.ndarray, labels: np.ndarray, steps_per_call: int) -> Callable[[], float]:
    """`steps_per_call` training steps of this package in one call; returns the last discriminator loss."""
    config = configs.load(_CONFIGS[name])
    configs.override(config, {**_SAME, "steps_per_call": steps_per_call})
    gan = build.build(config, images.shape[1:], 10, 1000)
    call = train.compile_steps(gan, steps_per_call)
    state = [train.init_state(gan, config, images.shape[1:])]
    data = jax.device_put((((images + 1) * 127.5).astype(np.uint8), labels))
    indices = np.tile(np.arange(_BATCH, dtype=np.int32), (steps_per_call, 1, 1))
    key = jax.random.key(1)

    def run() -> float:
        state[0], metrics = call(state[0], *data, indices, steps_per_call, key)
        return float(metrics["d_loss"][-1])

    return run


def measure(runs: dict[str, tuple[Callable[[], float], int]], rounds: int) -> dict[str, dict[str, float]]:
    """Milliseconds a step, median and quartiles, over `rounds` turns of every run (function, steps that it makes)."""
    for function, _ in runs.values():
        function(), function()
    seconds = {name: [] for name in runs}
    for _ in range(rounds):
        for name, (function, steps) in runs.items():
            began = time.perf_counter()
            function()
            seconds[name].append((time.perf_counter() - began) / steps * 1e3)
    return {
        name: dict(
            zip(("lower_ms", "median_ms", "upper_ms"), np.percentile(values, (25, 50, 75)).round(2), strict=True)
        )
        for name, values in seconds.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.benchmarks.step_time", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--output", default="experiments/results/step_time.json")
    arguments = parser.parse_args()
    try:
        import torch

        from experiments.benchmarks import torch_networks
    except ImportError:
        raise UserError("this benchmark needs PyTorch beside the requirements: pip install torch") from None
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    rng = np.random.default_rng(0)
    images = rng.uniform(-1, 1, (_BATCH, 28, 28, 1)).astype(np.float32)
    labels = rng.integers(0, 10, _BATCH).astype(np.int32)
    result = {**workdir.provenance(), "torch": torch.__version__, "date": str(datetime.date.today()), "batch": _BATCH}
    for name in _CONFIGS:
        torch_step = lambda layout: torch_networks.training_step(name, images, labels, channels_last=layout)  # noqa: E731, B023
        runs = {
            "gan_jax, 10 steps a call": (jax_steps(name, images, labels, 10), 10),
            "PyTorch eager": (torch_step(False), 1),
            "PyTorch channels_last": (torch_step(True), 1),
        }
        result[name] = times = measure(runs, arguments.rounds)
        best = min(row["median_ms"] for run, row in times.items() if run.startswith("PyTorch"))
        print(f"{name}, batch {_BATCH}, ms a step: median (quartiles)")
        for run, row in times.items():
            print(
                f"  {run:<28}{row['median_ms']:>8.1f} ({row['lower_ms']:.1f} to {row['upper_ms']:.1f})"
                f"   PyTorch's best / this: {best / row['median_ms']:.2f}"
            )
    workdir.write_text(pathlib.Path(arguments.output), json.dumps(result, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    cli.execute(main)
