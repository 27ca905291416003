"""Every system that a config file describes, in shapes only or in a small form, and every technique for it."""

import pathlib
import re

import jax
import jax.numpy as jnp

from gan_jax import build, cli
from gan_jax.system import config as configs
from gan_jax.system.errors import UserError
from gan_jax.training.check import trace_step

FILES = sorted(str(path) for path in pathlib.Path("configs").glob("[!_]*.py") if path.stem not in ("default", "study"))
RECIPES = sorted(map(str, pathlib.Path("configs/semi_supervised").glob("[!_]*.py")))
# Small enough to compile and run in seconds. A small form keeps all other settings of its system.
SMALL_WIDTHS = {
    "mlp": {"generator.widths": "32,48,64", "discriminator.widths": "64,48,32"},
    "dcgan": {"generator.widths": "16,8", "discriminator.widths": "8,16"},
    "r3gan": {"generator.widths": "16,8", "discriminator.widths": "8,16"},
    "resnet": {"generator.widths": "8,8", "discriminator.widths": "8,8,8,8"},
    "stylegan2": {"generator.widths": "16,8", "discriminator.widths": "8,16"},
}
SHORT_RUN = {"num_epochs": 0, "num_steps": 20, "steps_per_call": 20, "batch_size": 16, "init_batch_size": 8}
MNIST_5K = {"data.name": "mnist_5k", "data.fallback": "", "data.image_size": 28, "data.channels": 1}


def specs():
    """Every system's config file with each of its variants."""
    return [f"{path}:{v}".rstrip(":") for path in FILES for v in configs.variants(path) or [""]]


def shape_of(config):
    """The shape of the images of a config's data set, without loading it."""
    side, channels = config.data.image_size or 28, config.data.channels
    return (side, side, channels or (1 if config.data.name == "mnist" else 3))


def shapes_of_a_step(config, shape=(28, 28, 1)):
    """The state and metrics of one init and one step, in shapes only."""
    gan = build.build(config, shape, 10, build.num_steps(config, 60_000))
    state, after, metrics = trace_step(config, gan, shape)
    assert jax.tree.structure(after) == jax.tree.structure(state)
    images = jax.eval_shape(gan.sample, state, jax.random.key(0), jax.ShapeDtypeStruct((7,), jnp.int32))
    assert images.shape == (7, *shape)
    return state, metrics


def resolve(spec, overrides):
    """The config of a small form of a system with these overrides, or None if the combination is refused."""
    family = cli.parse_config(spec, []).generator.family
    overrides = [
        *overrides,
        *(f"{key}={value}" for key, value in (SHORT_RUN | MNIST_5K | SMALL_WIDTHS[family]).items()),
    ]
    config = cli.parse_config(spec, [f"--config.{override}" for override in overrides])
    try:
        shapes_of_a_step(config)
    except UserError:
        return None
    return config


def technique_rows():
    """(name, [options], test, file) of every row of docs/techniques.md."""
    rows = []
    for line in pathlib.Path("docs/techniques.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 6 and "`" in cells[2]:
            rows.append((cells[0], re.findall(r"`([^`]+)`", cells[2]), cells[4].split(" ")[0], cells[5]))
    return rows


# Those of options of a command, such as --sampler=drs, and those of overrides of a config.
COMMAND_ROWS = [row for row in technique_rows() if row[1][0].startswith("--")]
ROWS = [row for row in technique_rows() if row not in COMMAND_ROWS]
# Techniques that one config can combine.
EVERYTHING = [
    *("generator.norm=virtual_batch", "generator.conditioning=concat", "generator.condition_smoothing=0.1"),
    *("generator.kernel_norm=spectral", "generator.activation=prelu", "generator.dropout=0.1", "generator.noise=0.05"),
    *("generator.ema_decay=0.99", "discriminator.norm=conditional_instance", "discriminator.kernel_norm=weight"),
    *("discriminator.conditioning=one_hot", "discriminator.activation=gelu", "discriminator.dropout=0.2"),
    *("discriminator.channel_dropout=true", "discriminator.input_noise=0.1", "discriminator.noise=0.05"),
    *("discriminator.noise_fade_updates=50", "discriminator.minibatch=discrimination", "discriminator.feature_layer=0"),
    *("discriminator.minibatch_kernels=5", "discriminator.layers_per_width=2", "discriminator.head=auxiliary_fake"),
    *("discriminator.ema_decay=0.9", "d_loss.classification=1", "d_loss.classification_fake=0.5"),
    *("d_loss.classification_as_fake=0.5", "d_loss.consistency=1", "d_loss.historical_averaging=0.001"),
    *("d_loss.entropy=0.1", "d_loss.noise_consistency=0.1", "d_loss.pseudo_label=0.1", "g_loss.pull_away=0.1"),
    *("d_loss.interpolation=0.1", "d_loss.codistillation=0.1", "d_loss.lecam=linear:0:0.3:0.1"),
    *("d_loss.consistency_fake=1", "d_loss.latent_consistency=1", "g_loss.latent_diversity=0.1"),
    *("augmentation.probability=linear:0.1:0.5", "augmentation.pseudo=0.1", "d_optimizer.b2=linear:0.9:0.99"),
    *("g_loss.classification_fake=1", "g_loss.feature_matching=1", "g_loss.historical_averaging=0.001"),
    *("objective=relativistic_average", "targets.real=0.9", "targets.soft=0.1", "targets.flip_rate=0.05"),
    *("prior.name=multivariate_normal", "prior.covariance=ar1", "prior.features=16", "d_steps=2"),
    *(
        "augmentation.real=rotate,flip,scale,shift,brightness,contrast",
        "augmentation.differentiable=translation,cutout",
    ),
    *("d_optimizer.name=adamw", "d_optimizer.weight_decay=0.01", "d_optimizer.clip_norm=1"),
    *("d_optimizer.schedule=cosine", "d_optimizer.warmup_steps=5", "g_optimizer.name=radam"),
    *("g_optimizer.schedule=exponential", "g_optimizer.final_fraction=0.1", "init_batch_size=8", "batch_size=8"),
]
