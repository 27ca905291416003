"""The peak rate of this machine, and the arithmetic of one step."""

import functools
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp

from experiments.benchmarks import works
from experiments.benchmarks.contenders import prepare_torch
from experiments.benchmarks.forms import OURS, Form
from experiments.benchmarks.processes import apart

SIZES = (1024, 1536, 2048, 3072)
_REPEATS = 6


def fastest(program: Callable[[], None], turns: int) -> float:
    """Seconds of the fastest of several turns, after a first turn that compiles."""
    program()
    seconds = []
    for _ in range(turns):
        start_time = time.perf_counter()
        program()
        seconds.append(time.perf_counter() - start_time)
    return min(seconds)


def _best(multiply: Callable[[], None], size: int) -> float:
    """GFLOP/s of the fastest of several products of two [size, size] matrices."""
    return 2 * size**3 / fastest(multiply, _REPEATS) / 1e9


def jax_matmul() -> dict[int, float]:
    """GFLOP/s in float32 by size."""
    product, result = jax.jit(jnp.matmul), {}
    for size in SIZES:
        a, b = jax.random.normal(jax.random.key(0), (2, size, size))
        result[size] = _best(lambda: product(a, b).block_until_ready(), size)
    return result


def torch_matmul(device: str) -> dict[int, float]:
    """The same in PyTorch."""
    import torch

    name, result = prepare_torch(device), {}
    wait = torch.cuda.synchronize if name == "cuda" else lambda: None
    for size in SIZES:
        a, b = torch.randn(2, size, size, device=name)

        def multiply():
            torch.matmul(a, b)
            wait()

        result[size] = _best(multiply, size)
    return result


@functools.cache
def measure(device: str) -> dict:
    """The best rate of both frameworks, measured once per command.

    Each framework is measured twice, in turn, because a virtual machine has slow moments.
    """
    best = {}
    for _ in range(2):
        for framework, rates in ((OURS, apart(jax_matmul)), ("PyTorch", apart(torch_matmul, device))):
            best[framework] = max(best.get(framework, 0.0), *rates.values())
    return {"gflops": max(best.values()), "by_framework": best}


def step_gflop(name: str) -> float:
    """GFLOP of the matrix products and convolutions of one step, counted by PyTorch; equal for both frameworks.

    Norms, activations, random draws and the optimizer are not counted.
    """
    from torch.utils.flop_counter import FlopCounterMode

    from experiments.benchmarks.torch_step import Trainer

    config = works.load(name)
    trainer = Trainer(config, works.as_floats(works.real_images(name, config)), Form())
    with FlopCounterMode(display=False) as counter:
        trainer.step()
    return counter.get_total_flops() / 1e9
