"""Several devices: what of a run lies on which of them.

A mesh has two axes. Along `data` a batch is cut, so that each device sees its share; along `seed` the seeds of one run
are. What is not cut lies whole on every device. The program is written as for one device: XLA's partitioner works on
the whole of it and adds what devices must tell each other. So a mean over a batch is the mean over all of it (batch
norm, minibatch discrimination and feature matching see the whole batch), and a random draw is that of a single device.
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


def _sizes(text: str, num_devices: int) -> dict[str, int]:
    """Devices along each axis, from text such as "seed:4,data:2"; -1 is as many as there are left."""
    sizes = {}
    for part in text.split(","):
        axis, _, size = part.strip().partition(":")
        if axis not in (SEED, DATA) or axis in sizes or not re.fullmatch(r"-1|[1-9]\d{0,8}", size, re.ASCII):
            raise UserError(f"mesh='{text}': write data:-1 (all devices), data:4, or seed:4,data:2")
        sizes[axis] = int(size)
    named = math.prod(size for size in sizes.values() if size > 0)
    left = [axis for axis, size in sizes.items() if size < 0]
    if len(left) > 1 or num_devices % named or (not left and named != num_devices):
        raise UserError(f"mesh='{text}' does not come out at the {num_devices} devices that are here; try data:-1")
    return {SEED: 1, DATA: 1} | sizes | dict.fromkeys(left, num_devices // named)


def make_mesh(text: str, devices: Sequence[jax.Device], batch_size: int, num_seeds: int) -> Mesh | None:
    """The mesh that config.mesh names over these devices; None for "", which is one device."""
    if not text:
        return None
    sizes = _sizes(text, len(devices))
    for axis, knob, number in ((DATA, "batch_size", batch_size), (SEED, "num_seeds", num_seeds)):
        if number % sizes[axis]:
            raise UserError(f"{knob}={number} cannot be shared out evenly among {sizes[axis]} devices (mesh='{text}')")
    # With kinds of axes named, since newer versions of JAX choose another kind.
    return jax.make_mesh((sizes[SEED], sizes[DATA]), (SEED, DATA), (AxisType.Auto,) * 2, devices=devices)


def spread(x: jax.Array, axis: int = 0) -> jax.Array:
    """x with `axis`, that of a batch, cut over the devices of the mesh in use; x as it is where none is in use."""
    if jax.sharding.get_abstract_mesh().empty:
        return x
    return jax.lax.with_sharding_constraint(x, P(*(None,) * axis, DATA))


def num_shares() -> int:
    """Into how many parts the mesh in use cuts a batch; 1 where none is in use."""
    return jax.sharding.get_abstract_mesh().shape.get(DATA, 1)


@jax.jit
def _of_seed(tree: Any, seed: jax.Array) -> Any:
    return jax.tree.map(lambda leaf: leaf[seed], tree)


class OneDevice:
    """Everything on the default device."""

    num_seed_shares = 1
    seed_axis = None

    def whole(self, tree: Any) -> Any:
        """Arrays that do not belong to one seed or one example."""
        return jax.device_put(tree)

    def by_seed(self, tree: Any) -> Any:
        """Arrays [seeds, ...]."""
        return jax.device_put(tree)

    def by_example(self, tree: Any, seeds: bool) -> Any:
        """Arrays [..., B]; with `seeds`, [seeds, ..., B]."""
        return tree

    def parts(self, tree: Any) -> Any:
        """This process's part of arrays [steps, d_steps, B, ...]: the same share of every batch."""
        return jax.device_put(tree)

    def here(self, tree: Any) -> Any:
        """What `whole` or a step's metrics are, as arrays of one device of this process."""
        return tree

    def of_seed(self, tree: Any, seed: int) -> Any:
        """The arrays of one seed out of arrays [seeds, ...], as `here`."""
        return _of_seed(tree, seed)

    def inside(self) -> contextlib.AbstractContextManager:
        """What a program is traced in."""
        return contextlib.nullcontext()

    def outputs(self, seeds: bool) -> Any:
        """Shardings of (state, metrics)."""
        return None


ONE_DEVICE = OneDevice()


class ManyDevices:
    """The same over the devices of a mesh. In every process, each one gives its own devices their share."""

    seed_axis = SEED

    def __init__(self, mesh: Mesh):
        self._mesh, self.num_seed_shares = mesh, mesh.shape[SEED]
        self._whole, self._by_seed = NamedSharding(mesh, P()), NamedSharding(mesh, P(SEED))
        self._pick = jax.jit(_of_seed, out_shardings=self._whole)

    def whole(self, tree: Any) -> Any:
        return jax.tree.map(lambda leaf: _put(leaf, self._whole), tree)

    def by_seed(self, tree: Any) -> Any:
        return jax.tree.map(lambda leaf: _put(leaf, self._by_seed), tree)

    def by_example(self, tree: Any, seeds: bool) -> Any:
        def put(leaf):
            between = (None,) * (leaf.ndim - 1 - seeds)
            return _put(leaf, NamedSharding(self._mesh, P(*(SEED,) * seeds, *between, DATA)))

        return jax.tree.map(put, tree)

    def parts(self, tree: Any) -> Any:
        by_batch = NamedSharding(self._mesh, P(None, None, DATA))
        return jax.tree.map(lambda leaf: jax.make_array_from_process_local_data(by_batch, leaf), tree)

    def here(self, tree: Any) -> Any:
        return jax.tree.map(lambda leaf: leaf.addressable_data(0), tree)

    def of_seed(self, tree: Any, seed: int) -> Any:
        return self.here(self._pick(tree, seed))

    def inside(self) -> contextlib.AbstractContextManager:
        return jax.sharding.use_abstract_mesh(self._mesh.abstract_mesh)

    def outputs(self, seeds: bool) -> Any:
        return (self._by_seed if seeds else self._whole, self._whole)


def _put(array: jax.Array | np.ndarray, sharding: NamedSharding) -> jax.Array:
    """An array that every process holds, of which each puts on its own devices what belongs there."""
    if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(_put(jax.random.key_data(array), sharding))
    array = np.asarray(array)
    return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])


def make_placement(text: str, batch_size: int, num_seeds: int) -> OneDevice | ManyDevices:
    """Where a run's arrays lie, by config.mesh."""
    if not text and jax.process_count() > 1:
        raise UserError(f"{jax.process_count()} processes need a mesh to share: set --config.mesh=data:-1")
    mesh = make_mesh(text, jax.devices(), batch_size, num_seeds)
    return ManyDevices(mesh) if mesh else OneDevice()
