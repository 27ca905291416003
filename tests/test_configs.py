"""Every config builds, and one step of it can be traced; mistakes get one line that says what to type."""

import pathlib
import re

import jax
import pytest

from gan_jax import build, cli
from gan_jax.networks import NETWORKS
from gan_jax.system import config as configs
from gan_jax.system import recorded
from gan_jax.system.errors import UserError
from tests.systems import RECIPES, shape_of, shapes_of_a_step, specs


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(spec, marks=pytest.mark.thorough if ":" in spec or spec in RECIPES else ())
        for spec in specs() + RECIPES
    ],
)
def test_every_config_steps(spec):
    config = configs.load(spec)
    shapes_of_a_step(config, shape_of(config))


def test_no_two_configs_are_the_same():
    resolved = [configs.to_json(configs.load(spec)) for spec in specs() + RECIPES]
    assert len(resolved) >= 15
    assert len(set(resolved)) == len(resolved)


@pytest.mark.thorough
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("side", "widths"), [(28, (32, 16)), (32, (32, 16, 8)), (64, (64, 32, 16, 8))])
@pytest.mark.parametrize("spec", ["configs/cgan.py", "configs/cdcgan.py"])
def test_sizes_and_channels(spec, side, widths, channels):
    config = configs.load(spec)
    configs.override(config, {"generator.widths": widths, "discriminator.widths": widths[::-1]})
    shapes_of_a_step(config, (side, side, channels))


def test_the_tutorials_cgan_has_the_documented_layers():
    """Layer sizes 110-256-512-1024-784 and 794-1024-512-256-1, each with an embedding of 10 x 10."""
    state, _ = shapes_of_a_step(configs.load("configs/cgan.py"))
    for player, widths in (
        (state.generator, [110, 256, 512, 1024, 784]),
        (state.discriminator, [794, 1024, 512, 256, 1]),
    ):
        kernels = [leaf.shape for path, leaf in jax.tree.leaves_with_path(player.params) if "kernel" in str(path[-1])]
        assert sorted(kernels) == sorted(zip(widths[:-1], widths[1:], strict=True))
        assert (10, 10) in [leaf.shape for leaf in jax.tree.leaves(player.params)]


def test_overrides_keep_types():
    config = cli.parse_config(
        "configs/cdcgan.py",
        ["--config.batch_size=64", "--config.generator.widths=32,16", "--config.prior.name", "uniform"]
        + ["--config.d_optimizer.learning_rate=1", "--config.discriminator.channel_dropout=true"],
    )
    assert (config.batch_size, config.generator.widths, config.prior.name) == (64, (32, 16), "uniform")
    assert config.d_optimizer.learning_rate == 1.0
    assert isinstance(config.d_optimizer.learning_rate, float)
    assert config.discriminator.channel_dropout is True
    assert configs.differences(recorded.from_json(configs.to_json(config)), config) == []


def test_the_quick_trial_of_the_readme_trains_few_steps_and_no_classifier():
    """README.md and CONTRIBUTING.md have the same flags. They set the length of every config, also in epochs."""
    flags = {
        name: set(re.findall(r"--config\.\S+?=\w+", _around("num_steps=20", pathlib.Path(name).read_text())))
        for name in ("README.md", "CONTRIBUTING.md")
    }
    assert flags["README.md"] == flags["CONTRIBUTING.md"]
    for spec in specs():
        config = cli.parse_config(spec, sorted(flags["README.md"]))
        assert build.num_steps(config, 5000) == 20
        assert (config.eval.every_steps, config.eval.at_end, config.data.name) == (0, False, "mnist_5k")


def _around(words, text):
    """The paragraph with these words."""
    (paragraph,) = (paragraph for paragraph in text.split("\n\n") if words in paragraph)
    return paragraph


def test_a_config_file_with_an_unknown_key_is_refused_before_training(tmp_path):
    """Otherwise its run could not be read again."""
    path = tmp_path / "mine.py"
    path.write_text(
        "from configs import cgan\n\n\ndef get_config():\n    config = cgan.get_config().unlock()\n"
        "    config.batchsize = 3\n    return config\n"
    )
    with pytest.raises(UserError, match="sets 'batchsize', which configs/default.py lacks; did you mean batch_size"):
        configs.load(str(path))


@pytest.mark.parametrize(
    ("spec", "arguments", "message"),
    [
        ("configs/cdgan.py", [], "no config file.*did you mean --config configs/cdcgan.py"),
        ("configs/cgan.py:tund", [], "no variant 'tund'; did you mean tuned"),
        ("configs/cdcgan.py:tuned", [], "has no variants"),
        ("configs/cgan.py", ["--config.batchsize=3"], "did you mean batch_size"),
        ("configs/cgan.py", ["--config.learning_rate=3"], "did you mean .*optimizer.learning_rate"),
        ("configs/cgan.py", ["--config.batch_size=many"], "expected a whole number"),
        ("configs/cgan.py", ["--config.batch_size=2.5"], "expected a whole number"),
        ("configs/cgan.py", ["--config.generator.widths=a"], "expected a list such as"),
        ("configs/cgan.py", ["--config.generator.channel_dropout=1"], "expected true or false"),
        ("configs/cgan.py", ["--config.generator=5"], "is a section; set one of its leaves"),
        (
            "configs/cgan.py",
            ["--config.terms=5"],
            "is a section; set one of its leaves: terms.contrastive.temperature, ",
        ),
        ("configs/cgan.py", ["--config.class_target=own"], "did you mean terms.interpolation.target or terms.noise_c"),
        ("configs/cgan.py", ["--config.seed"], "needs a value"),
        ("configs/cgan.py", ["--seed=3"], "'--seed=3' is not understood"),
    ],
)
def test_mistakes_on_the_command_line(spec, arguments, message):
    with pytest.raises(UserError, match=message) as error:
        cli.parse_config(spec, arguments)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objective": "bce_logit"}, "objective='bce_logit' is unknown; did you mean bce_logits"),
        ({"generator.norm": "batchnorm"}, "generator.norm='batchnorm' is unknown; did you mean batch"),
        ({"generator.family": "transformer"}, f"choose one of: {', '.join(sorted(NETWORKS))}"),
        ({"g_optimizer.name": "adm"}, "did you mean adam"),
        ({"generator.norm_layers": "0,7"}, "the hidden layers are 0 to 2"),
        ({"generator.norm_layers": "al"}, "did you mean all"),
        ({"generator.kernel_size": 3}, "does nothing for family mlp"),
        ({"generator.widths": ()}, "at least one"),
        ({"generator.dropout": 1.0}, "less than 1"),
        ({"num_steps": 5}, "set one of them"),
        ({"batch_size": 60_001}, "more than the 60000 training images"),
        ({"batch_size": 0}, "must be at least 1"),
        ({"d_loss.classification": 1.0}, "needs class logits"),
        ({"d_loss.virtual_adversarial": 1.0, "dtype": "bfloat16"}, "set --config.terms.virtual_adversarial.probe=1.0"),
        ({"terms.virtual_adversarial.probe": 0.0}, "terms.virtual_adversarial.probe=0.0: must be more than 0"),
        ({"terms.pseudo_label.threshold": 1.0}, "terms.pseudo_label.threshold=1.0: must be between 0 and 1"),
        ({"generator.kernel_size": -3}, "generator.kernel_size=-3: must be at least 0"),
        ({"ramp_up.num_steps": -1}, "ramp_up.num_steps=-1: must be 0 or more"),
        ({"ramp_up.num_steps": 10}, "ramp_up.num_steps=10 does nothing: give --config.d_loss.class_balance or"),
        ({"ramp_up.start": -5}, "ramp_up.start=-5: must be 0 or more"),
        ({"g_batch": "onw"}, "g_batch='onw' is unknown; did you mean own"),
        ({"terms.interpolation.target": "emma"}, "did you mean ema"),
        ({"terms.propagated_label.decay_steps": 10}, "does nothing: give --config.d_loss.propagated_label a weight"),
        ({"terms.propagated_label.power": 1.5}, "terms.propagated_label.power=1.5: must be from 0 to 1"),
        ({"terms.propagated_label.power": 0.5}, "does nothing: give --config.d_loss.propagated_label a weight"),
        ({"terms.propagated_label.decay_steps": -1}, "terms.propagated_label.decay_steps=-1: must be 0 or more"),
        (
            {"d_loss.propagated_label": 1.0, "discriminator.head": "class", "discriminator.conditioning": "none"},
            "d_loss.propagated_label needs images without a label, .*: set --config.data.num_labels=100",
        ),
        (
            {"terms.interpolation.target": "ema", "d_loss.noise_consistency": 1.0},
            "does nothing: give --config.d_loss.interpolation a weight, or leave --config.terms.interpolation.t",
        ),
        (
            {"terms.noise_consistency.target": "ema", "discriminator.head": "class", "d_loss.noise_consistency": 1.0},
            "set --config.discriminator.ema_decay=0.999",
        ),
        ({"ramp_up.start": 10}, "ramp_up.start=10 does nothing: give --config.d_loss.class_balance or"),
        ({"d_loss.r1": 1.0, "discriminator.norm": "batch"}, "differentiates one image's logit"),
        ({"generator.mapping_layers": 4}, "generator.mapping_layers=4 does nothing for family mlp"),
        ({"generator.kernel_norm": "equalised"}, "these start as torch_uniform; set --config.generator.kernel_init=no"),
        ({"penalty_every": 0}, "penalty_every=0: must be at least 1"),
        ({"penalty_every": 2}, "penalty_every=2 does nothing: give --config.d_loss.dragan or"),
        ({"generator.family": "dcgan", "generator.widths": (8, 8, 8)}, "image_size=32"),
        ({"generator.family": "dcgan", "generator.upsampling": "cubic"}, "choose one of"),
    ],
)
def test_mistakes_in_a_config(changes, message):
    config = configs.load("configs/cgan.py")
    configs.override(config, changes)
    with pytest.raises(UserError, match=message) as error:
        shapes_of_a_step(config)
    assert "\n" not in str(error.value)
