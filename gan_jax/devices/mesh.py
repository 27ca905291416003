"""The placement of a run's arrays on one or several devices.

A mesh has two axes. Along the axis `data`, a batch is sharded: each device computes a part of the batch. Along the axis
`seed`, the seeds of one run are sharded. Everything else is replicated. The program is the same as for one device:
XLA's partitioner gets the complete program and adds the communication. So a mean over a batch is the mean over the
complete batch (this includes batch norm, minibatch discrimination and feature matching), and random draws are those of
a single device.
"""

import contextlib
import math
import re
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from gan_jax.system.errors import UserError

SEED, DATA = "seed", "data"


def _axis_sizes(text: str, num_devices: int) -> dict[str, int]:
    """The number of devices along each axis, from text such as "seed:4,data:2"; -1 means all remaining devices."""
    sizes = {}
    for part in text.split(","):
        axis, _, size = part.strip().partition(":")
        if axis not in (SEED, DATA) or axis in sizes or not re.fullmatch(r"-1|[1-9]\d{0,8}", size, re.ASCII):
            raise UserError(f"mesh='{text}': write data:-1 (all devices), data:4, or seed:4,data:2")
        sizes[axis] = int(size)
    named = math.prod(size for size in sizes.values() if size > 0)
    open_axes = [axis for axis, size in sizes.items() if size < 0]
    if len(open_axes) > 1 or num_devices % named or (not open_axes and named != num_devices):
        raise UserError(f"mesh='{text}' does not fit the {num_devices} devices of this run; try data:-1")
    return {SEED: 1, DATA: 1} | sizes | dict.fromkeys(open_axes, num_devices // named)


def make_mesh(text: str, devices: Sequence[jax.Device], batch_size: int, num_seeds: int) -> Mesh | None:
    """The mesh of these devices. text: config.mesh; "" means one device, and the result is None."""
    if not text:
        return None
    sizes = _axis_sizes(text, len(devices))
    for axis, knob, number in ((DATA, "batch_size", batch_size), (SEED, "num_seeds", num_seeds)):
        if number % sizes[axis]:
            raise UserError(f"{knob}={number} cannot be divided evenly among {sizes[axis]} devices (mesh='{text}')")
    # The axis types are explicit, because newer versions of JAX have another default.
    return jax.make_mesh((sizes[SEED], sizes[DATA]), (SEED, DATA), (AxisType.Auto,) * 2, devices=devices)


def with_sharding(x: jax.Array, axis: int = 0) -> jax.Array:
    """x with its batch axis sharded over the current mesh; x itself if there is no mesh. axis: the batch axis of x."""
    if jax.sharding.get_abstract_mesh().empty:
        return x
    return jax.lax.with_sharding_constraint(x, P(*(None,) * axis, DATA))


def num_data_shards() -> int:
    """The number of parts into which the current mesh splits a batch; 1 if there is no mesh."""
    return jax.sharding.get_abstract_mesh().shape.get(DATA, 1)


@jax.jit
def _one_seed(tree: Any, seed: jax.Array) -> Any:
    return jax.tree.map(lambda leaf: leaf[seed], tree)


class OneDevice:
    """Places all arrays on the default device."""

    num_seed_shards = 1
    seed_axis = None

    def replicate(self, tree: Any) -> Any:
        """Places complete arrays on every device. For arrays that all seeds and all examples share."""
        return jax.device_put(tree)

    def shard_seeds(self, tree: Any) -> Any:
        """Places arrays [seeds, ...]."""
        return jax.device_put(tree)

    def shard_batch(self, tree: Any, seeds: bool) -> Any:
        """Places arrays [..., B]. seeds: the arrays are [seeds, ..., B]."""
        return tree

    def shard_local(self, tree: Any) -> Any:
        """Places arrays [steps, d_steps, B, ...]. Each process passes the part of B that its own devices need."""
        return jax.device_put(tree)

    def local_copy(self, tree: Any) -> Any:
        """A copy of replicated arrays on one device of this process."""
        return tree

    def seed_copy(self, tree: Any, seed: int) -> Any:
        """The arrays of one seed from arrays [seeds, ...], on one device of this process."""
        return _one_seed(tree, seed)

    def use_mesh(self) -> contextlib.AbstractContextManager:
        """The context in which a program is traced."""
        return contextlib.nullcontext()

    def out_shardings(self, seeds: bool) -> Any:
        """Shardings of (state, metrics)."""
        return None


ONE_DEVICE = OneDevice()


class ManyDevices:
    """Places arrays on the devices of a mesh; the same methods as OneDevice. Each process fills its own devices."""

    seed_axis = SEED

    def __init__(self, mesh: Mesh):
        self._mesh, self.num_seed_shards = mesh, mesh.shape[SEED]
        self._replicated, self._by_seed = NamedSharding(mesh, P()), NamedSharding(mesh, P(SEED))
        self._one_seed = jax.jit(_one_seed, out_shardings=self._replicated)

    def replicate(self, tree: Any) -> Any:
        return jax.tree.map(lambda leaf: _put(leaf, self._replicated), tree)

    def shard_seeds(self, tree: Any) -> Any:
        return jax.tree.map(lambda leaf: _put(leaf, self._by_seed), tree)

    def shard_batch(self, tree: Any, seeds: bool) -> Any:
        def put(leaf):
            middle_axes = (None,) * (leaf.ndim - 1 - seeds)
            return _put(leaf, NamedSharding(self._mesh, P(*(SEED,) * seeds, *middle_axes, DATA)))

        return jax.tree.map(put, tree)

    def shard_local(self, tree: Any) -> Any:
        by_batch = NamedSharding(self._mesh, P(None, None, DATA))
        return jax.tree.map(lambda leaf: jax.make_array_from_process_local_data(by_batch, leaf), tree)

    def local_copy(self, tree: Any) -> Any:
        return jax.tree.map(lambda leaf: leaf.addressable_data(0), tree)

    def seed_copy(self, tree: Any, seed: int) -> Any:
        return self.local_copy(self._one_seed(tree, seed))

    def use_mesh(self) -> contextlib.AbstractContextManager:
        return jax.sharding.use_abstract_mesh(self._mesh.abstract_mesh)

    def out_shardings(self, seeds: bool) -> Any:
        return (self._by_seed if seeds else self._replicated, self._replicated)


def _put(array: jax.Array | np.ndarray, sharding: NamedSharding) -> jax.Array:
    """Places an array that every process has completely. Each process fills the shards of its own devices."""
    if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(_put(jax.random.key_data(array), sharding))
    array = np.asarray(array)
    return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])


def make_placement(text: str, batch_size: int, num_seeds: int) -> OneDevice | ManyDevices:
    """The placement of a run's arrays, from config.mesh."""
    if not text and jax.process_count() > 1:
        raise UserError(f"{jax.process_count()} processes need a mesh to share: set --config.mesh=data:-1")
    mesh = make_mesh(text, jax.devices(), batch_size, num_seeds)
    return ManyDevices(mesh) if mesh else OneDevice()
