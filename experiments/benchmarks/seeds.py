"""Times sixteen seeds in one program (vmap) and sixteen seeds in turn."""

import time

import jax
import numpy as np

from experiments.benchmarks import works
from experiments.benchmarks.quartiles import quartiles
from gan_jax import build

WORK, SEEDS, _STEPS = "cgan", 16, 5


def measure(rounds: int) -> dict:
    """Quartiles of milliseconds for one step of all seeds, together and in turn, and of the ratio in each round."""
    config = works.load(WORK)
    real = works.as_floats(works.real_images(WORK, config))
    gan = build.build(config, real.images.shape[1:], works.NUM_CLASSES, 1000)
    batches, keys = (
        jax.tree.map(lambda leaf: leaf[None], jax.device_put(real)),
        jax.random.split(jax.random.key(0), SEEDS),
    )

    def advance(state, key):
        return jax.lax.fori_loop(0, _STEPS, lambda _, state: gan.step(state, batches, key)[0], state)

    single, together = jax.jit(advance), jax.jit(jax.vmap(advance))
    states = jax.block_until_ready(jax.jit(jax.vmap(gan.init, (0, None)))(keys, real))
    singles = [jax.tree.map(lambda leaf: leaf[seed], states) for seed in range(SEEDS)]
    programs = {
        "together": lambda: together(states, keys),
        "in_turn": lambda: [single(state, key) for state, key in zip(singles, keys, strict=True)],
    }
    times = {name: [] for name in programs}
    for round_number in range(rounds + 1):
        for name, program in programs.items():
            start_time = time.perf_counter()
            jax.block_until_ready(program())
            if round_number:  # The first round compiles.
                times[name].append((time.perf_counter() - start_time) / _STEPS * 1e3)
    ratio = quartiles(np.divide(times["in_turn"], times["together"]))
    return {"work": WORK, "seeds": SEEDS, **{name: quartiles(values) for name, values in times.items()}, "ratio": ratio}
