"""What the compiled step does on each of many devices, read from the program, beside a model of it.

The model has no number that is fitted. A device does the arithmetic of a batch of its share, as the program of one
device counts it. All of them add up gradients, 4 bytes a parameter: G's once, and D's once for each of its looks at the
images of an update, whose parts are added up before they are put together.
"""

import math
import re

import jax
import numpy as np
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from gan_jax import build
from gan_jax.data.batches import Indices
from gan_jax.devices import mesh
from gan_jax.gan.types import Batch
from gan_jax.networks.build import single_forward_pass
from gan_jax.runs.initial_state import abstract_state
from gan_jax.system import config as configs
from gan_jax.training.compiled_steps import compile_steps

_KINDS = "all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute"
_COLLECTIVE = re.compile(rf"= (.*?) ({_KINDS})(?:-start)?\((.*)")
_ARRAY = re.compile(r"(f64|f32|s32|u32|bf16|f16|u16|pred|u8|s8)\[([\d,]*)\]")
_BYTES = {"f64": 8, "f32": 4, "s32": 4, "u32": 4, "bf16": 2, "f16": 2, "u16": 2, "pred": 1, "u8": 1, "s8": 1}


def _size(shapes: str) -> int:
    """Bytes of the arrays of an instruction's result."""
    sizes = (
        math.prod(map(int, filter(None, shape.split(",")))) * _BYTES[kind] for kind, shape in _ARRAY.findall(shapes)
    )
    return sum(sizes)


def collectives(text: str) -> list[dict]:
    """Every collective instruction of a program: kind, bytes, and the operation in the source that it comes from."""
    found = []
    for line in text.splitlines():
        if match := _COLLECTIVE.search(line):
            shapes, kind, rest = match.groups()
            name = re.search(r'op_name="([^"]*)"', rest)
            where = "in the loop over steps" if name and "/while/body" in name.group(1) else "outside of it"
            found.append({"kind": kind, "bytes": _size(shapes), "where": where, "from": name.group(1) if name else ""})
    return found


def _lower(config, num_devices: int) -> tuple:
    """(lowered steps, GAN state in shapes) on a mesh of so many devices; for 0, without one."""
    shape, place, whole, cut = (28, 28, 1), mesh.ONE_DEVICE, None, None
    gan = build.build(config, shape, 10, 1000)
    if num_devices:
        made = mesh.make_mesh(f"data:{num_devices}", jax.devices()[:num_devices], config.batch_size, 1)
        place, whole, cut = mesh.ManyDevices(made), NamedSharding(made, P()), NamedSharding(made, P(None, None, "data"))

    def array(shape, kind, sharding):
        return jax.ShapeDtypeStruct(shape, kind, sharding=sharding)

    state = abstract_state(gan, config.init_batch_size, shape)
    state = jax.tree.map(lambda leaf: array(leaf.shape, leaf.dtype, whole), state)
    data = Batch(array((10_000, *shape), np.uint8, whole), array((10_000,), np.int32, whole))
    rows = array((config.steps_per_call, config.d_steps, config.batch_size), np.int32, cut)
    call = compile_steps(gan, config.steps_per_call, placement=place)
    return call.lower(state, data, Indices(rows, None), 1, place.replicate(jax.random.key(0))), state


def describe(spec: str, share: int, num_devices: int) -> dict:
    """The program of `share` images a device on so many devices; 0: of one device without a mesh."""
    config = configs.load(spec)
    configs.override(config, {"batch_size": share * max(num_devices, 1), "d_steps": 1})
    lowered, state = _lower(config, num_devices)
    compiled = lowered.compile()
    found = collectives(compiled.as_text())
    d_bytes, g_bytes = (
        sum(4 * leaf.size for leaf in jax.tree.leaves(player.params))
        for player in (state.discriminator, state.generator)
    )
    looks = 1 if single_forward_pass(config.discriminator) else 2
    return {
        "config": spec,
        "devices": num_devices,
        "images_a_device": share,
        "flops_a_device": compiled.cost_analysis()["flops"],
        "bytes": sum(one["bytes"] for one in found),
        "model_bytes": looks * d_bytes + g_bytes if num_devices > 1 else 0,
        "collectives": found,
    }
