"""Compiles several training steps into one call."""

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
    """`call` for states [seeds, ...] that are all at the same step.

    The step is not mapped by vmap. So `lax.cond` on the step (of a loss term that starts late) computes only one
    branch; with a mapped step it would compute both.
    """
    axes = GanState(step=None, generator=0, discriminator=0)
    mapped = jax.vmap(call, in_axes=(axes, data_axes, 0, 0), out_axes=(axes, 0), spmd_axis_name=axis_name)

    def call_all(state, *arguments):
        new, metrics = mapped(state._replace(step=state.step[0]), *arguments)
        return new._replace(step=jnp.broadcast_to(new.step, state.step.shape)), metrics

    return call_all


def compile_steps(
    gan: Gan, steps_per_call: int, seeds_axes: Batch | None = None, placement: OneDevice | ManyDevices = ONE_DEVICE
) -> Callable:
    """jit of (state, data, indices, count, key) -> (state, metrics): `count` steps in one call.

    data: Batch of uint8 images and labels; all of them, or (with images in files) the batches of this call.
    indices: Indices of `steps_per_call` steps.
    metrics: arrays [steps_per_call]; only the first `count` entries are valid.
    seeds_axes: for several seeds in one program. State, indices, key and metrics then have a leading axis of seeds, and
        so has each array of `data` with a 0 in `seeds_axes`. All seeds are at the same step.
    placement: the devices of the arrays.
    """

    # The trace of the step, which takes a second, is kept: for the shapes of the metrics, and for the loop.
    step = jax.jit(gan.step, inline=True)

    def call(count, state, data, indices, key):
        def body(i, carry):
            state, metrics = carry
            state, values = step(state, gather(data, indices, i), key)
            return state, jax.tree.map(lambda all_steps, value: all_steps.at[i].set(value), metrics, values)

        shapes = jax.eval_shape(lambda: step(state, gather(data, indices, 0), key)[1])
        metrics = jax.tree.map(lambda leaf: jnp.zeros((steps_per_call,), leaf.dtype), shapes)
        return jax.lax.fori_loop(0, count, body, (state, metrics))

    def program(state, data, indices, count, key):
        counted = functools.partial(call, count)
        if seeds_axes is not None:
            counted = _for_seeds(counted, seeds_axes, placement.seed_axis)
        with placement.use_mesh():
            return counted(state, data, indices, key)

    # In a loop of unknown length, an accelerator waits at every step for the host's test of the loop condition. There
    # `count` is static, and a shorter call (before a score, at the end of a run) is another program. On a CPU all calls
    # share one program.
    static = () if jax.default_backend() == "cpu" else (3,)
    shardings = placement.out_shardings(seeds_axes is not None)
    return compiler.jit(program, donate_argnums=0, static_argnums=static, out_shardings=shardings)
