"""The contenders: gan_jax and several forms of PyTorch. A turn is ten training steps of the same work."""

import os
import time
from collections.abc import Callable

import jax
import numpy as np

from experiments.benchmarks import works
from experiments.benchmarks.processes import Contender
from gan_jax import build
from gan_jax.data.batches import Indices
from gan_jax.runs.initial_state import init_state
from gan_jax.training.compiled_steps import compile_steps

OURS = "gan_jax"
_EAGER, _CHANNELS_LAST, _COMPILE = "PyTorch eager", "PyTorch channels_last", "PyTorch compile"
_CUDA_GRAPHS = "PyTorch compile, reduce-overhead"
# Compilation may take minutes. A contender that takes longer than this counts as failed.
_PATIENCE_SECONDS = 600


def labels(name: str, device: str) -> list[str]:
    """The contenders of a work. device: "cpu" or "gpu"."""
    # Only convolutions depend on the memory layout of images.
    layout = [_CHANNELS_LAST] if works.has_convolutions(works.load(name)) else []
    return [OURS, _EAGER, *layout, _COMPILE] + ([_CUDA_GRAPHS] if device == "gpu" else [])


def jax_turn(name: str, device: str) -> Callable[[], None]:
    """Ten training steps of gan_jax, in one call, as gan_jax.main runs them."""
    del device  # Always JAX's default device.
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
    # PyTorch's own compiler processes would stay idle beside the timed processes.
    os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
    import torch

    from experiments.benchmarks.torch_step import Form, Trainer

    form = {
        _EAGER: Form(),
        _CHANNELS_LAST: Form(channels_last=True),
        _COMPILE: Form(compile_mode="default"),
        _CUDA_GRAPHS: Form(compile_mode="reduce-overhead"),
    }[label]
    config = works.load(name)
    trainer = Trainer(config, works.as_floats(works.real_images(name, config)), form, prepare_torch(device))

    def turn() -> None:
        for _ in range(works.STEPS):
            if label == _CUDA_GRAPHS:
                torch.compiler.cudagraph_mark_step_begin()
            d_loss, _ = trainer.step()
        if not np.isfinite(float(d_loss)):
            raise FloatingPointError("the discriminator's loss is not finite")

    return turn


def make_turn(label: str, name: str, device: str) -> Callable[[], None]:
    return jax_turn(name, device) if label == OURS else torch_turn(name, device, label)


def measure(name: str, device: str, rounds: int, warm_seconds: float) -> tuple[dict[str, list[float]], dict[str, str]]:
    """(contender -> milliseconds per step of each round, failed contender -> its error)."""
    contenders, times = {}, {}
    for label in labels(name, device):
        print(f"  {label}: compiles and warms up for {warm_seconds:.0f} s", flush=True)
        contenders[label] = Contender(make_turn, (label, name, device), warm_seconds, _PATIENCE_SECONDS)
    start_time = time.monotonic()
    for done in range(1, rounds + 1):
        for label, contender in contenders.items():
            if not contender.error:
                times.setdefault(label, []).append(contender.turn() * 1e3 / works.STEPS)
        seconds_left = (time.monotonic() - start_time) / done * (rounds - done)
        print(f"  round {done} of {rounds}, {seconds_left:.0f} s left of {name}", flush=True)
    for contender in contenders.values():
        contender.close()
    errors = {label: contender.error for label, contender in contenders.items() if contender.error}
    for label, error in errors.items():
        print(f"  {label} failed: {error}", flush=True)
    return {label: values for label, values in times.items() if label not in errors}, errors
