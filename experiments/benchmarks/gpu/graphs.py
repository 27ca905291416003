"""Ten steps of one call as launches of kernels, or as one CUDA graph.

By default XLA makes CUDA graphs of straight code only, and the host launches every iteration of a loop. With the flags
below a loop becomes part of a graph; some versions crash at the second run of such a graph, so every variant has its
own process and runs several times. An unrolled loop is straight code.
"""

import pathlib
from typing import NamedTuple

import jax
import numpy as np

from experiments.benchmarks import works
from experiments.benchmarks.gpu.busy import busy_share
from experiments.benchmarks.peak import fastest
from gan_jax import build
from gan_jax.data.batches import Indices, gather
from gan_jax.runs.initial_state import init_state

_TURNS, _TRACED_TURNS = 10, 3


class Variant(NamedTuple):
    """flags: XLA_FLAGS of the process. unroll: steps in one iteration of the loop."""

    flags: str = ""
    unroll: int = 1


_COMMANDS = "--xla_gpu_enable_command_buffer="
VARIANTS = {
    "default": Variant(),
    "no_graphs": Variant(_COMMANDS),
    "while": Variant(_COMMANDS + "+WHILE"),
    "while_conditional": Variant(_COMMANDS + "+WHILE,+CONDITIONAL"),
    "unrolled": Variant(unroll=works.STEPS),
}


def measure(name: str, variant: str, folder: pathlib.Path) -> dict:
    """Milliseconds a step of the fastest call, and the share of the time in which kernels ran in further calls."""
    config = works.load(name)
    real = works.real_images(name, config)
    gan = build.build(config, real.images.shape[1:], works.NUM_CLASSES, 1000)
    rows = np.tile(np.arange(config.batch_size, dtype=np.int32), (works.STEPS, 1, 1))
    data, indices = jax.device_put(real), jax.device_put(Indices(rows, rows if real.labelled else None))
    key, unroll = jax.random.key(1), VARIANTS[variant].unroll

    @jax.jit
    def call(state, data, indices):
        body = lambda i, state: gan.step(state, gather(data, indices, i), key)[0]  # noqa: E731
        return jax.lax.fori_loop(0, works.STEPS, body, state, unroll=unroll)

    state = [init_state(gan, config.seed, works.as_floats(real))]

    def turn() -> None:
        state[0] = jax.block_until_ready(call(state[0], data, indices))

    seconds = fastest(turn, _TURNS)
    with jax.profiler.trace(str(folder)):
        for _ in range(_TRACED_TURNS):
            turn()
    return {
        "work": name,
        "variant": variant,
        **VARIANTS[variant]._asdict(),
        "ms": float(f"{seconds * 1e3 / works.STEPS:.4g}"),
        "busy_share": busy_share(folder),
    }
