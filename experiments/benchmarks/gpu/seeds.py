"""Times several seeds in one program, by the programs that train them."""

import time

import jax

from experiments.benchmarks import works
from experiments.benchmarks.quartiles import quartiles
from gan_jax import build
from gan_jax.data.batches import batch_plan
from gan_jax.runs.initial_state import init_state
from gan_jax.system.errors import out_of_memory
from gan_jax.training.calls import Call
from gan_jax.training.programs import SequentialSeeds, VmappedSeeds

COUNTS, _TINY_COUNTS = (1, 4, 16, 64), (1, 2)


def _milliseconds(name: str, count: int, calls: int) -> list[float]:
    """Milliseconds of one step of all `count` seeds, in each of the calls after the first, which compiles."""
    config = works.load(name)
    data = works.real_images(name, config)
    gan = build.build(config, data.images.shape[1:], works.NUM_CLASSES, 1000)
    seeds, floats = range(count), works.as_floats(data)
    kind = SequentialSeeds if count == 1 else VmappedSeeds
    program = kind(
        gan,
        batch_plan(config),
        seeds,
        [jax.device_put(data)] * count,
        [init_state(gan, seed, floats) for seed in seeds],
    )
    times = []
    for index in range(calls + 1):
        start_time = time.perf_counter()
        program.read(program.advance(Call(index * works.STEPS, works.STEPS), seeds))
        times.append((time.perf_counter() - start_time) * 1e3 / works.STEPS)
    program.close()
    return times[1:]


def measure(name: str, tiny: bool) -> dict:
    """By number of seeds: quartiles of ms of one step of all of them, and its median over that of one seed.

    With more seeds than the memory holds, the error is the result.
    """
    rows = {}
    for count in _TINY_COUNTS if tiny else COUNTS:
        print(f"  {count} seeds", flush=True)
        try:
            ms = quartiles(_milliseconds(name, count, 2 if tiny else 10))
        except Exception as error:
            if not out_of_memory(error):
                raise
            rows[str(count)] = {"error": "out of memory"}
            break
        rows[str(count)] = {"ms": ms, "ratio": round(ms["median"] / rows.get("1", {"ms": ms})["ms"]["median"], 3)}
    return {"work": name, "seeds": rows}
