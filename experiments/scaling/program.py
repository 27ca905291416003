"""The arithmetic and the communication of the compiled step on each of many devices, and a model of both.

The model has no fitted number. A device's arithmetic is that of one device without a mesh on this device's share of the
batch. All devices sum their gradients, 4 bytes per parameter: G's once, and D's once for each of D's forward passes in
an update, because each pass's gradients are summed over the devices before they are added.
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
    """Every collective instruction of a program: kind, bytes, inside or outside the loop, and its source operation."""
    instructions = []
    for line in text.splitlines():
        if match := _COLLECTIVE.search(line):
            shapes, kind, attributes = match.groups()
            name = re.search(r'op_name="([^"]*)"', attributes)
            where = "in the loop over steps" if name and "/while/body" in name.group(1) else "outside of it"
            source = name.group(1) if name else ""
            instructions.append({"kind": kind, "bytes": _size(shapes), "where": where, "from": source})
    return instructions


def _lower(config, num_devices: int) -> tuple:
    """(lowered steps, shapes of the GAN's state) on a mesh of `num_devices`; 0: on one device without a mesh."""
    shape, placement, replicated, sharded = (28, 28, 1), mesh.ONE_DEVICE, None, None
    gan = build.build(config, shape, 10, 1000)
    if num_devices:
        devices = mesh.make_mesh(f"data:{num_devices}", jax.devices()[:num_devices], config.batch_size, 1)
        placement, replicated = mesh.ManyDevices(devices), NamedSharding(devices, P())
        sharded = NamedSharding(devices, P(None, None, "data"))

    def array(shape, kind, sharding):
        return jax.ShapeDtypeStruct(shape, kind, sharding=sharding)

    state = abstract_state(gan, config.init_batch_size, shape)
    state = jax.tree.map(lambda leaf: array(leaf.shape, leaf.dtype, replicated), state)
    data = Batch(array((10_000, *shape), np.uint8, replicated), array((10_000,), np.int32, replicated))
    rows = array((config.steps_per_call, config.d_steps, config.batch_size), np.int32, sharded)
    call = compile_steps(gan, config.steps_per_call, placement=placement)
    return call.lower(state, data, Indices(rows, None), 1, placement.replicate(jax.random.key(0))), state


def describe(spec: str, share: int, num_devices: int) -> dict:
    """The program on `num_devices` with `share` images per device; 0: on one device without a mesh."""
    config = configs.load(configs.own(spec))
    configs.override(config, {"batch_size": share * max(num_devices, 1), "d_steps": 1})
    lowered, state = _lower(config, num_devices)
    compiled = lowered.compile()
    instructions = collectives(compiled.as_text())
    d_bytes, g_bytes = (
        sum(4 * leaf.size for leaf in jax.tree.leaves(player.params))
        for player in (state.discriminator, state.generator)
    )
    d_passes = 1 if single_forward_pass(config.discriminator) else 2
    return {
        "config": spec,
        "devices": num_devices,
        "images_a_device": share,
        "flops_a_device": compiled.cost_analysis()["flops"],
        "bytes": sum(instruction["bytes"] for instruction in instructions),
        "model_bytes": d_passes * d_bytes + g_bytes if num_devices > 1 else 0,
        "collectives": instructions,
    }
