"""The compiled program of a run: trains all seeds, one after the other or in one vmapped program.

For each seed, both programs compute the same as a run of this seed alone, up to rounding, on one or many devices.
With codistillation (semi_supervised/codistillation.py) seeds depend on each other; both programs still agree.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from gan_jax.data.batches import BatchIndices, BatchPlan, batch_plan, gather
from gan_jax.data.prefetch import is_streamed, make_inputs
from gan_jax.devices.mesh import ONE_DEVICE, ManyDevices, OneDevice, make_placement
from gan_jax.gan.step import Gan
from gan_jax.gan.types import Batch, GanState
from gan_jax.runs.initial_state import keys
from gan_jax.semi_supervised.codistillation import Teachers, peers_of
from gan_jax.system.errors import UserError
from gan_jax.system.randomness import seed_of
from gan_jax.training.calls import Call
from gan_jax.training.compiled_steps import compile_steps


class Program(Protocol):
    """Trains the seeds of a run. A seed is identified by its position in the list of seeds.

    waited: total seconds that calls waited for images.
    """

    waited: float

    def advance(self, call: Call, live: Sequence[int]) -> Any:
        """Dispatches a call for the seeds in `live`; returns their metrics, which may not be computed yet."""

    def read(self, metrics: Any) -> dict[int, dict[str, np.ndarray]]:
        """Waits for the metrics that `advance` returned: position -> name -> array [steps_per_call]."""

    def state(self, i: int) -> GanState:
        """The state of a seed, on one device."""

    def close(self) -> None:
        """Ends the threads and processes that read images."""


class SequentialSeeds:
    """Trains one seed after the other, with the program of a single seed."""

    def __init__(
        self,
        gan: Gan,
        plan: BatchPlan,
        seeds: Sequence[int],
        data: Sequence[Batch],
        states: Sequence[GanState],
        placement: OneDevice | ManyDevices = ONE_DEVICE,
        teaching: Teachers | None = None,
    ):
        self._inputs = make_inputs(plan, seeds, data, placement)
        self._call = compile_steps(gan, plan.steps_per_call, placement=placement)
        self._states = [placement.replicate(state) for state in states]
        self._keys = placement.replicate([step_key(seed, plan) for seed in seeds])
        self._add_extras = teaching.sequential() if teaching else None
        self._placement = placement

    def advance(self, call: Call, live: Sequence[int]) -> Any:
        metrics, inputs = {}, ((i, *self._inputs[i](call.first_step, call.count)) for i in live)
        if self._add_extras:
            inputs = self._add_extras(call.end, self._states, list(inputs), live)
        for i, data, indices in inputs:
            self._states[i], metrics[i] = self._call(self._states[i], data, indices, call.count, self._keys[i])
        return self._placement.local_copy(metrics)

    def read(self, metrics: Any) -> dict[int, dict[str, np.ndarray]]:
        return jax.device_get(metrics)

    def state(self, i: int) -> GanState:
        return self._placement.local_copy(self._states[i])

    def batches(self, i: int, step: int) -> Batch:
        """The batches of a seed in one step."""
        return gather(*self._inputs[i](step, 1), 0)

    @property
    def waited(self) -> float:
        return sum(inputs.waited for inputs in self._inputs)

    def close(self) -> None:
        for inputs in self._inputs:
            inputs.close()


class VmappedSeeds:
    """Trains all seeds in one program, by vmap over states with leaves [seeds, ...].

    Seeds that have ended continue to train, but their metrics are ignored. The device has one copy of the images.
    """

    waited = 0.0

    def __init__(
        self,
        gan: Gan,
        plan: BatchPlan,
        seeds: Sequence[int],
        data: Sequence[Batch],
        states: Sequence[GanState],
        placement: OneDevice | ManyDevices = ONE_DEVICE,
        teaching: Teachers | None = None,
    ):
        # If some seeds ended in an earlier process, copies of the last seed make the number divisible by the devices.
        num_copies = -len(seeds) % placement.num_seed_shards
        seeds, data, states = ([*values, *[values[-1]] * num_copies] for values in (seeds, data, states))
        # The images are the same for every seed. With few labels, the labels and the labelled images differ.
        label_axis, images = None if data[0].labelled is None else 0, placement.replicate(data[0].images)
        labels = [batch._replace(images=None) for batch in data]
        labels = placement.replicate(labels[0]) if label_axis is None else placement.shard_seeds(_stack(labels))
        self._data = labels._replace(images=images)
        axes = Batch(None, label_axis, None if label_axis is None else Batch(0, 0))
        self._call = compile_steps(gan, plan.steps_per_call, axes, placement)
        self._add_extras = teaching.vmapped(axes) if teaching else None
        self._indices = [BatchIndices(plan, seed, batch) for seed, batch in zip(seeds, data, strict=True)]
        self._states = placement.shard_seeds(_stack_on_device(list(states)))
        self._keys = placement.shard_seeds(_stack_on_device([step_key(seed, plan) for seed in seeds]))
        self._placement = placement

    def advance(self, call: Call, live: Sequence[int]) -> Any:
        indices = _stack([indices(call.first_step, call.count) for indices in self._indices])
        indices = self._placement.shard_batch(indices, seeds=True)
        if self._add_extras:
            indices = self._add_extras(call.end, self._states, self._data, indices, live)
        self._states, metrics = self._call(self._states, self._data, indices, call.count, self._keys)
        return list(live), self._placement.local_copy(metrics)

    def read(self, metrics: Any) -> dict[int, dict[str, np.ndarray]]:
        """Waits for the metrics; one transfer per array for all seeds."""
        live, metrics = metrics
        metrics = jax.device_get(metrics)
        return {i: {name: values[i] for name, values in metrics.items()} for i in live}

    def state(self, i: int) -> GanState:
        return self._placement.seed_copy(self._states, i)

    def close(self) -> None:
        pass


def _stack(trees: Sequence[Any]) -> Any:
    """Stacks pytrees of NumPy arrays along a new first axis."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)


@jax.jit
def _stack_on_device(trees: list) -> Any:
    """Stacks pytrees of device arrays along a new first axis, in one compiled program."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def step_key(seed: int, plan: BatchPlan) -> jax.Array:
    """The key of the steps of a seed's run."""
    return keys(seed_of("draws", seed, plan.fixed_randomness)).step


def check_placement(mesh: str, num_seed_shards: int, streamed: bool) -> None:
    """UserError for images in files together with a mesh that gives each seed its own devices."""
    if streamed and num_seed_shards > 1:
        raise UserError(
            f"mesh='{mesh}': seeds on devices of their own share images in memory, and these are read "
            "from files; set --config.mesh=data:-1, or --config.data.stream=never"
        )


def choose_program(num_seeds: int, num_seed_shards: int, streamed: bool) -> type:
    """The class of program: SequentialSeeds or VmappedSeeds.

    Sequential on a CPU: there, 8 seeds of the CGAN took as long in one vmapped program, and those of the tuned CGAN 1.6
    times as long. Sequential also for images in files: each seed reads other images, so there is nothing to share.
    """
    if streamed:
        return SequentialSeeds
    if num_seed_shards > 1:
        return VmappedSeeds
    return SequentialSeeds if num_seeds == 1 or jax.default_backend() == "cpu" else VmappedSeeds


def make_program(
    config: ConfigDict, gan: Gan, seeds: Sequence[int], data: Sequence[Batch], states: Sequence[GanState]
) -> Program:
    """The program that trains `seeds`; `data` and `states` have one entry for each seed."""
    placement = make_placement(config.mesh, config.batch_size, config.num_seeds)
    kind = choose_program(len(seeds), placement.num_seed_shards, any(map(is_streamed, data)))
    teaching = None
    if config.d_loss.codistillation and seeds:
        teaching = Teachers(gan, peers_of(config.data, seeds), config.ramp_up.start)
    return kind(gan, batch_plan(config), seeds, data, states, placement, teaching)
