"""Checks of the settings of a network."""

from typing import Any

from ml_collections import ConfigDict

from gan_jax.layers import norms
from gan_jax.layers.modulation import Z_PARTS
from gan_jax.networks import NETWORKS, dcgan
from gan_jax.system.config import choose
from gan_jax.system.errors import UserError

_AT_LEAST_0 = ("at least 0", lambda value: value >= 0)
_AT_LEAST_1 = ("at least 1", lambda value: value >= 1)
_FROM_0_TO_BELOW_1 = ("at least 0 and less than 1", lambda value: 0 <= value < 1)
# Knob of a network -> (its range in words, the check of this range).
_RANGES = {
    "widths": (
        "one whole number above 0 for each hidden layer, at least one",
        lambda widths: bool(widths) and min(widths) >= 1,
    ),
    "layers_per_width": _AT_LEAST_0,
    "kernel_size": _AT_LEAST_0,
    "expansion": _AT_LEAST_0,
    "group_channels": _AT_LEAST_0,
    "num_halvings": _AT_LEAST_0,
    "mapping_layers": _AT_LEAST_0,
    "dropout": _FROM_0_TO_BELOW_1,
    "noise": _AT_LEAST_0,
    "noise_fade_updates": _AT_LEAST_0,
    "condition_smoothing": ("from 0 to 1", lambda value: 0 <= value <= 1),
    "embedding_features": _AT_LEAST_1,
    "codes": _AT_LEAST_1,
    "ema_decay": _FROM_0_TO_BELOW_1,
    "norm_groups": _AT_LEAST_1,
    "norm_units": _AT_LEAST_1,
    "norm_embedding": _AT_LEAST_0,
    "spectral_iterations": _AT_LEAST_1,
    "spectral_bound": ("more than 0", lambda value: value > 0),
}


def check_ranges(section: ConfigDict, knob: str) -> None:
    """UserError for a setting that is outside of its range."""
    if section.norm in (*norms.CONDITIONAL_NORMS, *norms.MODULATED_NORMS) and not section.norm_gain:
        raise UserError(
            f"{knob}.norm_gain=False: norm {section.norm} has a gain per class or per example; set another norm"
        )
    for name, (words, allows) in _RANGES.items():
        if name in section and not allows(section[name]):
            raise UserError(f"{knob}.{name}={section[name]}: must be {words}")


def check_modulation(section: ConfigDict, knob: str) -> None:
    """UserError if a norm that depends on vectors has none."""
    if section.norm not in norms.MODULATED_NORMS:
        return
    if knob == "discriminator":
        raise UserError(f"{knob}.norm={section.norm}: D has no z, on which this norm depends; set another norm")
    choose(Z_PARTS, section.norm_z, f"{knob}.norm_z")
    if section.norm_z == "none" and not section.norm_embedding:
        raise UserError(
            f"{knob}.norm={section.norm} depends on nothing with norm_z=none and norm_embedding=0; set "
            f"--config.{knob}.norm_embedding=128, or --config.{knob}.norm=batch"
        )


def check_kernel_norm(section: ConfigDict, family: type, knob: str) -> None:
    """UserError if the kernels cannot be reparametrised, or start in another way than their reparametrisation needs."""
    if not family.allows_kernel_norms and section.kernel_norm != "none":
        raise UserError(
            f"{knob}.kernel_norm={section.kernel_norm}: family {section.family} has kernels that start at 0; set "
            f"--config.{knob}.kernel_norm=none, or .output_kernel_norm for the last layer alone"
        )
    is_unit_normal = (section.kernel_init, section.kernel_init_stddev) == ("normal", 1)
    if "equalised" in (section.kernel_norm, section.output_kernel_norm) and not is_unit_normal:
        raise UserError(
            f"{knob}.kernel_norm=equalised scales kernels that start as N(0, 1), and these start as "
            f"{section.kernel_init}; set --config.{knob}.kernel_init=normal --config.{knob}.kernel_init_stddev=1"
        )


def check_groups(section: ConfigDict, family_knobs: dict[str, Any], knob: str) -> None:
    """UserError if the channels of a grouped convolution cannot be split into groups."""
    if section.family != "r3gan":
        return
    expansion, size = (family_knobs.get(name, default) for name, default in (("expansion", 2), ("group_channels", 16)))
    if wrong := [width for width in section.widths if width * expansion % min(size, width * expansion)]:
        raise UserError(
            f"{knob}.group_channels={size} does not divide the {wrong[0] * expansion} channels of a grouped "
            f"convolution (width {wrong[0]} x expansion {expansion}); set another one, or other widths"
        )


def check_halvings(section: ConfigDict, family_knobs: dict[str, Any], knob: str) -> None:
    """UserError if more blocks are to halve the side than there are."""
    if (number := family_knobs.get("num_halvings", 0)) > len(section.widths):
        raise UserError(f"{knob}.num_halvings={number}: only {len(section.widths)} blocks can halve the side (widths)")


def check_sides(section: ConfigDict, image_shape: tuple[int, int, int]) -> None:
    """UserError if a first side of a convolutional generator is not a whole number of pixels."""
    if section.upsampling:
        choose(dcgan.UPSAMPLINGS, section.upsampling, "generator.upsampling")
    doublings = NETWORKS[section.family][0].num_doublings(len(section.widths), section.upsampling)
    height, width, _ = image_shape
    if wrong := [side for side in (height, width) if side % 2**doublings]:
        fitting = -(-max(height, width) // 2**doublings) * 2**doublings
        square = "" if height == width else " (squares: --config.data.resize=crop, pad or stretch)"
        raise UserError(
            f"generator.widths={section.widths} doubles the side {doublings} times, and {wrong[0]} pixels cannot be "
            f"halved as often; set other widths, or --config.data.image_size={fitting}{square}"
        )
