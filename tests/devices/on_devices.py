"""A few steps of systems on several devices, in a process of its own: python -m tests.devices.on_devices 0,1,8 SPEC...

XLA_FLAGS=--xla_force_host_platform_device_count=8 makes the devices; 0 is the program without a mesh. One line of JSON
a system: for each number of devices the metrics of every step, what the devices tell each other, and the arithmetic of
one of them. `seeds` in the place of the numbers: four seeds on 4 x 2 devices; `streamed`, with a data_dir for a system:
images in files. `convolutions`: a layer in chunks.
"""

import json
import sys

import jax
import numpy as np

from experiments.benchmarks.stream_set import NAME
from gan_jax import build
from gan_jax.data.batches import batch_plan
from gan_jax.data.sources import load
from gan_jax.devices import mesh
from gan_jax.layers import conv
from gan_jax.runs import initial_state
from gan_jax.semi_supervised.labels import training_batches
from gan_jax.system import config as configs
from gan_jax.training import programs
from gan_jax.training.calls import Call
from tests import settings
from tests.systems import resolve
from tests.tiny import mnist_5k

STEPS = 3
# The kink of a ReLU makes a jump of a rounding, where a unit happens to lie on it; with smooth ones it stays small.
SMOOTH = ["generator.activation=silu", "discriminator.activation=silu"]


def plan(spec, words=()):
    """(config, GAN, data) of a small form of a system."""
    config = resolve(spec, [*words, *SMOOTH, "steps_per_call=3"])
    configs.override(config, {"num_steps": STEPS, "steps_per_call": STEPS, "d_steps": min(config.d_steps, 2)})
    dataset = mnist_5k()
    gan = build.build(config, dataset.image_shape, dataset.num_classes, STEPS)
    return config, gan, dataset


def place(text, config, num_seeds=1):
    """A mesh over the first so many devices."""
    count = int(np.prod([int(part.partition(":")[2]) for part in text.split(",")]))
    return mesh.ManyDevices(mesh.make_mesh(text, jax.devices()[:count], config.batch_size, num_seeds))


def train_on(kind, config, number, gan, dataset, where):
    """The metrics of STEPS steps of seeds 0 to number - 1, and their program."""
    seeds = range(number)
    data = training_batches(config, dataset, seeds)
    started = [
        initial_state.init_state(gan, seed, initial_state.init_examples(own, seed, config.init_batch_size))
        for seed, own in zip(seeds, data, strict=True)
    ]
    program = kind(gan, batch_plan(config), seeds, data, started, where)
    metrics = program.read(program.advance(Call(0, STEPS), seeds))
    found = [{name: values.tolist() for name, values in metrics[i].items()} for i in seeds]
    return found, program


def communication(runs):
    """(collectives by kind, floating-point operations of one device) in the compiled program of a run in turn."""
    data, indices = runs._inputs[0](0, STEPS)
    compiled = runs._call.lower(runs._states[0], data, indices, STEPS, runs._keys[0]).compile()
    text = compiled.as_text()
    kinds = ("all-reduce", "all-gather", "all-to-all", "collective-permute", "reduce-scatter")
    return {kind: text.count(f" {kind}(") for kind in kinds}, compiled.cost_analysis()["flops"]


def data_parallel(spec, counts):
    config, gan, dataset = plan(spec)
    result = {"system": spec}
    for count in counts:
        where = place(f"data:{count}", config) if count else mesh.ONE_DEVICE
        (metrics,), runs = train_on(programs.SequentialSeeds, config, 1, gan, dataset, where)
        collectives, flops = communication(runs)
        result[str(count)] = {"metrics": metrics, "collectives": collectives, "flops": flops}
    return result


def streamed(data_dir):
    """A set that stays in files: on one device from memory, and on eight from the files."""
    config, found = resolve("configs/cdcgan.py", [*SMOOTH, "steps_per_call=3"]), {"system": "streamed"}
    configs.override(config, {"num_steps": STEPS, "steps_per_call": STEPS})
    for stream, where in (("never", mesh.ONE_DEVICE), ("always", place("data:8", config))):
        dataset = load(NAME, data_dir=data_dir, stream=stream, image_size=28, channels=1)
        gan = build.build(config, dataset.image_shape, dataset.num_classes, STEPS)
        (found[stream],), runs = train_on(programs.SequentialSeeds, config, 1, gan, dataset, where)
        runs.close()
    return found


def seeds(spec):
    """Four seeds on 4 x 2 devices, and each of them alone on one."""
    config, gan, dataset = plan(spec)
    together, runs = train_on(programs.VmappedSeeds, config, 4, gan, dataset, place("seed:4,data:2", config, 4))
    alone, _ = train_on(programs.SequentialSeeds, config, 4, gan, dataset, mesh.ONE_DEVICE)
    # Each device holds one seed.
    assert {leaf.sharding.shard_shape(leaf.shape)[0] for leaf in jax.tree.leaves(runs._states)} == {1}
    # A seed that ended in an earlier process leaves three, and devices to spare.
    three, _ = train_on(programs.VmappedSeeds, config, 3, gan, dataset, place("seed:4,data:2", config, 4))
    return {"system": spec, "together": together, "three": three, "alone": alone}


def convolutions():
    """Both matmul convolutions in two chunks of a device's own images: value and gradients beside the native ones'."""
    conv._CHUNK_BYTES = 1
    x, w = jax.random.normal(jax.random.key(0), (16, 6, 6, 3)), jax.random.normal(jax.random.key(1), (4, 4, 3, 5))
    where, found = mesh.ManyDevices(mesh.make_mesh("data:8", jax.devices(), 16, 1)), {"system": "convolutions"}
    for name, ours, native in (
        ("plain", conv.conv, conv.native_conv),
        ("transposed", conv.conv_transpose, conv.native_conv_transpose),
    ):

        def gradients(convolve, x, w):
            return jax.value_and_grad(lambda x, w: (convolve(x, w, 2) ** 2).sum(), (0, 1))(x, w)

        def placed(x, w):
            with where.use_mesh():
                return gradients(ours, mesh.with_sharding(x), w)

        run = jax.jit(placed).lower(where.replicate(x), where.replicate(w)).compile()
        pairs = zip(*map(jax.tree.leaves, (run(x, w), gradients(native, x, w))), strict=True)
        gap = max(float(np.abs(a / b - 1).max()) for a, b in pairs)
        found[name] = {"gap": gap, "program": run.as_text()}
    return found


if __name__ == "__main__":
    settings.apply()
    counts, *specs = sys.argv[1:]
    for spec in specs:
        if spec == "convolutions":
            done = convolutions()
        elif counts == "streamed":
            done = streamed(spec)
        else:
            done = seeds(spec) if counts == "seeds" else data_parallel(spec, [int(n) for n in counts.split(",")])
        print(json.dumps(done), flush=True)
