"""One training step for every GAN: `d_steps` discriminator updates, then one generator update.

What differs between GANs is handed in: the networks, the prior, the targets, the two losses, the two optimizers.

The choices that change results, stated once:
- real and fake images go through D in separate calls, so batch statistics never mix the two; where nothing in D ties
  the images of a batch together, `one_look` sends all those of a D update through it in one call, to the same effect;
- in a D update the REAL call advances D's statistics, and only that one; D's statistics are not kept from G's update;
- G makes its fakes in training mode everywhere; G's statistics advance in G's update only;
- fakes carry the labels of the real batch that they are compared with; G's update uses the last of the D batches, or
  real images of its own (`Batch.of_g`);
- real images are augmented as data before anything looks at them; D looks at real and fake images through the same kind
  of differentiable augmentation, with draws of their own; penalties and consistency look through it too;
- `sample` uses G's averaged parameters AND their averaged statistics, in inference mode; `judge` does so for D.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jax import lax

from gan_jax.gan.metrics import METRICS, Metric, Update, measure
from gan_jax.gan.types import Batch, Critique, GanState, Player, Targets, View


def _apply(module: nn.Module, params: Any, stats: Any, *inputs: jax.Array, key: jax.Array) -> tuple[Any, Any]:
    """One call in training mode: (output, new statistics)."""
    return module.apply({"params": params, **stats}, *inputs, train=True, rngs={"dropout": key}, mutable=list(stats))


def _average(average: Any, current: Any, decay: float, step: jax.Array) -> Any:
    """a <- d a + (1 - d) current; d = min(decay, (1 + step) / (10 + step)) forgets the untrained start sooner.

    Counts and labels among the statistics are taken as they are.
    """
    decay = jnp.minimum(decay, (1 + step) / (10 + step))

    def mix(a, b):
        return decay * a + (1 - decay) * b if jnp.issubdtype(b.dtype, jnp.floating) else b

    return jax.tree.map(mix, average, current)


def _remember(history: Any, params: Any) -> Any:
    """The plain mean of all parameters so far, with one more."""
    if not history:
        return history
    count = history["count"] + 1
    return {"mean": jax.tree.map(lambda m, p: m + (p - m) / count, history["mean"], params), "count": count}


def _update(player: Player, gradients, stats, optimizer, decay: float, step: jax.Array) -> Player:
    """One optimizer step, then the averages."""
    updates, opt_state = optimizer.update(gradients, player.opt_state, player.params)
    params = optax.apply_updates(player.params, updates)
    current = {"params": params, "stats": stats}
    average = _average(player.average, current, decay, step) if decay else {}
    return Player(params, stats, opt_state, average, _remember(player.history, params))


def _player(module: nn.Module, key: jax.Array, inputs: tuple, optimizer, decay: float, remember: bool) -> Player:
    params_key, dropout_key = jax.random.split(key)
    stats = module.init({"params": params_key, "dropout": dropout_key}, *inputs, train=True)
    params = stats.pop("params")
    # Copies of their own: the state is donated, and a buffer can be given away only once.
    average = jax.tree.map(jnp.copy, {"params": params, "stats": stats}) if decay else {}
    history = {"mean": jax.tree.map(jnp.copy, params), "count": jnp.ones((), jnp.int32)} if remember else {}
    return Player(params, stats, optimizer.init(params), average, history)


def in_use(player: Player) -> dict:
    """The variables for inference: the averages where they are kept."""
    current = player.average or {"params": player.params, "stats": player.stats}
    return {"params": current["params"], **current["stats"]}


def _unchanged(key: jax.Array, images: jax.Array) -> jax.Array:
    return images


def _one_by_one(critic: Callable, batches: list[Batch], key: jax.Array) -> tuple[list[Critique], Any]:
    """A critique of each batch, and D's statistics after the first."""
    keys = jax.random.split(key, len(batches))
    looks = [critic(batch.images, batch.labels, own) for batch, own in zip(batches, keys, strict=True)]
    return [critique for critique, _ in looks], looks[0][1]


def _in_one(critic: Callable, batches: list[Batch], key: jax.Array) -> tuple[list[Critique], Any]:
    """The same from one call. Rows of the batches take turns, so that each device of several keeps its own."""
    number = len(batches)

    def merge(*leaves):
        return jnp.stack(leaves, axis=1).reshape(-1, *leaves[0].shape[1:])

    images, labels = jax.tree.map(merge, *((batch.images, batch.labels) for batch in batches))
    every, stats = critic(images, labels, key)
    rows = jax.tree.map(lambda leaf: leaf.reshape(-1, number, *leaf.shape[1:]), every)
    return [jax.tree.map(lambda leaf, i=i: leaf[:, i], rows) for i in range(number)], stats


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Gan:
    """A GAN as pure functions of its state, made of its parts.

    init(key, batch) -> GanState                        batch: real examples, for starts that depend on data
    step(state, batches, key) -> (GanState, metrics)    batches: Batch with leaves [d_steps, B, ...]; of_g: [1, B, ...]
    generate(state, key, z, labels) -> images [B, H, W, C] in [-1, 1]
                                                        labels: int [B], or float [B, K] for a point between classes
    sample(state, key, labels) -> images                generate, of z from the prior
    judge(state, images, labels) -> Critique            in inference mode, nothing drawn

    generator: (z, labels, train) -> images; discriminator: (images, labels, train) -> Critique.
    prior: (key, B) -> z [B, Z]; targets: (key, B) -> Targets.
    d_loss, g_loss: View -> (scalar to minimise, metrics by name); metrics: name -> (Update -> scalar), more of them.
    d_ema_decay, g_ema_decay: of the moving averages, 0 for none.
    d_remembers, g_remembers: whether the mean of all past parameters is kept.
    augment_real (real images, as data), augment (what D sees, real and fake), distort (what D should not notice, for
    the term `consistency`): (key, images) -> images.
    one_look: whether all images of a D update go through D in one call.
    Every random draw of a step comes from `fold_in(key, state.step)`: a resumed run draws the same numbers.
    """

    generator: nn.Module
    discriminator: nn.Module
    prior: Callable[[jax.Array, int], jax.Array]
    targets: Callable[[jax.Array, int], Targets]
    d_loss: Callable[[View], tuple[jax.Array, dict]]
    g_loss: Callable[[View], tuple[jax.Array, dict]]
    d_optimizer: optax.GradientTransformation
    g_optimizer: optax.GradientTransformation
    d_ema_decay: float = 0.0
    g_ema_decay: float = 0.0
    d_remembers: bool = False
    g_remembers: bool = False
    augment_real: Callable[[jax.Array, jax.Array], jax.Array] = _unchanged
    augment: Callable[[jax.Array, jax.Array], jax.Array] = _unchanged
    distort: Callable[[jax.Array, jax.Array], jax.Array] = _unchanged
    one_look: bool = False
    metrics: Mapping[str, Metric] = dataclasses.field(default_factory=lambda: METRICS)

    def init(self, key: jax.Array, batch: Batch) -> GanState:
        z_key, g_key, d_key = jax.random.split(key, 3)
        z, images, labels = self.prior(z_key, len(batch.labels)), batch.images, batch.labels
        generator = _player(self.generator, g_key, (z, labels), self.g_optimizer, self.g_ema_decay, self.g_remembers)
        discriminator = _player(
            self.discriminator, d_key, (images, labels), self.d_optimizer, self.d_ema_decay, self.d_remembers
        )
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
        return self.generator.apply(in_use(state.generator), z, labels, train=False, rngs={"dropout": key})

    def sample(self, state: GanState, key: jax.Array, labels: jax.Array) -> jax.Array:
        z_key, dropout_key = jax.random.split(key)
        return self.generate(state, dropout_key, self.prior(z_key, len(labels)), labels)

    def judge(self, state: GanState, images: jax.Array, labels: jax.Array) -> Critique:
        return self._infer(state.discriminator, images, labels)

    def _infer(self, player: Player, images: jax.Array, labels: jax.Array) -> Critique:
        return self.discriminator.apply(in_use(player), images, labels, train=False)

    def _make(self, params, stats, labels: jax.Array, key: jax.Array) -> tuple[Batch, Any]:
        """Fake images for `labels`, and the generator's new statistics."""
        z_key, dropout_key = jax.random.split(key)
        images, stats = _apply(self.generator, params, stats, self.prior(z_key, len(labels)), labels, key=dropout_key)
        return Batch(images, labels), stats

    def _look(
        self, params, player: Player, batch: Batch, fakes: Batch, key: jax.Array, one_look: bool
    ) -> tuple[dict, Any]:
        """What a loss sees of the discriminator with `params`, and its statistics after its look at the real images."""
        looks_key, critic_key, targets_key, term_key = jax.random.split(key, 4)

        def critic(images, labels, key):
            look_key, augment_key = jax.random.split(key)
            images = self.augment(augment_key, images)
            return _apply(self.discriminator, params, player.stats, images, labels, key=look_key)

        batches = [batch, fakes, batch.labelled] if batch.labelled else [batch, fakes]
        (real, fake, *labelled), new_stats = (_in_one if one_look else _one_by_one)(critic, batches, looks_key)
        view = {
            "batch": batch,
            "fakes": fakes,
            "real": real,
            "fake": fake,
            "labelled": labelled[0] if labelled else None,
            "targets": self.targets(targets_key, len(batch.labels)),
            "critic": lambda images, labels: critic(images, labels, critic_key)[0],
            "averaged": lambda images, labels: self._infer(player, images, labels),
            "distort": self.distort,
            "key": term_key,
        }
        return view, new_stats

    def _real(self, batch: Batch, key: jax.Array) -> Batch:
        """The real images as data augmentation shows them."""
        images_key, labelled_key = jax.random.split(key)
        labelled = batch.labelled
        if labelled:
            labelled = labelled._replace(images=self.augment_real(labelled_key, labelled.images))
        return batch._replace(images=self.augment_real(images_key, batch.images), labelled=labelled)

    @jax.named_scope("d_update")
    def _d_update(self, state: GanState, player: Player, batch: Batch, key: jax.Array) -> tuple[Player, dict]:
        make_key, look_key, real_key = jax.random.split(key, 3)
        fakes, _ = self._make(state.generator.params, state.generator.stats, batch.labels, make_key)
        batch = self._real(batch, real_key)

        def inputs(params):
            view, stats = self._look(params, player, batch, fakes, look_key, self.one_look)
            return View(**view, params=params, history=player.history, step=state.step), stats

        gradients, stats, metrics = self._gradients("d", self.d_loss, inputs, player.params)
        return _update(player, gradients, stats, self.d_optimizer, self.d_ema_decay, state.step), metrics

    @jax.named_scope("g_update")
    def _g_update(self, state: GanState, batch: Batch, key: jax.Array) -> tuple[Player, dict]:
        make_key, look_key, real_key = jax.random.split(key, 3)
        player, critic = state.generator, state.discriminator
        batch = self._real(batch, real_key)

        def inputs(params):
            fakes, stats = self._make(params, player.stats, batch.labels, make_key)
            # One by one: real images are compiled away, unless the loss looks at them (feature matching, say).
            view, _ = self._look(critic.params, critic, batch, fakes, look_key, False)
            return View(**view, params=params, history=player.history, step=state.step), stats

        gradients, stats, metrics = self._gradients("g", self.g_loss, inputs, player.params)
        return _update(player, gradients, stats, self.g_optimizer, self.g_ema_decay, state.step), metrics

    def _gradients(self, prefix: str, loss: Callable, inputs: Callable, params: Any) -> tuple[Any, Any, dict]:
        """(gradients, new statistics, metrics) of an update. inputs: params -> (View, new statistics)."""

        def value(params):
            view, stats = inputs(params)
            scalar, metrics = loss(view)
            return scalar, (stats, metrics, view.fakes)

        gradients, (stats, metrics, fakes) = jax.grad(value, has_aux=True)(params)
        update = Update(params, gradients, fakes, lambda params: inputs(params)[0], loss)
        return gradients, stats, metrics | measure(self.metrics, prefix, update)
