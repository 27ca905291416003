"""Builds a network from its section of a config: layers, norms, activations, noise, conditioning, head."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
from ml_collections import ConfigDict

from gan_jax.layers import kernel_norms, norms, post_layer
from gan_jax.layers.activations import make_activation
from gan_jax.layers.conditioning import CONDITIONINGS
from gan_jax.layers.initializers import INITIALIZERS
from gan_jax.layers.minibatch import MINIBATCH
from gan_jax.layers.modulation import LabelConditions, VectorConditions
from gan_jax.layers.noise import Dropout, GaussianNoise
from gan_jax.layers.reference import WithReference
from gan_jax.networks import NETWORKS
from gan_jax.networks.base import OUTPUTS, PIXELS
from gan_jax.networks.check import (
    check_groups,
    check_halvings,
    check_kernel_norm,
    check_modulation,
    check_ranges,
    check_sides,
)
from gan_jax.networks.heads import HEADS
from gan_jax.system.config import choose
from gan_jax.system.errors import UserError

# Knobs that only some families have, and their unset values. A knob that is set must be a field of the family.
_FAMILY_KNOBS = {
    "layers_per_width": 0,
    "kernel_size": 0,
    "upsampling": "",
    "feature_layer": -1,
    "expansion": 0,
    "group_channels": 0,
    "attention_sides": (),
    "num_halvings": 0,
    "mapping_layers": 0,
}

# Fields of norms that are knobs, with norm_ before their names; `units` is a knob of generators only.
_NORM_KNOBS = ("momentum", "epsilon", "gain", "scale_stddev", "groups", "units")


def _factory(module: type, **settings: Any) -> Callable[[], nn.Module]:
    """A factory of `module` with the settings that are fields of `module`."""
    fields = {field.name for field in dataclasses.fields(module)}
    return functools.partial(module, **{name: value for name, value in settings.items() if name in fields})


def _norm_positions(positions: str, num_layers: int, knob: str) -> set[int]:
    if positions in post_layer.NORM_POSITIONS:
        return set(post_layer.NORM_POSITIONS[positions](num_layers))
    try:
        indices = {int(index) for index in positions.split(",")}
    except ValueError:
        choose(post_layer.NORM_POSITIONS, positions, knob)
    if not indices <= set(range(num_layers)):
        raise UserError(f"{knob}={positions}: the hidden layers are 0 to {num_layers - 1}")
    return indices


def _norm(section: ConfigDict, knob: str, **others: Any) -> Callable[[], nn.Module]:
    """A factory of the norm. others: its fields that are no knobs."""
    norm = choose(norms.NORMS, section.norm, f"{knob}.norm")
    knobs = {name: section[f"norm_{name}"] for name in _NORM_KNOBS if f"norm_{name}" in section}
    return _factory(norm, **knobs, **others)


def _modulation(section: ConfigDict, num_classes: int, kernel_init: Callable) -> Callable[[], nn.Module]:
    """A factory of what the norms of a generator depend on."""
    if section.norm not in norms.MODULATED_NORMS:
        return LabelConditions
    return functools.partial(
        VectorConditions,
        num_classes,
        section.norm_z,
        section.norm_embedding,
        section.condition_smoothing,
        kernel_init,
    )


def _post_layers(
    section: ConfigDict, knob: str, num_layers: int, norm: Callable
) -> tuple[Callable[[], nn.Module], ...]:
    """One factory of a PostLayer per hidden layer.

    The module name is part of checkpoints and of the random keys of dropout and noise, so it must not change.
    """
    positions = _norm_positions(section.norm_layers, num_layers, f"{knob}.norm_layers")
    common = {
        "norm_order": choose(post_layer.NORM_ORDERS, section.norm_order, f"{knob}.norm_order"),
        "activation": make_activation(section.activation, section.slope, f"{knob}.activation"),
        "dropout": functools.partial(Dropout, section.dropout, section.channel_dropout),
        "noise": functools.partial(GaussianNoise, section.noise, section.noise_fade_updates),
    }
    return tuple(
        functools.partial(
            post_layer.PostLayer, norm=norm if index in positions else norms.Identity, name=f"Finish_{index}", **common
        )
        for index in range(num_layers)
    )


def _kernel_norm(section: ConfigDict, name: str, knob: str) -> Callable:
    """The reparametrisation with this name."""
    kernel_norm = choose(kernel_norms.KERNEL_NORMS, name, knob)
    if name in ("spectral", "spectral_scaled"):
        return functools.partial(kernel_norm, bound=section.spectral_bound, iterations=section.spectral_iterations)
    return kernel_norm


def _family(section: ConfigDict, player: int, knob: str) -> tuple[type, dict[str, Any]]:
    """(network class, the family's knobs that are set)."""
    family = choose(NETWORKS, section.family, f"{knob}.family")[player]
    unset = _FAMILY_KNOBS.items()
    knobs = {name: section[name] for name, value in unset if name in section and section[name] != value}
    if unknown := sorted(set(knobs) - {field.name for field in dataclasses.fields(family)}):
        name = unknown[0]
        raise UserError(f"{knob}.{name}={knobs[name]} does nothing for family {section.family}; leave it unset")
    return family, knobs


def _network(
    section: ConfigDict, player: int, knob: str, num_classes: int, reference_size: int, dtype: str, fields
) -> nn.Module:
    """A network of either player. fields: (kernel_init, output_kernel_norm) -> the fields that only this player has."""
    check_ranges(section, knob)
    check_modulation(section, knob)
    family, family_knobs = _family(section, player, knob)
    check_kernel_norm(section, family, knob)
    check_groups(section, family_knobs, knob)
    check_halvings(section, family_knobs, knob)
    num_layers = family.num_hidden(len(section.widths), section.layers_per_width or 1)
    if not -num_layers <= family_knobs.get("feature_layer", -1) < num_layers:
        layer = family_knobs["feature_layer"]
        raise UserError(f"{knob}.feature_layer={layer}: the hidden layers are 0 to {num_layers - 1}")
    kernel_init = choose(INITIALIZERS, section.kernel_init, f"{knob}.kernel_init")(section.kernel_init_stddev)
    kernel_norm = _kernel_norm(section, section.kernel_norm, f"{knob}.kernel_norm")
    output_kernel_norm = _kernel_norm(
        section, section.output_kernel_norm or section.kernel_norm, f"{knob}.output_kernel_norm"
    )
    norm = _norm(
        section,
        knob,
        num_classes=num_classes,
        reference_size=reference_size,
        kernel_init=kernel_init,
        kernel_norm=kernel_norm,
    )
    network = family(
        widths=tuple(section.widths),
        post_layers=_post_layers(section, knob, num_layers, norm),
        condition=functools.partial(
            choose(CONDITIONINGS, section.conditioning, f"{knob}.conditioning"),
            num_classes,
            section.embedding_features,
            section.condition_smoothing,
            kernel_norm,
        ),
        kernel_init=kernel_init,
        kernel_norm=choose(kernel_norms.DTYPES, dtype, "dtype")(kernel_norm),
        **family_knobs,
        **fields(kernel_init, output_kernel_norm),
    )
    return WithReference(network) if section.norm == "virtual_batch" else network


def build_generator(
    section: ConfigDict, image_shape: tuple, num_classes: int, reference_size: int, dtype: str = "float32"
) -> nn.Module:
    """z [B, Z] and labels [B] -> images [B, *image_shape]. dtype: of the linear maps of the hidden layers."""
    choose(NETWORKS, section.family, "generator.family")
    check_sides(section, image_shape)
    output = choose(OUTPUTS, section.output, "generator.output")

    def fields(kernel_init, output_kernel_norm) -> dict[str, Any]:
        return {
            "image_shape": tuple(image_shape),
            "output": output,
            "output_kernel_norm": output_kernel_norm,
            "modulation": _modulation(section, num_classes, kernel_init),
        }

    return _network(section, 0, "generator", num_classes, reference_size, dtype, fields)


def build_discriminator(
    section: ConfigDict, num_classes: int, reference_size: int, dtype: str = "float32"
) -> nn.Module:
    """images [B, H, W, C] and labels [B] -> DiscriminatorOutput. dtype: of the linear maps of the hidden layers."""
    head = choose(HEADS, section.head, "discriminator.head")
    minibatch = choose(MINIBATCH, section.minibatch, "discriminator.minibatch")
    for knob in ("minibatch_kernels", "minibatch_dimension"):
        if section[knob] < 1:
            raise UserError(f"discriminator.{knob}={section[knob]}: must be at least 1")
    if section.input_noise < 0:
        raise UserError(f"discriminator.input_noise={section.input_noise}: must be at least 0")

    pixels = choose(PIXELS, section.pixels, "discriminator.pixels")

    def fields(kernel_init, output_kernel_norm) -> dict[str, Callable]:
        return {
            "pixels": pixels,
            "noise": functools.partial(GaussianNoise, section.input_noise, section.noise_fade_updates),
            "minibatch": _factory(
                minibatch,
                kernels=section.minibatch_kernels,
                dimension=section.minibatch_dimension,
                reference_size=reference_size if section.norm == "virtual_batch" else 0,
            ),
            "head": functools.partial(
                _factory(head, codes=section.codes), num_classes, kernel_init, output_kernel_norm
            ),
        }

    return _network(section, 1, "discriminator", num_classes, reference_size, dtype, fields)


def has_ema(section: ConfigDict) -> bool:
    """Whether the state has an EMA of this network. section: config.generator or config.discriminator."""
    return bool(section.ema_decay) or section.ema_half_life is not None


def batch_mixing_knobs(section: ConfigDict) -> list[str]:
    """The discriminator's knobs whose layers mix the images of a batch."""
    is_mixing = {"norm": section.norm in norms.BATCH_NORMS, "minibatch": section.minibatch != "none"}
    return [knob for knob, mixing in is_mixing.items() if mixing]


def single_forward_pass(section: ConfigDict) -> bool:
    """Whether all images of a D update go through this discriminator in one forward pass.

    One matrix product is faster than three with a third of the rows each. Convolutions do not get faster on a CPU.
    """
    return section.family == "mlp" and not batch_mixing_knobs(section)
