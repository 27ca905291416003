"""Several training steps in one compiled call, and the data that they read."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp

from gan_jax.data.batches import gather
from gan_jax.devices import compiler
from gan_jax.devices.mesh import ONE_DEVICE, ManyDevices, OneDevice
from gan_jax.gan.step import Gan
from gan_jax.gan.types import Batch, GanState


def _for_seeds(call: Callable, data_axes: Batch, axis_name: str | None) -> Callable:
    """`call` of states [seeds, ...] that are all at one step.

    The step has no axis of its own inside: of a term that comes in late `lax.cond` then computes one branch, and not
    both as it must where each seed may be at another step.
    """
    axes = GanState(step=None, generator=0, discriminator=0)
    mapped = jax.vmap(call, in_axes=(axes, data_axes, 0, 0), out_axes=(axes, 0), spmd_axis_name=axis_name)

    def together(state, *arguments):
        new, metrics = mapped(state._replace(step=state.step[0]), *arguments)
        return new._replace(step=jnp.broadcast_to(new.step, state.step.shape)), metrics

    return together


def compile_steps(
    gan: Gan, steps_per_call: int, seeds_axes: Batch | None = None, placement: OneDevice | ManyDevices = ONE_DEVICE
) -> Callable:
    """jit of (state, data, indices, count, key) -> (state, metrics): `count` steps in one call.

    data: Batch of uint8 images and labels, which stay on the device, or a call's own; indices: Indices of
    `steps_per_call` steps.
    metrics are arrays [steps_per_call] of which the first `count` entries hold. seeds_axes: for several seeds at once,
    where state, indices, key and metrics have a leading axis for them, and `data` where this says 0; all are at the
    same step. placement: where the arrays lie.
    """

    def call(count, state, data, indices, key):
        def body(i, carry):
            state, metrics = carry
            state, values = gan.step(state, gather(data, indices, i), key)
            return state, jax.tree.map(lambda all_steps, value: all_steps.at[i].set(value), metrics, values)

        shapes = jax.eval_shape(lambda: gan.step(state, gather(data, indices, 0), key)[1])
        metrics = jax.tree.map(lambda leaf: jnp.zeros((steps_per_call,), leaf.dtype), shapes)
        return jax.lax.fori_loop(0, count, body, (state, metrics))

    def program(state, data, indices, count, key):
        counted = functools.partial(call, count)
        if seeds_axes is not None:
            counted = _for_seeds(counted, seeds_axes, placement.seed_axis)
        with placement.use_mesh():
            return counted(state, data, indices, key)

    # An accelerator stops at every step of a loop of unknown length to tell the host whether another one follows: there
    # a shorter call, before a score or at a run's end, is a program of its own. On a CPU it is the same one.
    static = () if jax.default_backend() == "cpu" else (3,)
    shardings = placement.out_shardings(seeds_axes is not None)
    return compiler.jit(program, donate_argnums=0, static_argnums=static, out_shardings=shardings)
