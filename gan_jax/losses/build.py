"""Builds the losses of both players from a config, and refuses combinations that cannot work."""

import functools
from collections.abc import Callable, Mapping

import jax.numpy as jnp
from ml_collections import ConfigDict

from gan_jax.data.batches import G_BATCHES
from gan_jax.gan.tracking import Tracker
from gan_jax.gan.types import LossInputs
from gan_jax.gan.values import Value, at, bounds, make_value
from gan_jax.layers import norms
from gan_jax.losses import targets
from gan_jax.losses.adversarial import OBJECTIVES, mean_of_top
from gan_jax.losses.term import Knob, Term
from gan_jax.losses.terms import TERMS
from gan_jax.losses.weighted_sum import KNOBS, PENALTY_EVERY, RampUp, weighted_sum
from gan_jax.networks import heads
from gan_jax.networks.build import batch_mixing_knobs
from gan_jax.system.config import choose, is_adaptive, near
from gan_jax.system.errors import UserError

# The sections of a config with the weights of the terms.
_LOSSES = ("d_loss", "g_loss")


def build_losses(config: ConfigDict, total_steps: int) -> tuple[Callable, Callable]:
    """(d_loss, g_loss): weighted sums of terms. d_loss also reports D(x) of real and of fake images.

    total_steps: the length of the run, for schedules of weights.
    """
    _check_labels(config)
    objective = choose(OBJECTIVES, config.objective, "objective")
    choose(G_BATCHES, config.g_batch, "g_batch")
    if not objective.uses_targets:
        targets.require_plain(config.objective, config.targets)
    _check_terms(config)
    terms = {
        name: term._replace(
            value=functools.partial(term.value, **{knob: config.terms[name][knob] for knob in term.knobs})
        )
        for name, term in _terms_of(config).items()
    }

    def d_adversarial(inputs: LossInputs):
        return objective.discriminator(inputs.real.logits, inputs.fake.logits, inputs.targets)

    top_share = _top_share(config, total_steps)

    def g_adversarial(inputs: LossInputs):
        logits = inputs.real.logits, inputs.fake.logits
        if top_share is None:
            return objective.generator(*logits, inputs.targets)
        return mean_of_top(objective, *logits, inputs.targets, at(top_share, inputs.progress))

    def total(prefix, weights, adversarial):
        all_terms = terms | {"adversarial": Term(adversarial, prefix)}
        parts = {
            name: (make_value(weights[name], total_steps, f"{prefix}_loss.{name}"), all_terms[name])
            for name in sorted(weights)
        }
        return weighted_sum(prefix, parts, RampUp(**config.ramp_up), config.penalty_every)

    d_total, g_loss = total("d", config.d_loss, d_adversarial), total("g", config.g_loss, g_adversarial)

    def d_loss(inputs: LossInputs):
        value, metrics = d_total(inputs)
        outputs = {"d_real": inputs.real, "d_fake": inputs.fake}
        means = {name: jnp.mean(objective.output(output.logits)) for name, output in outputs.items()}
        return value, {**metrics, **means}

    return d_loss, g_loss


def weighted_terms(weights: ConfigDict) -> list[Term]:
    """The terms with a weight other than 0. weights: the section `d_loss` or `g_loss` of a config."""
    return [term for name, term in TERMS.items() if name in weights and weights[name]]


def _top_share(config: ConfigDict, total_steps: int) -> Value | None:
    """The value of g_top_share."""
    setting = config.g_top_share
    if setting is None:
        return None
    low, high = bounds(setting, "g_top_share")
    if not 0 < low <= high <= 1 or is_adaptive(setting):
        raise UserError(f"g_top_share={setting}: must be above 0 and at most 1, or a schedule of such numbers")
    if not OBJECTIVES[config.objective].per_example:
        raise UserError(
            f"g_top_share={setting}: objective={config.objective} compares each image with the whole batch; set "
            "--config.g_top_share=none, or another objective such as relativistic_pairing"
        )
    return make_value(setting, total_steps, "g_top_share")


def build_trackers(config: ConfigDict) -> dict[str, Tracker]:
    """The numbers that follow D's outputs for terms of the losses, by name."""
    trackers = {}
    for name, term in _terms_of(config).items():
        if any(name in config[loss] and config[loss][name] for loss in _LOSSES) and term.trackers:
            trackers |= term.trackers(**{knob: config.terms[name][knob] for knob in term.knobs})
    return trackers


def _terms_of(config: ConfigDict) -> dict[str, Term]:
    """The terms that the config has a weight for, which may be 0: all but those that were registered for others."""
    return {name: term for name, term in TERMS.items() if any(name in config[loss] for loss in _LOSSES)}


def _check_terms(config: ConfigDict) -> None:
    """UserError for an unknown term, a knob that is out of its range or has no effect, and a term that cannot work."""
    for loss in _LOSSES:
        for name in config[loss]:
            if name not in TERMS and name != "adversarial":
                raise UserError(f"{loss}.{name} is no term of gan_jax/losses; {near(name, TERMS)}")
    terms = _terms_of(config)
    weights = {  # term -> {"d_loss.<term>" or "g_loss.<term>": weight}
        name: {f"{loss}.{name}": config[loss][name] for loss in _LOSSES if name in config[loss]} for name in terms
    }
    ramping = {key: weight for name, term in terms.items() if term.ramps for key, weight in weights[name].items()}
    _check_knobs("ramp_up.", KNOBS, config.ramp_up, ramping)
    lazy = {key: weight for name, term in terms.items() if term.per_example for key, weight in weights[name].items()}
    _check_knobs("", {"penalty_every": PENALTY_EVERY}, config, lazy)
    for name, term in terms.items():
        if term.knobs:
            _check_knobs(f"terms.{name}.", term.knobs, config.terms[name], weights[name])
        for key in (key for key, weight in weights[name].items() if weight):
            _check_needs(key, term, config)


def _check_knobs(prefix: str, knobs: Mapping[str, Knob], values: ConfigDict, weights: dict[str, float]) -> None:
    """UserError for a wrong value, and for a knob that is set although all weights of its terms are 0."""
    for name, knob in knobs.items():
        key, value = f"{prefix}{name}", values[name]
        knob.check(value, key)
        if value != knob.default and not any(weights.values()):
            options = " or ".join(f"--config.{weight}" for weight in weights)
            raise UserError(f"{key}={value} does nothing: give {options} a weight, or leave --config.{key} unset")


def _check_needs(key: str, term: Term, config: ConfigDict) -> None:
    """UserError if the config lacks something that the term needs. key: "d_loss.<term>" or "g_loss.<term>"."""
    section = config.discriminator
    for missing_need in term.needs:
        if missing := missing_need(config):
            raise UserError(f"{key} needs {missing}")
    if term.needs_classes and section.head not in heads.CLASS_HEADS:
        raise UserError(f"{key} needs class logits: set --config.discriminator.head=auxiliary or class")
    for knob in batch_mixing_knobs(section) if term.per_example else ():
        raise UserError(
            f"{key} differentiates one image's logit, but discriminator.{knob}={section[knob]} mixes the images "
            f"of a batch; set --config.discriminator.{knob}=none"
        )


def _check_labels(config: ConfigDict) -> None:
    """UserError if labels are hidden from D, but an input of D contains them; or if no classifier uses the labels."""
    section = config.discriminator
    uses_labels = (
        section.conditioning != "none" or section.head in heads.LABEL_HEADS or section.norm in norms.CONDITIONAL_NORMS
    )
    if config.data.num_labels and uses_labels:
        raise UserError(
            f"data.num_labels={config.data.num_labels} hides the other images' labels, but this discriminator needs a "
            "label: set --config.discriminator.conditioning=none, a .norm without a condition, .head=class or auxiliary"
        )
    if config.data.num_labels and not config.d_loss.classification:
        raise UserError("data.num_labels does nothing without a classifier: set --config.d_loss.classification=1")
