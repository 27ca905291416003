"""Memory that XLA plans for one compiled training step, by batch size."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.benchmarks import works
from gan_jax import build
from gan_jax.gan.types import Batch
from gan_jax.runs.initial_state import abstract_state

WORK = "cdcgan"
BATCHES = (32, 128, 512, 1024)


def _planned(batch_size: int) -> dict[str, int]:
    """Bytes of temporaries, arguments (state and batch) and outputs. Nothing is allocated or run."""
    config = works.load(WORK, batch_size=batch_size)
    shape = works.WORKS[WORK].image_shape
    gan = build.build(config, shape, works.NUM_CLASSES, 1000)
    batch = Batch(
        jax.ShapeDtypeStruct((1, batch_size, *shape), jnp.float32), jax.ShapeDtypeStruct((1, batch_size), jnp.int32)
    )
    state = abstract_state(gan, config.init_batch_size, shape)
    plan = jax.jit(gan.step).lower(state, batch, jax.random.key(0)).compile().memory_analysis()
    parts = {part: getattr(plan, f"{part}_size_in_bytes") for part in ("temp", "argument", "output")}
    return parts | {"total": sum(parts.values())}


def measure() -> dict:
    """Bytes by batch size, and a straight line through the totals: its slope (bytes per image) and its intercept."""
    rows = {}
    for batch_size in BATCHES:
        rows[str(batch_size)] = _planned(batch_size)
        print(f"  batch {batch_size}: {rows[str(batch_size)]['total'] / 2**20:.1f} MiB", flush=True)
    slope, intercept = np.polyfit(BATCHES, [row["total"] for row in rows.values()], 1)
    return {"work": WORK, "batches": rows, "bytes_per_image": round(slope), "bytes_besides": round(intercept)}
