"""docs/techniques.md: every row builds on every system, its test and file exist, and no technique lacks a row."""

import inspect
import pathlib
import re

import jax
import pytest

from gan_jax import build, cli
from gan_jax.analysis.analyses import ANALYSES
from gan_jax.gan import image_changes, metrics, optimizers, priors, schedules
from gan_jax.layers import activations, conditioning, kernel_norms, minibatch, norms
from gan_jax.losses import adversarial
from gan_jax.losses.build import weighted_terms
from gan_jax.losses.terms import TERMS
from gan_jax.networks import NETWORKS, heads
from gan_jax.runs.samplers import SAMPLERS, make_sampler
from gan_jax.system import config as configs
from gan_jax.system.errors import UserError
from gan_jax.training.guard import make_guard
from tests.systems import COMMAND_ROWS, EVERYTHING, FILES, ROWS, shape_of, shapes_of_a_step, specs


def remainders(widths, groups):
    """Whether a number of groups does not divide every width."""
    return any(width % groups for width in widths)


def blocks(generator):
    """The number of blocks that get a chunk of z each."""
    num_widths = len(generator.widths)
    if generator.family == "stylegan2":
        return 2 * num_widths - 1
    return num_widths * (1 if generator.family == "resnet" else generator.layers_per_width or 1)


def sides(config):
    """The sides of the outputs of a generator's hidden layers."""
    generator, widths = config.generator, len(config.generator.widths)
    doublings = NETWORKS[generator.family][0].num_doublings(widths, generator.upsampling)
    first, skipped = shape_of(config)[0] // 2**doublings, generator.family == "resnet"
    return {first * 2 ** (index + skipped) for index in range(widths)}


def unit_normal(section):
    """Whether the kernels of a network start as N(0, 1)."""
    return (section.kernel_init, section.kernel_init_stddev) == ("normal", 1)


def set_keywords(section):
    """The keywords of its optimizer that a config sets."""
    return {name for name in configs.RULE_KEYWORDS if section[name] is not None}


def keywords_of(optimizer):
    """The keywords that an optimizer takes."""
    return set(inspect.signature(optimizers.RULES[optimizer].transform).parameters)


def expected_refusal(config):
    """Whether default.py and the error messages exclude this combination. Every other combination must work."""
    d, weight = config.discriminator, dict(config.d_loss)
    terms = [*weighted_terms(config.d_loss), *weighted_terms(config.g_loss)]
    tied = d.norm in ("batch", "conditional_batch") or d.minibatch != "none"
    few_labels = config.data.num_labels and (
        d.conditioning != "none" or d.head in heads.LABEL_HEADS or d.norm.startswith("conditional")
    )
    players = (config.d_optimizer, config.g_optimizer)
    networks = (config.generator, d)
    with_gains = (*norms.CONDITIONAL_NORMS, *norms.MODULATED_NORMS)
    return (
        (tied and any(term.per_example for term in terms))
        or (any(term.needs_classes for term in terms) and d.head not in heads.CLASS_HEADS)
        or (weight["classification_as_fake"] and d.head != "auxiliary_fake")
        or (config.g_top_share is not None and not adversarial.OBJECTIVES[config.objective].per_example)
        or (not adversarial.OBJECTIVES[config.objective].uses_targets and dict(config.targets) != PLAIN)
        or (d.family in ("resnet", "stylegan2") and d.layers_per_width)
        or few_labels
        or any(network.norm in with_gains and not network.norm_gain for network in networks)
        or any(network.norm == "group" and remainders(network.widths, network.norm_groups) for network in networks)
        or (config.data.num_labels and not weight["classification"])
        or any(set_keywords(player) - keywords_of(player.name) for player in players)
        or any(network.family == "r3gan" and network.kernel_norm != "none" for network in networks)
        or (config.generator.family in ("r3gan", "stylegan2") and config.generator.upsampling)
        or any("equalised" in (net.kernel_norm, net.output_kernel_norm) and not unit_normal(net) for net in networks)
        or not set(config.generator.attention_sides) <= sides(config)
        or (config.generator.norm_z == "chunks" and config.prior.features % (blocks(config.generator) + 1))
        or any(network.ema_decay and network.ema_half_life is not None for network in networks)
        or (configs.adaptive_leaves(config) and not adversarial.OBJECTIVES[config.objective].centred)
    )


PLAIN = {"real": 1.0, "fake": 0.0, "generator": 1.0, "soft": 0.0, "flip_rate": 0.0, "inverted": False}


def check_pair(overrides, spec):
    """Checks a technique on a system: True if the pair works, False if it is refused as expected."""
    config = cli.parse_config(spec, [f"--config.{override}" for override in overrides])
    make_guard(config)
    if expected_refusal(config):
        with pytest.raises(UserError) as error:
            shapes_of_a_step(config, shape_of(config))
        assert "\n" not in str(error.value)
        return False
    _, metrics = shapes_of_a_step(config, shape_of(config))
    assert all(metric.shape == () for metric in metrics.values())
    return True


def check_files(test, file):
    """The test and the file that a row names exist."""
    assert pathlib.Path(file).is_file()
    path, _, function = test.partition("::")
    assert re.search(rf"^def {function}\(", pathlib.Path(path).read_text(), re.MULTILINE), f"{test} does not exist"


@pytest.mark.parametrize(("name", "overrides", "test", "file"), ROWS, ids=[row[0] for row in ROWS])
def test_row(name, overrides, test, file):
    """Works on the tutorial's CGAN or, if refused there, on SNGAN; the slow test below checks every system."""
    check_files(test, file)
    assert check_pair(overrides, "configs/cgan.py") or check_pair(overrides, "configs/sngan.py")


def check_sampler(text):
    config = configs.load("configs/cgan.py:tuned")
    assert make_sampler(text, build.build(config, (28, 28, 1), 10, 1), config)


@pytest.mark.parametrize(("name", "options", "test", "file"), COMMAND_ROWS, ids=[row[0] for row in COMMAND_ROWS])
def test_row_of_a_command(name, options, test, file):
    check_files(test, file)
    for option in options:
        flag, _, value = option.partition("=")
        {"--sampler": check_sampler, "--only": lambda name: ANALYSES[name]}[flag](value)


@pytest.mark.slow
@pytest.mark.parametrize("spec", specs())
def test_every_technique_on_every_system(spec):
    works = [check_pair(overrides, spec) for _, overrides, _, _ in ROWS]
    assert sum(works) > 0.6 * len(works)


# Last part of a config key -> the table of its values.
TABLES = {
    "norm": norms.NORMS,
    "kernel_norm": kernel_norms.KERNEL_NORMS,
    "minibatch": minibatch.MINIBATCH,
    "objective": adversarial.OBJECTIVES,
    "name": [*optimizers.RULES, *priors.PRIORS],
    "schedule": schedules.SCHEDULES,
    "conditioning": conditioning.CONDITIONINGS,
    "head": heads.HEADS,
}


def test_every_technique_has_a_row():
    overrides = [override for _, row_overrides, _, _ in ROWS for override in row_overrides]
    for key, names in TABLES.items():
        for name in names:
            assert any(re.search(rf"(^|\.){key}={name}$", override) for override in overrides), (
                f"no row for {key}={name}"
            )
    for term in TERMS:
        assert any(re.match(rf"[dg]_loss\.{term}=", override) for override in overrides), f"no row for the term {term}"
    text = pathlib.Path("docs/techniques.md").read_text()
    for name in (*image_changes.DATA, *image_changes.DIFFERENTIABLE):
        assert re.search(rf"augmentation\.\w+=[\w,]*\b{name}\b", text), f"no row for the augmentation {name}"
    for name in metrics.EXTRA_METRICS:
        assert f"extra_metrics={name}" in text, f"no row for the metric {name}"
    for name in activations.WITH_SLOPE:
        assert any(override.endswith(f".activation={name}") for override in overrides), (
            f"no row for the activation {name}"
        )


def test_every_sampler_has_a_row():
    options = [option for _, row_options, _, _ in COMMAND_ROWS for option in row_options]
    assert not [name for name in SAMPLERS if name != "prior" and f"--sampler={name}" not in options]


def test_the_pages_list_every_name():
    """configs/default.py names the choices of its settings; docs/configs.md has a row for each system."""
    text = pathlib.Path("configs/default.py").read_text()
    tables = (*TABLES.values(), NETWORKS, activations.WITH_SLOPE, metrics.EXTRA_METRICS)
    missing = [name for table in tables for name in table if not re.search(rf"\b{name}\b", text)]
    assert not missing, f"configs/default.py does not name {missing}"
    rows = pathlib.Path("docs/configs.md").read_text()
    assert not [path for path in FILES if path.split("/")[-1] not in rows]


def test_everything_at_once():
    config = cli.parse_config("configs/acgan.py", [f"--config.{override}" for override in EVERYTHING])
    state, metrics = shapes_of_a_step(config)
    assert {"d_consistency", "d_historical_averaging", "g_feature_matching", "d_classification_as_fake"} <= set(metrics)
    states = {path[0].key for path, _ in jax.tree.leaves_with_path(state.generator.stats)}
    assert states == {"reference", "spectral"}
    assert {path[0].key for path, _ in jax.tree.leaves_with_path(state.discriminator.stats)} == {"noise"}


def test_five_overrides_change_five_settings():
    """The example of docs/techniques.md: batch norm in G only, PReLU, AdamW, Laplace noise, one-sided smoothing."""
    overrides = ["generator.norm=batch", "generator.activation=prelu", "g_optimizer.name=adamw", "prior.name=laplace"]
    before = configs.load("configs/cdcgan.py")
    after = cli.parse_config(
        "configs/cdcgan.py", [f"--config.{override}" for override in [*overrides, "targets.real=0.9"]]
    )
    assert len(configs.differences(before, after)) == 4, "cdcgan has batch norm in G already"
    shapes_of_a_step(after)
