"""Time of one training step beside PyTorch, on this machine: python -m experiments.benchmarks.step_time

The same networks, batch, losses and optimizer, one D and one G update a step. Every contender has a process of its own
(PyTorch's idle threads would slow down whatever ran beside them), warms up, and takes turns of ten steps with the
others; medians with quartiles. Needs PyTorch, which the package itself does not: pip install torch
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

from gan_jax import build, cli, train, workdir
from gan_jax import config as configs
from gan_jax.errors import UserError

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
    call = train.compile_steps(gan, _STEPS)
    state = [train.init_state(gan, config, images.shape[1:])]
    data = jax.device_put((((images + 1) * 127.5).astype(np.uint8), labels))
    indices = np.tile(np.arange(_BATCH, dtype=np.int32), (_STEPS, 1, 1))
    key = jax.random.key(1)

    def turn() -> None:
        state[0], metrics = call(state[0], *data, indices, _STEPS, key)
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


def measure(name: str, rounds: int) -> dict[str, dict[str, float]]:
    """Milliseconds a step of every contender: median and quartiles over `rounds` turns."""
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
    names = ("lower_ms", "median_ms", "upper_ms")
    return {c: dict(zip(names, np.percentile(t, (25, 50, 75)).round(2), strict=True)) for c, t in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.benchmarks.step_time", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--output", default="experiments/results/step_time.json")
    arguments = parser.parse_args()
    try:
        version = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        raise UserError("this benchmark needs PyTorch beside the requirements: pip install torch") from None
    result = {**workdir.provenance(), "torch": version, "date": str(datetime.date.today()), "batch": _BATCH}
    for name in _CONFIGS:
        result[name] = times = measure(name, arguments.rounds)
        best = min(row["median_ms"] for contender, row in times.items() if contender != "gan_jax")
        print(f"{name}, batch {_BATCH}, ms a step: median (quartiles)")
        for contender, row in times.items():
            spread = f"({row['lower_ms']:.1f} to {row['upper_ms']:.1f})"
            ratio = best / row["median_ms"]
            print(f"  {contender:<24}{row['median_ms']:>8.1f} {spread:<18} PyTorch's best / this: {ratio:.2f}")
    workdir.write_text(pathlib.Path(arguments.output), json.dumps(result, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    cli.execute(main)
