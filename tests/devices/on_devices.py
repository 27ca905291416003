"""A few steps of systems on several devices, in a separate process: python -m tests.devices.on_devices 0,1,8 SPEC...

XLA_FLAGS=--xla_force_host_platform_device_count=8 makes the devices; 0 is the program without a mesh. The output is one
line of JSON per system: for each number of devices, the metrics of every step, the collectives, and the operations of
one device. `seeds` instead of the numbers: four seeds on 4 x 2 devices; `streamed`, with a data_dir instead of systems:
images in files. `convolutions` or `seed_convolutions` instead of a system: the layers alone.
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
from gan_jax.layers import conv, matmul_conv
from gan_jax.runs import initial_state
from gan_jax.semi_supervised.labels import training_batches
from gan_jax.system import config as configs
from gan_jax.training import programs
from gan_jax.training.calls import Call
from tests import settings
from tests.systems import resolve
from tests.tiny import mnist_5k

STEPS = 3
# If a unit is at the kink of a ReLU, a rounding error changes its gradient by a jump. Smooth activations avoid that.
SMOOTH = ["generator.activation=silu", "discriminator.activation=silu"]
# name -> (the layer's form, the native form, side of the kernel, stride): every kind of convolution in a network.
CONVOLUTIONS = {
    "plain": (conv.conv, conv.native_conv, 4, 2),
    "transposed": (conv.conv_transpose, conv.native_conv_transpose, 4, 2),
    "same size": (conv.conv, conv.native_conv, 3, 1),
    "1x1": (conv.conv, conv.native_conv, 1, 1),
    "whole image": (conv.conv, conv.native_conv, 6, 6),
}


def small_system(spec, overrides=()):
    """(config, GAN, data) of a small form of a system."""
    config = resolve(spec, [*overrides, *SMOOTH, "steps_per_call=3"])
    configs.override(config, {"num_steps": STEPS, "steps_per_call": STEPS, "d_steps": min(config.d_steps, 2)})
    dataset = mnist_5k()
    gan = build.build(config, dataset.image_shape, dataset.num_classes, STEPS)
    return config, gan, dataset


def make_placement(mesh_text, config, num_seeds=1):
    """The placement on a mesh of as many devices as its text needs."""
    count = int(np.prod([int(part.partition(":")[2]) for part in mesh_text.split(",")]))
    return mesh.ManyDevices(mesh.make_mesh(mesh_text, jax.devices()[:count], config.batch_size, num_seeds))


def train_on(kind, config, num_seeds, gan, dataset, placement):
    """(metrics of STEPS steps for every seed, program) of seeds 0 to num_seeds - 1."""
    seeds = range(num_seeds)
    data = training_batches(config, dataset, seeds)
    states = [
        initial_state.init_state(gan, seed, initial_state.init_examples(images, seed, config.init_batch_size))
        for seed, images in zip(seeds, data, strict=True)
    ]
    program = kind(gan, batch_plan(config), seeds, data, states, placement)
    metrics = program.read(program.advance(Call(0, STEPS), seeds))
    seed_metrics = [{name: values.tolist() for name, values in metrics[i].items()} for i in seeds]
    return seed_metrics, program


def collectives_and_flops(program):
    """(number of each collective, floating-point operations of one device) of a program of SequentialSeeds."""
    data, indices = program._inputs[0](0, STEPS)
    compiled = program._call.lower(program._states[0], data, indices, STEPS, program._keys[0]).compile()
    text = compiled.as_text()
    collectives = ("all-reduce", "all-gather", "all-to-all", "collective-permute", "reduce-scatter")
    return {kind: text.count(f" {kind}(") for kind in collectives}, compiled.cost_analysis()["flops"]


def data_parallel(spec, counts):
    config, gan, dataset = small_system(spec)
    result = {"system": spec}
    for count in counts:
        placement = make_placement(f"data:{count}", config) if count else mesh.ONE_DEVICE
        (metrics,), program = train_on(programs.SequentialSeeds, config, 1, gan, dataset, placement)
        collectives, flops = collectives_and_flops(program)
        result[str(count)] = {"metrics": metrics, "collectives": collectives, "flops": flops}
    return result


def streamed(data_dir):
    """The metrics with images from memory on one device, and from files on eight."""
    config, result = resolve("configs/cdcgan.py", [*SMOOTH, "steps_per_call=3"]), {"system": "streamed"}
    configs.override(config, {"num_steps": STEPS, "steps_per_call": STEPS})
    for stream, placement in (("never", mesh.ONE_DEVICE), ("always", make_placement("data:8", config))):
        dataset = load(NAME, data_dir=data_dir, stream=stream, image_size=28, channels=1)
        gan = build.build(config, dataset.image_shape, dataset.num_classes, STEPS)
        (result[stream],), program = train_on(programs.SequentialSeeds, config, 1, gan, dataset, placement)
        program.close()
    return result


def seeds(spec):
    """The metrics of four seeds on 4 x 2 devices, and of each of them on one device."""
    config, gan, dataset = small_system(spec)
    together, program = train_on(
        programs.VmappedSeeds, config, 4, gan, dataset, make_placement("seed:4,data:2", config, 4)
    )
    alone, _ = train_on(programs.SequentialSeeds, config, 4, gan, dataset, mesh.ONE_DEVICE)
    # Each device holds one seed.
    assert {leaf.sharding.shard_shape(leaf.shape)[0] for leaf in jax.tree.leaves(program._states)} == {1}
    # Three seeds, as if one had ended in an earlier process: some devices have nothing to do.
    three, _ = train_on(programs.VmappedSeeds, config, 3, gan, dataset, make_placement("seed:4,data:2", config, 4))
    return {"system": spec, "together": together, "three": three, "alone": alone}


def value_and_gradients(convolve, stride, x, w):
    return jax.value_and_grad(lambda x, w: (convolve(x, w, stride) ** 2).sum(), (0, 1))(x, w)


def relative_difference(actual, expected):
    """The largest difference of any array, relative to the array's largest value."""
    pairs = zip(*map(jax.tree.leaves, (actual, expected)), strict=True)
    return max(float(np.abs(np.asarray(a) - b).max() / np.abs(b).max()) for a, b in pairs)


def convolutions():
    """The layers' convolutions, in two chunks of each device's images, against the native ones on one device."""
    matmul_conv._CHUNK_BYTES = 1
    placement, result = mesh.ManyDevices(mesh.make_mesh("data:8", jax.devices(), 16, 1)), {"system": "convolutions"}
    for name, (convolve, native, kernel, stride) in CONVOLUTIONS.items():
        x = jax.random.normal(jax.random.key(0), (16, 6, 6, 3))
        w = jax.random.normal(jax.random.key(1), (kernel, kernel, 3, 5))

        def sharded(x, w, convolve=convolve, stride=stride):
            with placement.use_mesh():
                return value_and_gradients(convolve, stride, mesh.with_sharding(x), w)

        compiled = jax.jit(sharded).lower(placement.replicate(x), placement.replicate(w)).compile()
        difference = relative_difference(compiled(x, w), value_and_gradients(native, stride, x, w))
        result[name] = {"difference": difference, "program": compiled.as_text()}
    return result


def seed_convolutions():
    """The layers' convolutions for four seeds on 4 x 2 devices, against the native ones of each seed on one device."""
    device_mesh, result = mesh.make_mesh("seed:4,data:2", jax.devices(), 16, 4), {"system": "seed_convolutions"}
    by_seed = jax.sharding.NamedSharding(device_mesh, jax.sharding.PartitionSpec(mesh.SEED))
    for name, (convolve, native, kernel, stride) in CONVOLUTIONS.items():
        x = jax.random.normal(jax.random.key(0), (4, 16, 6, 6, 3))
        w = jax.random.normal(jax.random.key(1), (4, kernel, kernel, 3, 5))

        def sharded(x, w, convolve=convolve, stride=stride):
            def one_seed(x, w):
                return value_and_gradients(convolve, stride, mesh.with_sharding(x), w)

            with jax.sharding.use_abstract_mesh(device_mesh.abstract_mesh):
                return jax.vmap(one_seed, spmd_axis_name=mesh.SEED)(x, w)

        expected = [value_and_gradients(native, stride, *pair) for pair in zip(x, w, strict=True)]
        actual = jax.jit(sharded)(*jax.device_put((x, w), by_seed))
        result[name] = {
            "difference": relative_difference(actual, jax.tree.map(lambda *leaves: np.stack(leaves), *expected))
        }
    return result


if __name__ == "__main__":
    settings.apply()
    counts, *specs = sys.argv[1:]
    for spec in specs:
        if spec in ("convolutions", "seed_convolutions"):
            result = convolutions() if spec == "convolutions" else seed_convolutions()
        elif counts == "streamed":
            result = streamed(spec)
        else:
            result = seeds(spec) if counts == "seeds" else data_parallel(spec, [int(n) for n in counts.split(",")])
        print(json.dumps(result), flush=True)
