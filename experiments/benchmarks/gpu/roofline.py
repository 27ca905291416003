"""The roofline of a device: what its arithmetic and its memory allow for a step (Williams et al. 2009)."""

from typing import Any

import jax
import jax.numpy as jnp

from experiments.benchmarks import works
from experiments.benchmarks.peak import fastest
from gan_jax import build
from gan_jax.gan.types import Batch
from gan_jax.runs.initial_state import abstract_state

_TURNS = 10
# Dense rates that the vendor states for tensor cores: TFLOP/s in TF32, TFLOP/s in bfloat16, TB/s of memory.
_STATED = {
    "NVIDIA H200": (494.5, 989.5, 4.8),
    "NVIDIA H100 80GB HBM3": (494.5, 989.5, 3.35),
    "NVIDIA A100": (156, 312, 2),
}


def measure_peaks(tiny: bool) -> dict[str, Any]:
    """Rates of this device: matrix products in FLOP/s by type, copies in bytes/s, and the vendor's numbers if known."""
    side, numbers = (256, 2**16) if tiny else (8192, 2**28)
    multiply, add = jax.jit(jnp.matmul), jax.jit(lambda a: a + 1)
    flops = {}
    for dtype in ("float32", "bfloat16"):
        a, b = jax.random.normal(jax.random.key(0), (2, side, side), dtype)
        flops[dtype] = 2 * side**3 / fastest(lambda a=a, b=b: multiply(a, b).block_until_ready(), _TURNS)
    array = jnp.zeros(numbers)
    bandwidth = 2 * array.nbytes / fastest(lambda: add(array).block_until_ready(), _TURNS)  # read and written
    kind = jax.devices()[0].device_kind
    stated = next((rates for name, rates in _STATED.items() if kind.startswith(name)), None)
    names = ("float32_tflops", "bfloat16_tflops", "terabytes_per_second")
    return {
        "flops_per_second": flops,
        "bytes_per_second": bandwidth,
        "stated": dict(zip(names, stated, strict=True)) if stated else None,
    }


def cost(name: str) -> dict[str, float]:
    """FLOP and bytes of memory traffic of one training step, by XLA's cost analysis.

    FLOP are counted before XLA optimizes the program, because afterwards products may be calls of a library that XLA
    does not count. Bytes are counted afterwards, because operations that are fused exchange nothing through memory.
    """
    config, shape = works.load(name), works.find(name).image_shape
    gan = build.build(config, shape, works.NUM_CLASSES, 1000)

    def abstract_batch() -> Batch:
        images = jax.ShapeDtypeStruct((1, config.batch_size, *shape), jnp.float32)
        return Batch(images, jax.ShapeDtypeStruct((1, config.batch_size), jnp.int32))

    batch = abstract_batch()._replace(labelled=abstract_batch() if config.data.num_labels else None)
    state = abstract_state(gan, config.init_batch_size, shape)
    lowered = jax.jit(gan.step).lower(state, batch, jax.random.key(0))
    compiled = lowered.compile().cost_analysis()
    return {"flops": float(lowered.cost_analysis()["flops"]), "bytes": float(compiled["bytes accessed"])}


def least_seconds(cost: dict[str, float], peaks: dict[str, Any], dtype: str) -> float:
    """The shortest time that the roofline allows: the longer one of the arithmetic and the memory traffic."""
    return max(cost["flops"] / peaks["flops_per_second"][dtype], cost["bytes"] / peaks["bytes_per_second"])
