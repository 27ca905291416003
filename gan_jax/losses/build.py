"""From a config to the players' losses: names become terms, and what cannot work together is refused."""

import functools
from collections.abc import Callable, Iterable, Mapping

import jax.numpy as jnp
from ml_collections import ConfigDict

from gan_jax.gan.types import LossInputs
from gan_jax.layers import norms
from gan_jax.losses import penalties, semi_supervised, targets
from gan_jax.losses.adversarial import OBJECTIVES
from gan_jax.losses.term import Knob, Term
from gan_jax.losses.weighted_sum import KNOBS, RampUp, weighted_sum
from gan_jax.networks import heads
from gan_jax.networks.build import ties
from gan_jax.system.config import choose, near
from gan_jax.system.errors import UserError

# Every term by its name. A new one is an entry in the file of its kind, and its lines in configs/default.py.
TERMS = penalties.TERMS | semi_supervised.TERMS

# The real images that G's update sees: those of D's last update, or others.
_G_BATCHES = ("last", "own")

# The sections of a config that hold weights of terms.
_LOSSES = ("d_loss", "g_loss")


def build_losses(config: ConfigDict) -> tuple[Callable, Callable]:
    """The loss of each player: weighted parts, plus what D says of both kinds of image."""
    _check_labels(config)
    objective = choose(OBJECTIVES, config.objective, "objective")
    choose(_G_BATCHES, config.g_batch, "g_batch")
    if not objective.uses_targets:
        targets.require_plain(config.objective, config.targets)
    _check_terms(config)
    terms = {
        name: term._replace(
            value=functools.partial(term.value, **{knob: config.terms[name][knob] for knob in term.knobs})
        )
        for name, term in TERMS.items()
    }

    def d_adversarial(inputs: LossInputs):
        return objective.discriminator(inputs.real.logits, inputs.fake.logits, inputs.targets)

    def g_adversarial(inputs: LossInputs):
        return objective.generator(inputs.real.logits, inputs.fake.logits, inputs.targets)

    def total(prefix, weights, adversarial):
        every = terms | {"adversarial": Term(adversarial)}
        parts = {name: (weights[name], every[name]) for name in sorted(weights)}
        return weighted_sum(prefix, parts, RampUp(**config.ramp_up))

    d_total, g_loss = total("d", config.d_loss, d_adversarial), total("g", config.g_loss, g_adversarial)

    def d_loss(inputs: LossInputs):
        value, metrics = d_total(inputs)
        outputs = {
            name: jnp.mean(objective.output(c.logits)) for name, c in (("d_real", inputs.real), ("d_fake", inputs.fake))
        }
        return value, {**metrics, **outputs}

    return d_loss, g_loss


def weighted_terms(weights: ConfigDict) -> list[Term]:
    """The terms that have a weight in this section, `d_loss` or `g_loss`, of a config."""
    return [term for name, term in TERMS.items() if name in weights and weights[name]]


def _check_terms(config: ConfigDict) -> None:
    """UserError for an unknown term, a knob that is out of its range or does nothing, and a term that lacks its needs."""
    for loss in _LOSSES:
        for name in config[loss]:
            if name not in TERMS and name != "adversarial":
                raise UserError(f"{loss}.{name} is no term of gan_jax/losses; {near(name, TERMS)}")
    ramping = [name for name, term in TERMS.items() if term.ramps]
    _check_knobs("ramp_up", KNOBS, config.ramp_up, _weights(config, ramping))
    for name, term in TERMS.items():
        weights = _weights(config, [name])
        if term.knobs:
            _check_knobs(f"terms.{name}", term.knobs, config.terms[name], weights)
        for key in (key for key, weight in weights.items() if weight):
            _check_needs(key, term, config)


def _weights(config: ConfigDict, names: Iterable[str]) -> dict[str, float]:
    """The weights of these terms by their dotted names in the config, such as d_loss.entropy."""
    return {f"{loss}.{name}": config[loss][name] for loss in _LOSSES for name in names if name in config[loss]}


def _check_knobs(section: str, knobs: Mapping[str, Knob], values: ConfigDict, weights: dict[str, float]) -> None:
    """UserError for a knob out of its range, or set although no term that it acts on has a weight.

    weights: of these terms, by their dotted names.
    """
    for name, knob in knobs.items():
        key, value = f"{section}.{name}", values[name]
        knob.check(value, key)
        if value != knob.default and not any(weights.values()):
            some = " or ".join(f"--config.{weight}" for weight in weights)
            raise UserError(f"{key}={value} does nothing: give {some} a weight, or leave --config.{key} unset")


def _check_needs(key: str, term: Term, config: ConfigDict) -> None:
    """key: the dotted name of the term's weight, which is not 0."""
    section = config.discriminator
    for needs in term.needs:
        if lacking := needs(config):
            raise UserError(f"{key} needs {lacking}")
    if term.needs_classes and section.head not in heads.CLASS_HEADS:
        raise UserError(f"{key} needs class logits: set --config.discriminator.head=auxiliary or class")
    for tie in ties(section) if term.per_example else ():
        raise UserError(
            f"{key} differentiates one image's logit, which discriminator.{tie}={section[tie]} ties to the whole "
            f"batch; set --config.discriminator.{tie}=none"
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
