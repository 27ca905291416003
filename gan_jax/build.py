"""Builds a GAN from a config. Names become objects only here, in networks/build.py and in losses/build.py."""

import sys
import types
from collections.abc import Callable

import optax
from ml_collections import ConfigDict

from gan_jax.devices.mesh import with_sharding
from gan_jax.gan import optimizers, priors
from gan_jax.gan.changing_settings import augmentations, ema_decay
from gan_jax.gan.metrics import choose_metrics
from gan_jax.gan.schedules import make_schedule
from gan_jax.gan.step import Gan
from gan_jax.gan.tracking import Tracker
from gan_jax.gan.values import make_trackers
from gan_jax.layers import norms
from gan_jax.losses import targets
from gan_jax.losses.adversarial import OBJECTIVES
from gan_jax.losses.build import build_losses, build_trackers, weighted_terms
from gan_jax.losses.terms import TERMS
from gan_jax.networks import heads
from gan_jax.networks.build import build_discriminator, build_generator, single_forward_pass
from gan_jax.system.config import RULE_KEYWORDS, adaptive_leaves, leaves
from gan_jax.system.errors import UserError

# The smallest value that is allowed -> the knobs with this limit.
_MINIMA = {
    0: ("seed", "sample_every_steps", "checkpoint_every_steps", "eval.every_steps"),
    1: ("batch_size", "init_batch_size", "d_steps", "steps_per_call", "log_every_steps", "keep_checkpoints"),
}


def num_steps(config: ConfigDict, num_images: int) -> int:
    """The number of generator updates of the run. UserError if a count in the config is out of its range."""
    if (config.num_epochs > 0) == (config.num_steps > 0) or min(config.num_epochs, config.num_steps) < 0:
        raise UserError(
            f"num_epochs={config.num_epochs} and num_steps={config.num_steps}: set one of them, the other to 0"
        )
    values = leaves(config)
    for minimum, knobs in _MINIMA.items():
        for knob in knobs:
            if values[knob] < minimum:
                raise UserError(f"{knob}={values[knob]}: must be at least {minimum}")
    if config.batch_size > num_images:
        raise UserError(f"batch_size={config.batch_size} is more than the {num_images} training images; lower it")
    return config.num_steps or max(config.num_epochs * num_images // (config.batch_size * config.d_steps), 1)


def is_conditional(section: ConfigDict) -> bool:
    """Whether the generator uses the label. section: config.generator."""
    return section.conditioning != "none" or section.norm in norms.CONDITIONAL_NORMS or _embeds_labels(section)


def _embeds_labels(section: ConfigDict) -> bool:
    """Whether the norms of this generator depend on an embedding of the label."""
    return section.norm in norms.MODULATED_NORMS and bool(section.norm_embedding)


def settings_with_labels(config: ConfigDict) -> list[str]:
    """The settings, as KEY=VALUE, by which a network or a loss uses the labels of the images; [] for none."""
    used = [("data.num_labels", config.data.num_labels)] if config.data.num_labels else []
    for player in ("generator", "discriminator"):
        section = config[player]
        used += [(f"{player}.conditioning", section.conditioning)] if section.conditioning != "none" else []
        used += [(f"{player}.norm", section.norm)] if section.norm in norms.CONDITIONAL_NORMS else []
    embedding = config.generator.norm_embedding
    used += [("generator.norm_embedding", embedding)] if _embeds_labels(config.generator) else []
    head = config.discriminator.head
    used += [("discriminator.head", head)] if head in (*heads.CLASS_HEADS, *heads.LABEL_HEADS) else []
    for loss in ("d_loss", "g_loss"):
        used += [
            (f"{loss}.{name}", weight)
            for name, weight in config[loss].items()
            if weight and name in TERMS and TERMS[name].uses_labels
        ]
    return [f"{key}={value}" for key, value in used]


def learning_rates(config: ConfigDict, total_steps: int) -> dict[str, Callable[[int], float]]:
    """The learning rate of each player as a function of its own number of updates."""
    return {
        prefix: make_schedule(
            section.schedule,
            section.learning_rate,
            total_steps * updates,
            final_fraction=section.final_fraction,
            warmup_updates=section.warmup_steps * updates,
            hold_fraction=section.schedule_start,
            num_drops=section.schedule_drops,
            knob=f"{prefix}_optimizer",
        )
        for prefix, section, updates in (("d", config.d_optimizer, config.d_steps), ("g", config.g_optimizer, 1))
    }


def _optimizer(section: ConfigDict, rate: Callable, num_updates: int, knob: str) -> optax.GradientTransformation:
    return optimizers.make_optimizer(
        section.name,
        {name: section[name] for name in RULE_KEYWORDS if section[name] is not None},
        rate,
        weight_decay=section.weight_decay,
        decay_kind=section.weight_decay_kind,
        clip_norm=section.clip_norm,
        clip_weights=section.clip_weights,
        num_updates=num_updates,
        knob=knob,
    )


def _trackers(config: ConfigDict) -> dict[str, Tracker]:
    """The numbers that follow D's outputs: those of adaptive settings, and those of terms."""
    adaptive = adaptive_leaves(config)
    if adaptive and not OBJECTIVES[config.objective].centred:
        knob, setting = next(iter(adaptive.items()))
        centred = ", ".join(name for name, objective in OBJECTIVES.items() if objective.centred)
        raise UserError(
            f"{knob}={setting} counts positive outputs of D, which mean nothing for objective={config.objective}; set "
            f"a number or a schedule, or one of the objectives {centred}"
        )
    return make_trackers(adaptive) | build_trackers(config)


def build(config: ConfigDict, image_shape: tuple[int, int, int], num_classes: int, total_steps: int) -> Gan:
    """The GAN that a config describes, for images [H, W, C] of `num_classes` classes."""
    d_loss, g_loss = build_losses(config, total_steps)
    rates = learning_rates(config, total_steps)
    draw_prior = priors.make_prior(**config.prior)
    return Gan(
        generator=build_generator(config.generator, image_shape, num_classes, config.init_batch_size, config.dtype),
        discriminator=build_discriminator(config.discriminator, num_classes, config.init_batch_size, config.dtype),
        # The sharding is explicit, because an unconditional generator has no input that is sharded like the real batch.
        prior=lambda key, size: with_sharding(draw_prior(key, size)),
        targets=targets.make_targets(**config.targets),
        d_loss=d_loss,
        g_loss=g_loss,
        d_optimizer=_optimizer(config.d_optimizer, rates["d"], total_steps * config.d_steps, "d_optimizer"),
        g_optimizer=_optimizer(config.g_optimizer, rates["g"], total_steps, "g_optimizer"),
        d_ema_decay=ema_decay(config.discriminator, total_steps, "discriminator"),
        g_ema_decay=ema_decay(config.generator, total_steps, "generator"),
        d_keeps_param_mean=any(term.needs_param_mean for term in weighted_terms(config.d_loss)),
        g_keeps_param_mean=any(term.needs_param_mean for term in weighted_terms(config.g_loss)),
        single_forward_pass=single_forward_pass(config.discriminator),
        metrics=choose_metrics(config.extra_metrics),
        trackers=_trackers(config),
        **augmentations(config.augmentation, total_steps),
    )


class _CallableModule(types.ModuleType):
    """Lets a program write gan_jax.build(config, ...), which this module's own name would otherwise hide."""

    def __call__(
        self, config: ConfigDict, image_shape: tuple[int, int, int], num_classes: int, total_steps: int = 0
    ) -> Gan:
        """`build`; total_steps: the length of the run, for schedules of learning rates; 0: config.num_steps."""
        if not (total_steps or config.num_steps):
            raise UserError("the config counts epochs; give total_steps, the number of training steps")
        return build(config, tuple(image_shape), num_classes, total_steps or config.num_steps)


sys.modules[__name__].__class__ = _CallableModule
