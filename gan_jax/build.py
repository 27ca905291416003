"""From a config to a GAN: the only place, with build_networks.py, where names become functions and modules."""

import functools
from collections.abc import Callable

import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from gan_jax import build_networks, class_terms, learning_rates, optimizers, priors, targets, terms
from gan_jax.augmentation import make_augmentation
from gan_jax.config import RULE_KEYWORDS, choose, leaves
from gan_jax.errors import UserError
from gan_jax.gan import make_gan
from gan_jax.layers import norms
from gan_jax.mesh import spread
from gan_jax.networks import heads
from gan_jax.objectives import OBJECTIVES
from gan_jax.types import Gan, View
from gan_jax.weighted_sum import RampUp, weighted_sum

# What counts, by the least that it may be.
_LEAST = {
    0: ("seed", "sample_every_steps", "checkpoint_every_steps", "eval.every_steps"),
    1: ("batch_size", "init_batch_size", "d_steps", "steps_per_call", "log_every_steps", "keep_checkpoints"),
}

# Knobs that count steps: the terms whose weights change with them, and what is said where there is none of these.
_TIMED = {
    "ramp_up_start": (class_terms.RAMPED_TERMS, "nothing grows"),
    "ramp_up_steps": (class_terms.RAMPED_TERMS, "nothing grows"),
    "propagated_label_steps": (("propagated_label",), "nothing fades"),
}

# The real images that G's update sees: those of D's last update, or others.
_G_BATCHES = ("last", "own")

# The worst directions of a D at 90 epochs in bfloat16 have a median cosine with float32's at 0.01 of 0.40 from a probe
# of 0.01, 0.86 from 0.1, 0.97 from 0.5 and from 1; float32's own from a probe of 1: 0.97 (200 images of MNIST).
_LEAST_PROBE_OF_HALF = 0.5


def num_steps(config: ConfigDict, num_images: int) -> int:
    """Generator updates of the whole run."""
    if (config.num_epochs > 0) == (config.num_steps > 0) or min(config.num_epochs, config.num_steps) < 0:
        raise UserError(
            f"num_epochs={config.num_epochs} and num_steps={config.num_steps}: set one of them, the other to 0"
        )
    values = leaves(config)
    for least, knobs in _LEAST.items():
        for knob in knobs:
            if values[knob] < least:
                raise UserError(f"{knob}={values[knob]}: must be at least {least}")
    if config.batch_size > num_images:
        raise UserError(f"batch_size={config.batch_size} is more than the {num_images} training images; lower it")
    return config.num_steps or max(config.num_epochs * num_images // (config.batch_size * config.d_steps), 1)


def is_conditional(config: ConfigDict) -> bool:
    """Whether the generator sees the label."""
    return config.generator.conditioning != "none" or config.generator.norm in norms.CONDITIONAL_NORMS


def schedules(config: ConfigDict, total_steps: int) -> dict[str, Callable[[int], float]]:
    """The learning rate of each player as a function of its own number of updates."""
    return {
        prefix: learning_rates.make_schedule(
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


def _optimizer(section: ConfigDict, rate: Callable, knob: str) -> optax.GradientTransformation:
    return optimizers.make_optimizer(
        section.name,
        {name: section[name] for name in RULE_KEYWORDS if section[name] is not None},
        rate,
        weight_decay=section.weight_decay,
        decay_kind=section.weight_decay_kind,
        clip_norm=section.clip_norm,
        clip_weights=section.clip_weights,
        knob=knob,
    )


def _losses(config: ConfigDict) -> tuple[Callable, Callable]:
    """The loss of each player: weighted parts, plus what D says of both kinds of image."""
    objective = choose(OBJECTIVES, config.objective, "objective")
    choose(_G_BATCHES, config.g_batch, "g_batch")
    if not objective.uses_targets:
        targets.require_plain(config.objective, config.targets)
    _check_terms(config)
    with_knobs = {
        "virtual_adversarial": functools.partial(
            class_terms.virtual_adversarial,
            radius=config.virtual_adversarial_radius,
            probe=config.virtual_adversarial_probe,
            target=config.class_target,
        ),
        "propagated_label": functools.partial(class_terms.propagated_label, num_steps=config.propagated_label_steps),
        "interpolation": functools.partial(class_terms.interpolation, target=config.class_target),
        "noise_consistency": functools.partial(class_terms.noise_consistency, target=config.class_target),
        "pseudo_label": functools.partial(
            class_terms.pseudo_label, threshold=config.pseudo_label_threshold, target=config.class_target
        ),
    }
    every = terms.TERMS | class_terms.TERMS | with_knobs

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


def _ties(section: ConfigDict) -> list[str]:
    """The discriminator's knobs that tie the images of a batch together."""
    tied = {"norm": section.norm in norms.BATCH_NORMS, "minibatch": section.minibatch != "none"}
    return [knob for knob, is_tied in tied.items() if is_tied]


def one_look(section: ConfigDict) -> bool:
    """Whether all images of a D update go through this discriminator in one call.

    One matrix product is faster than three of a third of its rows; convolutions gain nothing on a CPU.
    """
    return section.family == "mlp" and not _ties(section)


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
    if not 0 < config.pseudo_label_threshold < 1:
        raise UserError(f"pseudo_label_threshold={config.pseudo_label_threshold}: must be between 0 and 1")
    for knob, (names, idle) in _TIMED.items():
        if config[knob] < 0:
            raise UserError(f"{knob}={config[knob]}: must be 0 or more")
        if config[knob]:
            _require_weight(config, names, f"{knob}={config[knob]}: {idle}")
    if choose(class_terms.CLASS_TARGETS, config.class_target, "class_target") == "average":
        _require_weight(config, class_terms.HELD_TERMS, "class_target=average: nothing is held to it")
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
            if name in class_terms.TERMS and section.head not in heads.CLASS_HEADS:
                raise UserError(f"{knob}.{name} needs class logits: set --config.discriminator.head=auxiliary or class")
            if name == "classification_as_fake" and section.head != "auxiliary_fake":
                raise UserError(f"{knob}.{name} needs a class for fakes: --config.discriminator.head=auxiliary_fake")
            for tie in _ties(section) if name in terms.PER_EXAMPLE_TERMS else ():
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


def _augmentations(section: ConfigDict, consistency: bool) -> dict[str, Callable]:
    strengths = {
        name: value for name, value in section.items() if name not in ("real", "differentiable", "consistency")
    }

    def make(names: str, table: str, knob: str) -> Callable:
        return make_augmentation(names, table, f"augmentation.{knob}", **strengths)

    if consistency and not section.consistency:
        raise UserError("d_loss.consistency needs a distortion: set --config.augmentation.consistency=flip,shift")
    return {
        "augment_real": make(section.real, "data", "real"),
        "augment": make(section.differentiable, "differentiable", "differentiable"),
        "distort": make(section.consistency, "data", "consistency"),
    }


def build(config: ConfigDict, image_shape: tuple[int, int, int], num_classes: int, total_steps: int) -> Gan:
    """The GAN that a config describes, for images [H, W, C] of `num_classes` classes."""
    _check_labels(config)
    rates = schedules(config, total_steps)
    d_loss, g_loss = _losses(config)
    draw = priors.make_prior(**config.prior)
    return make_gan(
        generator=build_networks.generator(
            config.generator, image_shape, num_classes, config.init_batch_size, config.dtype
        ),
        discriminator=build_networks.discriminator(
            config.discriminator, num_classes, config.init_batch_size, config.dtype
        ),
        # An unconditional generator sees nothing of the real batch that would say how its own is cut.
        prior=lambda key, size: spread(draw(key, size)),
        targets=targets.make_targets(**config.targets),
        d_loss=d_loss,
        g_loss=g_loss,
        d_optimizer=_optimizer(config.d_optimizer, rates["d"], "d_optimizer"),
        g_optimizer=_optimizer(config.g_optimizer, rates["g"], "g_optimizer"),
        d_average_decay=config.discriminator.average_decay,
        g_average_decay=config.generator.average_decay,
        d_remembers=bool(config.d_loss.historical_averaging),
        g_remembers=bool(config.g_loss.historical_averaging),
        one_look=one_look(config.discriminator),
        **_augmentations(config.augmentation, bool(config.d_loss.consistency)),
    )
