"""Times the contenders, gan_jax and the forms of PyTorch, in turn. A turn is ten training steps of the same work."""

import os
import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from experiments.benchmarks import machine, works
from experiments.benchmarks.forms import FORMS, OURS, USUAL, Environment
from experiments.benchmarks.processes import Contender
from gan_jax import build
from gan_jax.data.batches import Indices
from gan_jax.runs.initial_state import init_state
from gan_jax.training.compiled_steps import compile_steps

# Compilation may take minutes. A contender that takes longer than this counts as failed.
_PATIENCE_SECONDS = 600
_XLA_THREADS = "tf_XLAEigen"  # the first letters of the names of the threads that compute on a CPU


class Entry(NamedTuple):
    """A contender: a form ("gan_jax" or a key of FORMS), and the environment of its process."""

    form: str
    environment: Environment = USUAL


class Times(NamedTuple):
    """ms: contender -> process -> milliseconds per step of each round. errors: failed contender -> its error."""

    ms: dict[str, list[list[float]]]
    errors: dict[str, str]


def jax_turn(name: str) -> Callable[[], None]:
    """Ten training steps of gan_jax, in one call, as gan_jax.main runs them, on JAX's default device."""
    config, num_steps = works.load(name), works.STEPS
    real = works.real_images(name, config)
    shape = real.images.shape[1:]
    gan = build.build(config, shape, works.NUM_CLASSES, 1000)
    call = compile_steps(gan, num_steps)
    state = [init_state(gan, config.seed, works.as_floats(real))]
    rows = np.tile(np.arange(config.batch_size, dtype=np.int32), (num_steps, 1, 1))
    data, indices = jax.device_put(real), Indices(rows, rows if real.labelled else None)
    key = jax.random.key(1)

    def turn() -> None:
        state[0], metrics = call(state[0], data, indices, num_steps, key)
        if not np.isfinite(metrics["d_loss"][-1]):
            raise FloatingPointError("the discriminator's loss is not finite")

    return turn


def prepare_torch(device: str) -> str:
    """Sets PyTorch to JAX's defaults; returns PyTorch's name of the device."""
    import torch

    if hasattr(os, "sched_getaffinity"):
        torch.set_num_threads(len(os.sched_getaffinity(0)))
    if device == "gpu":
        # On a GPU, JAX computes float32 products in TF32 by default.
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True
    return "cuda" if device == "gpu" else "cpu"


def torch_turn(name: str, device: str, label: str) -> Callable[[], None]:
    """Ten training steps of PyTorch."""
    # PyTorch's own compiler processes would stay idle beside the timed processes, which matters on a CPU.
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
    import torch

    from experiments.benchmarks.torch_step import Trainer

    config = works.load(name)
    form = FORMS[label]._replace(autocast=config.dtype == "bfloat16")
    trainer = Trainer(config, works.as_floats(works.real_images(name, config)), form, prepare_torch(device))

    def turn() -> None:
        for _ in range(works.STEPS):
            if form.compiled:
                torch.compiler.cudagraph_mark_step_begin()
            d_loss, _ = trainer.step()
        if not np.isfinite(float(d_loss)):
            raise FloatingPointError("the discriminator's loss is not finite")

    return turn


def make_turn(label: str, name: str, device: str, pins: bool = False) -> Callable[[], None]:
    if label != OURS:
        return torch_turn(name, device, label)
    turn = jax_turn(name)
    if pins:
        turn()  # The threads exist after the first turn.
        machine.pin_threads(_XLA_THREADS)
    return turn


def measure(
    entries: dict[str, Entry],
    name: str,
    device: str,
    *,
    rounds: int,
    processes: int,
    warm_seconds: float,
    patience_seconds: float = _PATIENCE_SECONDS,
    warm_together: bool = False,
) -> Times:
    """The times of the contenders of a work, in `processes` generations of one process for each contender.

    warm_together: all contenders of a generation compile and warm up at the same time, for machines with many cores.
    """
    times, errors = {}, {}
    for generation in range(1, processes + 1):
        print(f"  processes {generation} of {processes}: {len(entries) - len(errors)} contenders", flush=True)
        contenders = {}
        for label, (form, environment) in entries.items():
            if label in errors:
                continue
            arguments = (form, name, device, environment.pins)
            contenders[label] = Contender(make_turn, arguments, warm_seconds, environment.variables)
            if not warm_together:
                contenders[label].wait_until_warm(patience_seconds)
        if warm_together:
            for contender in contenders.values():
                contender.wait_until_warm(patience_seconds)
        for label, values in _take_turns(contenders, name, rounds).items():
            times.setdefault(label, []).append(values)
        for label, contender in contenders.items():
            contender.close()
            if contender.error:
                errors[label] = contender.error
                print(f"  {label} failed: {contender.error}", flush=True)
    return Times({label: values for label, values in times.items() if label not in errors}, errors)


def _take_turns(contenders: dict[str, Contender], name: str, rounds: int) -> dict[str, list[float]]:
    """Milliseconds per step of each round, of the contenders that have not failed."""
    times, start_time = {}, time.monotonic()
    for done in range(1, rounds + 1):
        for label, contender in contenders.items():
            if not contender.error:
                times.setdefault(label, []).append(contender.turn() * 1e3 / works.STEPS)
        seconds_left = (time.monotonic() - start_time) / done * (rounds - done)
        print(f"  round {done} of {rounds}, {seconds_left:.0f} s left of {name}'s round", flush=True)
    return {label: values for label, values in times.items() if not contenders[label].error}
