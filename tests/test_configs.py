"""Every config builds and steps in the abstract; mistakes get one line that says what to type."""

import jax
import pytest

from gan_jax import cli
from gan_jax.system import config as configs
from gan_jax.system.errors import UserError
from tests.systems import shape_of, shapes_of_a_step, specs


@pytest.mark.parametrize("spec", specs())
def test_every_config_steps(spec):
    config = configs.load(spec)
    shapes_of_a_step(config, shape_of(config))


def test_no_two_configs_are_the_same():
    resolved = [configs.to_json(configs.load(spec)) for spec in specs()]
    assert len(resolved) >= 15
    assert len(set(resolved)) == len(resolved)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("side", "widths"), [(28, (32, 16)), (32, (32, 16, 8)), (64, (64, 32, 16, 8))])
@pytest.mark.parametrize("spec", ["configs/cgan.py", "configs/cdcgan.py"])
def test_sizes_and_channels(spec, side, widths, channels):
    config = configs.load(spec)
    configs.override(config, {"generator.widths": widths, "discriminator.widths": widths[::-1]})
    shapes_of_a_step(config, (side, side, channels))


def test_the_tutorials_cgan_is_the_network_that_it_says():
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
    assert configs.differences(configs.from_json(configs.to_json(config)), config) == []


@pytest.mark.parametrize(
    ("spec", "words", "message"),
    [
        ("configs/cdgan.py", [], "no config file.*did you mean configs/cdcgan.py"),
        ("configs/cgan.py:tund", [], "no variant 'tund'; did you mean tuned"),
        ("configs/cdcgan.py:tuned", [], "has no variants"),
        ("configs/cgan.py", ["--config.batchsize=3"], "did you mean batch_size"),
        ("configs/cgan.py", ["--config.learning_rate=3"], "did you mean .*optimizer.learning_rate"),
        ("configs/cgan.py", ["--config.batch_size=many"], "expected a whole number"),
        ("configs/cgan.py", ["--config.batch_size=2.5"], "expected a whole number"),
        ("configs/cgan.py", ["--config.generator.widths=a"], "expected a list such as"),
        ("configs/cgan.py", ["--config.generator.channel_dropout=1"], "expected true or false"),
        ("configs/cgan.py", ["--config.generator=5"], "is a section; set one of its leaves"),
        ("configs/cgan.py", ["--config.seed"], "needs a value"),
        ("configs/cgan.py", ["--seed=3"], "'--seed=3' is not understood"),
    ],
)
def test_mistakes_on_the_command_line(spec, words, message):
    with pytest.raises(UserError, match=message) as error:
        cli.parse_config(spec, words)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objective": "bce_logit"}, "objective='bce_logit' is unknown; did you mean bce_logits"),
        ({"generator.norm": "batchnorm"}, "generator.norm='batchnorm' is unknown; did you mean batch"),
        ({"generator.family": "transformer"}, "choose one of: dcgan, mlp, resnet"),
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
        ({"d_loss.virtual_adversarial": 1.0, "dtype": "bfloat16"}, "set --config.virtual_adversarial_probe=1.0"),
        ({"virtual_adversarial_probe": 0.0}, "virtual_adversarial_probe=0.0: must be more than 0"),
        ({"pseudo_label_threshold": 1.0}, "pseudo_label_threshold=1.0: must be between 0 and 1"),
        ({"ramp_up_steps": -1}, "ramp_up_steps=-1: must be 0 or more"),
        ({"ramp_up_steps": 10}, "ramp_up_steps=10: nothing grows; give --config.d_loss.class_balance or"),
        ({"ramp_up_start": -5}, "ramp_up_start=-5: must be 0 or more"),
        ({"g_batch": "onw"}, "g_batch='onw' is unknown; did you mean own"),
        ({"class_target": "avrage"}, "did you mean average"),
        ({"propagated_label_steps": 10}, "nothing fades; give --config.d_loss.propagated_label a weight"),
        ({"propagated_label_power": 1.5}, "propagated_label_power=1.5: must be from 0 to 1"),
        ({"propagated_label_power": 0.5}, "no labels are propagated; give --config.d_loss.propagated_label a weight"),
        ({"propagated_label_steps": -1}, "propagated_label_steps=-1: must be 0 or more"),
        (
            {"d_loss.propagated_label": 1.0, "discriminator.head": "class", "discriminator.conditioning": "none"},
            "d_loss.propagated_label: every image has a label of its own; set --config.data.num_labels=100",
        ),
        (
            {"class_target": "average"},
            "nothing is held to it; give --config.d_loss.interpolation or --config.d_loss.noise",
        ),
        (
            {"class_target": "average", "discriminator.head": "class", "d_loss.noise_consistency": 1.0},
            "set --config.discriminator.average_decay=0.999",
        ),
        ({"ramp_up_start": 10}, "ramp_up_start=10: nothing grows; give --config.d_loss.class_balance or"),
        ({"d_loss.r1": 1.0, "discriminator.norm": "batch"}, "differentiates one image's logit"),
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
