"""Steps per second on several host devices, which share the cores of one machine."""

import statistics
import time

import jax
import numpy as np

from gan_jax import build
from gan_jax.data.batches import BatchIndices, batch_plan
from gan_jax.devices import mesh
from gan_jax.gan.types import Batch
from gan_jax.runs.initial_state import init_examples, init_state
from gan_jax.system import config as configs
from gan_jax.training.compiled_steps import compile_steps

_ROUNDS, _STEPS = 5, 10


def measure(spec: str, counts: tuple[int, ...]) -> list[dict]:
    """The median over rounds, for each number of devices, in turn. The batch is the config's for any number."""
    config, shape = configs.load(configs.own(spec)), (28, 28, 1)
    configs.override(config, {"steps_per_call": _STEPS, "d_steps": 1})
    gan = build.build(config, shape, 10, 1000)
    rng = np.random.default_rng(0)
    data = Batch(rng.integers(0, 256, (1000, *shape), np.uint8), (np.arange(1000) % 10).astype(np.int32))
    indices, runs = BatchIndices(batch_plan(config), config.seed, data)(0, _STEPS), {}
    for count in counts:
        placement = mesh.ManyDevices(mesh.make_mesh(f"data:{count}", jax.devices()[:count], config.batch_size, 1))
        examples = init_examples(data, config.seed, config.init_batch_size)
        state = placement.replicate(init_state(gan, config.seed, examples))
        call, rows = compile_steps(gan, _STEPS, placement=placement), placement.shard_batch(indices, seeds=False)
        runs[count] = [call, state, placement.replicate(data), rows, placement.replicate(jax.random.key(0))]
    seconds = {count: [] for count in counts}
    for _ in range(_ROUNDS + 1):
        for count, run in runs.items():
            call, state, replicated_data, rows, key = run
            start_time = time.monotonic()
            run[1], _ = jax.block_until_ready(call(state, replicated_data, rows, _STEPS, key))
            seconds[count].append((time.monotonic() - start_time) / _STEPS)
    # The first round compiles.
    medians = {count: statistics.median(times[1:]) for count, times in seconds.items()}
    return [
        {
            "config": spec,
            "devices": count,
            "batch_size": config.batch_size,
            "steps_per_second": 1 / medians[count],
            "slowest_to_fastest": max(seconds[count][1:]) / min(seconds[count][1:]),
            "efficiency": medians[counts[0]] / medians[count],
        }
        for count in counts
    ]
