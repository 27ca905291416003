"""Time of one training step beside PyTorch, on this machine: python -m experiments.benchmarks.step_time

The same networks, batch, losses and optimizer, one D and one G update a step. Every contender has a process of its own
(PyTorch's idle threads would slow down whatever ran beside them), warms up, and takes turns of ten steps with the
others. Medians with quartiles of the times, and of the ratio within each round, since a virtual machine's speed changes
from minute to minute. Needs PyTorch, which the package itself does not: pip install torch
"""

import argparse
import datetime
import importlib.metadata
import json
import multiprocessing
import os
import pathlib
import time
from collections.abc import Callable

import jax
import numpy as np

from gan_jax import build, cli, steps, train, workdir
from gan_jax import config as configs
from gan_jax.errors import UserError
from gan_jax.types import Batch

_BATCH, _STEPS = 128, 10
# A virtual machine backs a new process's memory with large pages only after a while: until then a step can take 1.4
# times as long, in training as here, and that is not what a run of minutes or hours sees.
_WARM_SECONDS = 25
_CONFIGS = {"cgan": "configs/cgan.py", "cdcgan": "configs/cdcgan.py"}
# What the networks of torch_networks.py are: everything else is the config's own.
_SAME = {
    "batch_size": _BATCH,
    "d_steps": 1,
    "steps_per_call": _STEPS,
    "objective": "bce_logits",
    "discriminator.norm": "none",
    "generator.average_decay": 0.0,
    **{f"{p}_optimizer.{k}": v for p in "dg" for k, v in (("learning_rate", 2e-4), ("b1", 0.5))},
}


def batch() -> tuple[np.ndarray, np.ndarray]:
    """Images float32 [B, 28, 28, 1] in [-1, 1] and labels [B]."""
    rng = np.random.default_rng(0)
    images = rng.uniform(-1, 1, (_BATCH, 28, 28, 1)).astype(np.float32)
    return images, rng.integers(0, 10, _BATCH).astype(np.int32)


def jax_turn(name: str) -> Callable[[], None]:
    """Ten training steps of this package, in one call."""
    config = configs.load(_CONFIGS[name])
    configs.override(config, _SAME)
    images, labels = batch()
    gan = build.build(config, images.shape[1:], 10, 1000)
    call = steps.compile_steps(gan, _STEPS)
    state = [train.init_state(gan, config, images.shape[1:])]
    data = jax.device_put(Batch(((images + 1) * 127.5).astype(np.uint8), labels))
    indices = steps.Indices(np.tile(np.arange(_BATCH, dtype=np.int32), (_STEPS, 1, 1)), None)
    key = jax.random.key(1)

    def turn() -> None:
        state[0], metrics = call(state[0], data, indices, _STEPS, key)
        assert np.isfinite(metrics["d_loss"][-1])

    return turn


def torch_turn(name: str, channels_last: bool) -> Callable[[], None]:
    """Ten training steps of PyTorch."""
    import torch

    from experiments.benchmarks import torch_networks

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    step = torch_networks.training_step(name, *batch(), channels_last=channels_last)

    def turn() -> None:
        losses = [step() for _ in range(_STEPS)]
        assert np.isfinite(losses[-1])

    return turn


CONTENDERS = {
    "gan_jax": jax_turn,
    "PyTorch eager": lambda name: torch_turn(name, channels_last=False),
    "PyTorch channels_last": lambda name: torch_turn(name, channels_last=True),
}


def _serve(contender: str, name: str, pipe) -> None:
    """Takes a turn and answers with its milliseconds a step whenever asked, until told to stop."""
    turn = CONTENDERS[contender](name)
    began = time.monotonic()
    while time.monotonic() - began < _WARM_SECONDS:
        turn()
    pipe.send(None)
    while pipe.recv():
        began = time.perf_counter()
        turn()
        pipe.send((time.perf_counter() - began) / _STEPS * 1e3)


def measure(name: str, rounds: int) -> dict[str, list[float]]:
    """Milliseconds a step of every contender in each of `rounds` rounds."""
    context, pipes, processes = multiprocessing.get_context("spawn"), {}, []
    for contender in CONTENDERS:
        pipes[contender], theirs = context.Pipe()
        processes.append(context.Process(target=_serve, args=(contender, name, theirs)))
        processes[-1].start()
        pipes[contender].recv()
    times = {contender: [] for contender in CONTENDERS}
    for _ in range(rounds):
        for contender, pipe in pipes.items():
            time.sleep(0.5)  # Idle threads of the one before spin for a while.
            pipe.send(True)
            times[contender].append(pipe.recv())
    for pipe, process in zip(pipes.values(), processes, strict=True):
        pipe.send(False)
        process.join()
    return times


def quartiles(values: list[float]) -> dict[str, float]:
    names = ("lower", "median", "upper")
    return dict(zip(names, np.percentile(values, (25, 50, 75)).round(3), strict=True))


def summarize(times: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """Quartiles of every contender's milliseconds, and of PyTorch's best over this package, round by round."""
    rows = {contender: quartiles(values) for contender, values in times.items()}
    best = min((c for c in times if c != "gan_jax"), key=lambda contender: rows[contender]["median"])
    rows["ratio to PyTorch's best"] = quartiles(np.divide(times[best], times["gan_jax"]))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.benchmarks.step_time", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--output", default="experiments/results/step_time.json")
    arguments = parser.parse_args()
    try:
        version = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        raise UserError("this benchmark needs PyTorch beside the requirements: pip install torch") from None
    result = {**workdir.provenance(), "torch": version, "date": str(datetime.date.today()), "batch": _BATCH}
    for name in _CONFIGS:
        result[name] = rows = summarize(measure(name, arguments.rounds))
        print(f"{name}, batch {_BATCH}, ms a step: median (quartiles)")
        for label, row in rows.items():
            print(f"  {label:<24}{row['median']:>8.2f} ({row['lower']:.2f} to {row['upper']:.2f})")
    workdir.write_text(pathlib.Path(arguments.output), json.dumps(result, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    cli.execute(main)
