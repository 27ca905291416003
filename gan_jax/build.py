"""From a config to objects: the only place where names become functions and modules."""

import dataclasses
import functools
from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp
from ml_collections import ConfigDict

from gan_jax import optimizers, priors, targets, terms
from gan_jax.config import choose
from gan_jax.errors import UserError
from gan_jax.gan import make_gan
from gan_jax.layers import norms
from gan_jax.layers.activations import ACTIVATIONS
from gan_jax.layers.conditioning import CONDITIONINGS
from gan_jax.layers.initializers import INITIALIZERS
from gan_jax.networks import NETWORKS, dcgan
from gan_jax.networks.heads import HEADS
from gan_jax.objectives import OBJECTIVES
from gan_jax.types import Gan, View


def num_steps(config: ConfigDict, num_images: int) -> int:
    """Generator updates of the whole run."""
    if (config.num_epochs > 0) == (config.num_steps > 0) or min(config.num_epochs, config.num_steps) < 0:
        raise UserError(
            f"num_epochs={config.num_epochs} and num_steps={config.num_steps}: set one of them, the other to 0"
        )
    for knob in ("batch_size", "d_steps", "steps_per_call", "log_every_steps", "keep_checkpoints"):
        if config[knob] < 1:
            raise UserError(f"{knob}={config[knob]}: must be at least 1")
    if config.batch_size > num_images:
        raise UserError(f"batch_size={config.batch_size} is more than the {num_images} training images; lower it")
    return config.num_steps or max(config.num_epochs * num_images // (config.batch_size * config.d_steps), 1)


def _norm_places(places: str, num_layers: int, knob: str) -> set[int]:
    if places in norms.NORM_PLACES:
        return set(norms.NORM_PLACES[places](num_layers))
    try:
        indices = {int(index) for index in places.split(",")}
    except ValueError:
        choose(norms.NORM_PLACES, places, knob)
    if not indices <= set(range(num_layers)):
        raise UserError(f"{knob}={places}: the hidden layers are 0 to {num_layers - 1}")
    return indices


def _finish(section: ConfigDict, knob: str) -> tuple[Callable[[], nn.Module], ...]:
    """What follows each hidden layer."""
    norm = choose(norms.NORMS, section.norm, f"{knob}.norm")(
        section.norm_momentum, section.norm_epsilon, section.norm_scale_stddev
    )
    places = _norm_places(section.norm_layers, len(section.widths), f"{knob}.norm_layers")
    activation = choose(ACTIVATIONS, section.activation, f"{knob}.activation")(section.slope)
    if not 0 <= section.dropout < 1:
        raise UserError(f"{knob}.dropout={section.dropout}: must be at least 0 and less than 1")
    return tuple(
        functools.partial(
            norms.Finish,
            norm=norm if index in places else norms.Identity,
            norm_order=choose(norms.NORM_ORDERS, section.norm_order, f"{knob}.norm_order"),
            activation=activation,
            dropout=section.dropout,
            channel_dropout=section.channel_dropout,
        )
        for index in range(len(section.widths))
    )


def _network(section: ConfigDict, player: int, knob: str, num_classes: int, **fields) -> nn.Module:
    """A network of either player; knobs that only some families have are passed on if they are set."""
    if not section.widths or min(section.widths) < 1:
        raise UserError(f"{knob}.widths={section.widths}: one whole number above 0 for each hidden layer, at least one")
    family = choose(NETWORKS, section.family, f"{knob}.family")[player]
    own = {name: section[name] for name in ("kernel_size", "upsampling") if section.get(name)}
    if alien := sorted(set(own) - {field.name for field in dataclasses.fields(family)}):
        raise UserError(f"{knob}.{alien[0]}={own[alien[0]]} does nothing for family {section.family}; leave it unset")
    condition = choose(CONDITIONINGS, section.conditioning, f"{knob}.conditioning")
    return family(
        widths=tuple(section.widths),
        finish=_finish(section, knob),
        condition=functools.partial(condition, num_classes, section.embedding_features),
        kernel_init=choose(INITIALIZERS, section.kernel_init, f"{knob}.kernel_init")(section.kernel_init_stddev),
        **own,
        **fields,
    )


def _check_sides(section: ConfigDict, image_shape: tuple[int, int, int]) -> None:
    """A convolutional generator starts from a whole number of pixels."""
    if section.family != "dcgan":
        return
    choose(dcgan.UPSAMPLINGS, section.upsampling or "transposed", "generator.upsampling")
    doublings, side = dcgan.num_doublings(len(section.widths), section.upsampling), image_shape[0]
    if side % 2**doublings:
        fitting = -(-side // 2**doublings) * 2**doublings
        raise UserError(
            f"generator.widths={section.widths} doubles the side {doublings} times, and {side} pixels cannot be halved "
            f"as often; set other widths, or --config.data.image_size={fitting}"
        )


def schedules(config: ConfigDict, total_steps: int) -> dict[str, Callable[[int], float]]:
    """The learning rate of each player as a function of its own number of updates."""
    return {
        prefix: optimizers.make_schedule(
            choose(optimizers.SCHEDULES, section.schedule, f"{prefix}_optimizer.schedule"),
            section.learning_rate,
            section.final_fraction,
            total_steps * updates,
        )
        for prefix, section, updates in (("d", config.d_optimizer, config.d_steps), ("g", config.g_optimizer, 1))
    }


def _optimizer(section: ConfigDict, rate: Callable, knob: str):
    rule = choose(optimizers.RULES, section.name, f"{knob}.name")
    return optimizers.make_optimizer(rule, section.b1, section.b2, section.eps, rate)


def _losses(config: ConfigDict) -> tuple[Callable, Callable]:
    """The loss of each player: weighted parts, plus what D says of both kinds of image."""
    objective = choose(OBJECTIVES, config.objective, "objective")
    _check_terms(config)

    def d_adversarial(view: View):
        return objective.discriminator(view.real.logits, view.fake.logits, view.targets)

    def g_adversarial(view: View):
        return objective.generator(view.real.logits, view.fake.logits, view.targets)

    def total(prefix, weights, adversarial):
        return terms.weighted_sum(
            prefix, {name: (weights[name], terms.TERMS.get(name, adversarial)) for name in sorted(weights)}
        )

    d_total, g_loss = total("d", config.d_loss, d_adversarial), total("g", config.g_loss, g_adversarial)

    def d_loss(view: View):
        value, metrics = d_total(view)
        outputs = {
            name: jnp.mean(objective.output(c.logits)) for name, c in (("d_real", view.real), ("d_fake", view.fake))
        }
        return value, {**metrics, **outputs}

    return d_loss, g_loss


def _check_terms(config: ConfigDict) -> None:
    """Terms that the chosen discriminator cannot serve are refused by name."""
    section = config.discriminator
    for weights, knob in ((config.d_loss, "d_loss"), (config.g_loss, "g_loss")):
        for name in (name for name, weight in weights.items() if weight):
            if name in terms.CLASS_TERMS and section.head not in ("class", "auxiliary"):
                raise UserError(f"{knob}.{name} needs class logits: set --config.discriminator.head=auxiliary or class")
            if name in terms.PER_EXAMPLE_TERMS and section.norm in norms.BATCH_NORMS:
                raise UserError(
                    f"{knob}.{name} differentiates one image's logit, which discriminator.norm={section.norm} ties to "
                    "the whole batch; set --config.discriminator.norm=none"
                )


def build(config: ConfigDict, image_shape: tuple[int, int, int], num_classes: int, total_steps: int) -> Gan:
    """The GAN that a config describes, for images [H, W, C] of `num_classes` classes."""
    _check_sides(config.generator, image_shape)
    prior = choose(priors.PRIORS, config.prior.name, "prior.name")
    rates = schedules(config, total_steps)
    d_loss, g_loss = _losses(config)
    initializer = choose(INITIALIZERS, config.discriminator.kernel_init, "discriminator.kernel_init")
    head = choose(HEADS, config.discriminator.head, "discriminator.head")
    kernel_init = initializer(config.discriminator.kernel_init_stddev)
    return make_gan(
        generator=_network(config.generator, 0, "generator", num_classes, image_shape=tuple(image_shape)),
        discriminator=_network(
            config.discriminator,
            1,
            "discriminator",
            num_classes,
            head=functools.partial(head, num_classes, kernel_init),
        ),
        prior=lambda key, size: prior(key, (size, config.prior.features)),
        targets=functools.partial(targets.constant, **config.targets),
        d_loss=d_loss,
        g_loss=g_loss,
        d_optimizer=_optimizer(config.d_optimizer, rates["d"], "d_optimizer"),
        g_optimizer=_optimizer(config.g_optimizer, rates["g"], "g_optimizer"),
        d_average_decay=config.discriminator.average_decay,
        g_average_decay=config.generator.average_decay,
    )
