"""One training step for every GAN: `d_steps` discriminator updates, then one generator update.

The parts that differ between GANs are arguments: the networks, the prior, the targets, the losses, the optimizers.

These choices change results:
- Real and fake images go through D in separate forward passes, so batch statistics never mix the two. If no layer of D
  mixes images (no batch norm, no minibatch layer), all images of a D update can go through D in one forward pass
  (`single_forward_pass`); the result is the same.
- In a D update the pass over the REAL images updates D's statistics, and no other pass does. G's update leaves D's
  statistics as they are.
- G generates its fakes in training mode everywhere; G's statistics are updated in G's update only.
- Fakes have the labels of the real batch that they are compared with. G's update uses the last of the D batches, or
  real images of its own (`Batch.of_g`).
- Real images are augmented as data before they reach D or any loss. Real and fake images reach D through the same
  kind of differentiable augmentation, with separate random draws. This is also true for penalties and consistency.
- `sample` uses the EMA of G's parameters AND of its statistics, in inference mode; `discriminate` does so for D.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jax import lax

from gan_jax.gan.forward_passes import separate_passes, single_pass
from gan_jax.gan.metrics import METRICS, Metric, Update, measure
from gan_jax.gan.player import inference_variables, init_player, update_player
from gan_jax.gan.tracking import Tracker
from gan_jax.gan.types import Batch, DiscriminatorOutput, GanState, LossInputs, Player, Progress, Targets
from gan_jax.gan.values import Value


def _apply(module: nn.Module, params: Any, stats: Any, *inputs: jax.Array, key: jax.Array) -> tuple[Any, Any]:
    """One forward pass in training mode: (output, new statistics)."""
    return module.apply({"params": params, **stats}, *inputs, train=True, rngs={"dropout": key}, mutable=list(stats))


class _Fakes(NamedTuple):
    """Generated images and their labels, their z, and G as a function of other z for the same labels."""

    batch: Batch
    z: jax.Array
    generate: Callable[[jax.Array], jax.Array]


def _unchanged(key: jax.Array, images: jax.Array, *unused) -> jax.Array:
    return images


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Gan:
    """A GAN: pure functions of its state, and the parts that they use.

    init(key, batch) -> GanState                        batch: real examples, for data-dependent initialization
    step(state, batches, key) -> (GanState, metrics)    batches: Batch with leaves [d_steps, B, ...]; of_g: [1, B, ...]
    generate(state, key, z, labels) -> images [B, H, W, C] in [-1, 1]
                                                        labels: int [B], or float [B, K] for a point between classes
    sample(state, key, labels) -> images                generate, of z from the prior
    discriminate(state, images, labels) -> DiscriminatorOutput     in inference mode, without random draws

    Every random draw of a step comes from `fold_in(key, state.step)`: a resumed run draws the same numbers.
    """

    generator: nn.Module  # (z, labels, train) -> images
    discriminator: nn.Module  # (images, labels, train) -> DiscriminatorOutput
    prior: Callable[[jax.Array, int], jax.Array]  # (key, B) -> z [B, Z]
    targets: Callable[[jax.Array, int], Targets]  # (key, B)
    d_loss: Callable[[LossInputs], tuple[jax.Array, dict]]  # (scalar to minimise, metrics)
    g_loss: Callable[[LossInputs], tuple[jax.Array, dict]]
    d_optimizer: optax.GradientTransformation
    g_optimizer: optax.GradientTransformation
    d_ema_decay: Value = 0.0  # 0: no EMA
    g_ema_decay: Value = 0.0
    d_keeps_param_mean: bool = False  # whether the state has the mean of all past parameters
    g_keeps_param_mean: bool = False
    # (key, images, fakes or None, Progress) -> images: changes of the real images. fakes: those of an update of D.
    augment_real: Callable[[jax.Array, jax.Array, jax.Array | None, Progress], jax.Array] = _unchanged
    # (key, images, Progress) -> images: changes of real and generated images before D.
    augment: Callable[[jax.Array, jax.Array, Progress], jax.Array] = _unchanged
    # (key, images) -> images: changes to which D should be invariant, for the term `consistency`.
    distort: Callable[[jax.Array, jax.Array], jax.Array] = _unchanged
    trackers: Mapping[str, Tracker] = dataclasses.field(default_factory=dict)  # numbers that follow D's outputs
    single_forward_pass: bool = False  # whether all images of a D update go through D in one forward pass
    metrics: Mapping[str, Metric] = dataclasses.field(default_factory=lambda: METRICS)  # more metrics, by name

    def init(self, key: jax.Array, batch: Batch) -> GanState:
        z_key, g_key, d_key = jax.random.split(key, 3)
        # Without the `fold_in`, these z are the first ones that `sample` draws with the seed of the run. Virtual batch
        # norm keeps them as its reference batch, and G makes other images from these z than from new ones.
        z_key = jax.random.fold_in(z_key, 1)
        z, images, labels = self.prior(z_key, len(batch.labels)), batch.images, batch.labels
        generator = init_player(
            self.generator, g_key, (z, labels), self.g_optimizer, self.g_ema_decay, self.g_keeps_param_mean
        )
        discriminator = init_player(
            self.discriminator, d_key, (images, labels), self.d_optimizer, self.d_ema_decay, self.d_keeps_param_mean
        )
        tracked = {name: jnp.full((), tracker.initial) for name, tracker in self.trackers.items()}
        discriminator = discriminator._replace(tracked=tracked)
        return GanState(jnp.zeros((), jnp.int32), generator, discriminator)

    def step(self, state: GanState, batches: Batch, key: jax.Array) -> tuple[GanState, dict]:
        d_key, g_key = jax.random.split(jax.random.fold_in(key, state.step))
        batches, of_g = batches._replace(of_g=None), batches.of_g
        d_keys = jax.random.split(d_key, len(batches.labels))
        player, d_metrics = lax.scan(
            lambda player, inputs: self._d_update(state, player, *inputs), state.discriminator, (batches, d_keys)
        )
        state = state._replace(discriminator=player)
        last = jax.tree.map(lambda leaf: leaf[-1], of_g._replace(labelled=batches.labelled) if of_g else batches)
        player, g_metrics = self._g_update(state, last, g_key)
        metrics = {**jax.tree.map(jnp.mean, d_metrics), **g_metrics}
        return state._replace(step=state.step + 1, generator=player), metrics

    def generate(self, state: GanState, key: jax.Array, z: jax.Array, labels: jax.Array) -> jax.Array:
        variables = inference_variables(state.generator)
        return self.generator.apply(variables, z, labels, train=False, rngs={"dropout": key})

    def sample(self, state: GanState, key: jax.Array, labels: jax.Array) -> jax.Array:
        z_key, dropout_key = jax.random.split(key)
        return self.generate(state, dropout_key, self.prior(z_key, len(labels)), labels)

    def discriminate(self, state: GanState, images: jax.Array, labels: jax.Array) -> DiscriminatorOutput:
        return self._infer(state.discriminator, images, labels)

    def _infer(self, player: Player, images: jax.Array, labels: jax.Array) -> DiscriminatorOutput:
        return self.discriminator.apply(inference_variables(player), images, labels, train=False)

    def _fakes(self, params, stats, labels: jax.Array, key: jax.Array) -> tuple[_Fakes, Any]:
        """Fake images for `labels`, and the generator's new statistics."""
        z_key, dropout_key = jax.random.split(key)
        z = self.prior(z_key, len(labels))

        def generate(z):
            return _apply(self.generator, params, stats, z, labels, key=dropout_key)

        images, new_stats = generate(z)
        return _Fakes(Batch(images, labels), z, lambda z: generate(z)[0]), new_stats

    def _loss_inputs(
        self,
        params,
        player: Player,
        batch: Batch,
        fakes: _Fakes,
        progress: Progress,
        key: jax.Array,
        single_pass_of_d: bool,
    ) -> tuple[LossInputs, Any]:
        """(the loss inputs of D with these parameters, its statistics after the pass of the real images)."""
        passes_key, extra_key, targets_key, term_key = jax.random.split(key, 4)

        def discriminate(images, labels, key):
            pass_key, augment_key = jax.random.split(key)
            images = self.augment(augment_key, images, progress)
            return _apply(self.discriminator, params, player.stats, images, labels, key=pass_key)

        batches = [batch, fakes.batch, batch.labelled] if batch.labelled else [batch, fakes.batch]
        passes = single_pass if single_pass_of_d else separate_passes
        (real, fake, *labelled), new_stats = passes(discriminate, batches, passes_key)
        inputs = LossInputs(
            batch=batch,
            fakes=fakes.batch,
            real=real,
            fake=fake,
            labelled=labelled[0] if labelled else None,
            targets=self.targets(targets_key, len(batch.labels)),
            discriminate=lambda images, labels: discriminate(images, labels, extra_key)[0],
            discriminate_ema=lambda images, labels: self._infer(player, images, labels),
            z=fakes.z,
            generate=fakes.generate,
            distort=self.distort,
            params=params,
            param_mean=player.param_mean,
            progress=progress,
            key=term_key,
        )
        return inputs, new_stats

    def _augmented(self, batch: Batch, fakes: Batch | None, progress: Progress, key: jax.Array) -> Batch:
        """The real images after their changes."""
        images_key, labelled_key = jax.random.split(key)
        labelled = batch.labelled
        if labelled:
            labelled = labelled._replace(images=self.augment_real(labelled_key, labelled.images, None, progress))
        images = self.augment_real(images_key, batch.images, fakes and fakes.images, progress)
        return batch._replace(images=images, labelled=labelled)

    @jax.named_scope("d_update")
    def _d_update(self, state: GanState, player: Player, batch: Batch, key: jax.Array) -> tuple[Player, dict]:
        fakes_key, inputs_key, real_key = jax.random.split(key, 3)
        fakes, _ = self._fakes(state.generator.params, state.generator.stats, batch.labels, fakes_key)
        progress = Progress(state.step, player.tracked)
        batch = self._augmented(batch, fakes.batch, progress, real_key)

        def inputs(params):
            return self._loss_inputs(params, player, batch, fakes, progress, inputs_key, self.single_forward_pass)

        gradients, stats, metrics, outputs = self._gradients("d", self.d_loss, inputs, player.params)
        player = update_player(player, gradients, stats, self.d_optimizer, self.d_ema_decay, progress)
        tracked = {name: self.trackers[name].update(value, *outputs) for name, value in player.tracked.items()}
        return player._replace(tracked=tracked), metrics | {f"d_{name}": value for name, value in tracked.items()}

    @jax.named_scope("g_update")
    def _g_update(self, state: GanState, batch: Batch, key: jax.Array) -> tuple[Player, dict]:
        fakes_key, inputs_key, real_key = jax.random.split(key, 3)
        player, discriminator = state.generator, state.discriminator
        progress = Progress(state.step, discriminator.tracked)
        batch = self._augmented(batch, None, progress, real_key)

        def inputs(params):
            fakes, stats = self._fakes(params, player.stats, batch.labels, fakes_key)
            # Separate passes: XLA removes the one over real images, unless the loss needs it (feature matching, say).
            inputs, _ = self._loss_inputs(
                discriminator.params, discriminator, batch, fakes, progress, inputs_key, False
            )
            return inputs._replace(params=params, param_mean=player.param_mean), stats

        gradients, stats, metrics, _ = self._gradients("g", self.g_loss, inputs, player.params)
        return update_player(player, gradients, stats, self.g_optimizer, self.g_ema_decay, progress), metrics

    def _gradients(self, prefix: str, loss: Callable, inputs: Callable, params: Any) -> tuple[Any, Any, dict, tuple]:
        """(gradients, new statistics, metrics, D's outputs for real and fake images) of an update.

        inputs: params -> (LossInputs, new statistics).
        """

        def value(params):
            loss_inputs, stats = inputs(params)
            scalar, metrics = loss(loss_inputs)
            return scalar, (stats, metrics, loss_inputs.fakes, (loss_inputs.real, loss_inputs.fake))

        gradients, (stats, metrics, fakes, outputs) = jax.grad(value, has_aux=True)(params)
        update = Update(params, gradients, fakes, lambda params: inputs(params)[0], loss)
        return gradients, stats, metrics | measure(self.metrics, prefix, update), outputs
