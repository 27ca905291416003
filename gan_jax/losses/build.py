"""From a config to the players' losses: names become terms, and what cannot work together is refused."""

import functools
from collections.abc import Callable

import jax.numpy as jnp
from ml_collections import ConfigDict

from gan_jax.gan.types import View
from gan_jax.layers import norms
from gan_jax.losses import penalties, semi_supervised, targets
from gan_jax.losses.adversarial import OBJECTIVES
from gan_jax.losses.weighted_sum import RampUp, weighted_sum
from gan_jax.networks import heads
from gan_jax.networks.build import ties
from gan_jax.system.config import choose
from gan_jax.system.errors import UserError

# Knobs of some terms: which, and what is said where none of these has a weight.
_OF_TERMS = {
    "ramp_up_start": (semi_supervised.RAMPED_TERMS, "nothing grows"),
    "ramp_up_steps": (semi_supervised.RAMPED_TERMS, "nothing grows"),
    "propagated_label_steps": (("propagated_label",), "nothing fades"),
    "propagated_label_power": (("propagated_label",), "no labels are propagated"),
}

# The real images that G's update sees: those of D's last update, or others.
_G_BATCHES = ("last", "own")

# The worst directions of a D at 90 epochs in bfloat16 have a median cosine with float32's at 0.01 of 0.40 from a probe
# of 0.01, 0.86 from 0.1, 0.97 from 0.5 and from 1; float32's own from a probe of 1: 0.97 (200 images of MNIST).
_LEAST_PROBE_OF_HALF = 0.5


def build_losses(config: ConfigDict) -> tuple[Callable, Callable]:
    """The loss of each player: weighted parts, plus what D says of both kinds of image."""
    _check_labels(config)
    objective = choose(OBJECTIVES, config.objective, "objective")
    choose(_G_BATCHES, config.g_batch, "g_batch")
    if not objective.uses_targets:
        targets.require_plain(config.objective, config.targets)
    _check_terms(config)
    with_knobs = {
        "virtual_adversarial": functools.partial(
            semi_supervised.virtual_adversarial,
            radius=config.virtual_adversarial_radius,
            probe=config.virtual_adversarial_probe,
            target=config.class_target,
        ),
        "propagated_label": functools.partial(
            semi_supervised.propagated_label,
            num_steps=config.propagated_label_steps,
            power=config.propagated_label_power,
        ),
        "interpolation": functools.partial(semi_supervised.interpolation, target=config.class_target),
        "noise_consistency": functools.partial(semi_supervised.noise_consistency, target=config.class_target),
        "pseudo_label": functools.partial(
            semi_supervised.pseudo_label, threshold=config.pseudo_label_threshold, target=config.class_target
        ),
    }
    every = penalties.TERMS | semi_supervised.TERMS | with_knobs

    def d_adversarial(view: View):
        return objective.discriminator(view.real.logits, view.fake.logits, view.targets)

    def g_adversarial(view: View):
        return objective.generator(view.real.logits, view.fake.logits, view.targets)

    def total(prefix, weights, adversarial):
        return weighted_sum(
            prefix,
            {name: (weights[name], every.get(name, adversarial)) for name in sorted(weights)},
            RampUp(config.ramp_up_start, config.ramp_up_steps),
        )

    d_total, g_loss = total("d", config.d_loss, d_adversarial), total("g", config.g_loss, g_adversarial)

    def d_loss(view: View):
        value, metrics = d_total(view)
        outputs = {
            name: jnp.mean(objective.output(c.logits)) for name, c in (("d_real", view.real), ("d_fake", view.fake))
        }
        return value, {**metrics, **outputs}

    return d_loss, g_loss


def _require_weight(config: ConfigDict, names: tuple[str, ...], otherwise: str) -> None:
    """UserError where none of these terms of D counts: a knob of theirs would do nothing."""
    if not any(config.d_loss[name] for name in names):
        some = " or ".join(f"--config.d_loss.{name}" for name in names)
        raise UserError(f"{otherwise}; give {some} a weight")


def _check_terms(config: ConfigDict) -> None:
    """Terms that the chosen discriminator cannot serve are refused by name."""
    for knob in ("virtual_adversarial_radius", "virtual_adversarial_probe"):
        if config[knob] <= 0:
            raise UserError(f"{knob}={config[knob]}: must be more than 0")
    if not 0 <= config.propagated_label_power <= 1:
        raise UserError(f"propagated_label_power={config.propagated_label_power}: must be from 0 to 1")
    if not 0 < config.pseudo_label_threshold < 1:
        raise UserError(f"pseudo_label_threshold={config.pseudo_label_threshold}: must be between 0 and 1")
    for knob, (names, idle) in _OF_TERMS.items():
        if config[knob] < 0:
            raise UserError(f"{knob}={config[knob]}: must be 0 or more")
        if config[knob]:
            _require_weight(config, names, f"{knob}={config[knob]}: {idle}")
    if choose(semi_supervised.CLASS_TARGETS, config.class_target, "class_target") == "average":
        _require_weight(config, semi_supervised.HELD_TERMS, "class_target=average: nothing is held to it")
        if not config.discriminator.average_decay:
            raise UserError("class_target=average needs an averaged D: set --config.discriminator.average_decay=0.999")
    probe = config.virtual_adversarial_probe
    if config.d_loss.virtual_adversarial and config.dtype == "bfloat16" and probe < _LEAST_PROBE_OF_HALF:
        raise UserError(
            f"virtual_adversarial_probe={probe}: bfloat16 cannot tell what D says of images so near to each other; "
            "set --config.virtual_adversarial_probe=1.0, or --config.dtype=float32"
        )
    section = config.discriminator
    for weights, knob in ((config.d_loss, "d_loss"), (config.g_loss, "g_loss")):
        for name in (name for name, weight in weights.items() if weight):
            if name in semi_supervised.TERMS and section.head not in heads.CLASS_HEADS:
                raise UserError(f"{knob}.{name} needs class logits: set --config.discriminator.head=auxiliary or class")
            if name == "classification_as_fake" and section.head != "auxiliary_fake":
                raise UserError(f"{knob}.{name} needs a class for fakes: --config.discriminator.head=auxiliary_fake")
            for tie in ties(section) if name in penalties.PER_EXAMPLE_TERMS else ():
                raise UserError(
                    f"{knob}.{name} differentiates one image's logit, which discriminator.{tie}={section[tie]} ties to "
                    f"the whole batch; set --config.discriminator.{tie}=none"
                )


def _check_labels(config: ConfigDict) -> None:
    """With few labels a discriminator must not be shown every image's label."""
    section = config.discriminator
    seen = section.conditioning != "none" or section.head == "projection" or section.norm in norms.CONDITIONAL_NORMS
    if config.data.num_labels and seen:
        raise UserError(
            f"data.num_labels={config.data.num_labels} hides the other images' labels, and this discriminator takes a "
            "label: set --config.discriminator.conditioning=none, a .norm without a condition, .head=class or auxiliary"
        )
    if config.data.num_labels and not config.d_loss.classification:
        raise UserError("data.num_labels does nothing without a classifier: set --config.d_loss.classification=1")
    if config.d_loss.propagated_label and not config.data.num_labels:
        raise UserError("d_loss.propagated_label: every image has a label of its own; set --config.data.num_labels=100")
