"""BigGAN's networks: their numbers of parameters against those of the paper, and the blocks that halve the side."""

import jax
import numpy as np
import pytest

from gan_jax import build
from gan_jax.runs.initial_state import abstract_state
from gan_jax.system import config as configs
from gan_jax.system.errors import UserError
from tests.networks.small import discriminator, shapes_of

IMAGENET = {
    "data.image_size": 128,
    "generator.widths": (1536, 768, 384, 192, 96),
    "generator.attention_sides": (64,),
    "discriminator.widths": (96, 192, 384, 768, 1536, 1536),
    "discriminator.num_halvings": 5,
    "discriminator.attention_sides": (64,),
}


def counts(changes):
    """The number of parameters of G and of D for 128 x 128 images of 1000 classes."""
    config = configs.load("configs/biggan.py:paper")
    configs.override(config, IMAGENET | changes)
    state = abstract_state(build.build(config, (128, 128, 3), 1000, 100), 4, (128, 128, 3))
    players = (state.generator, state.discriminator)
    return [sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(player.params)) for player in players]


@pytest.mark.thorough
def test_the_numbers_of_parameters_are_those_of_table_1():
    """With 96 channels: 173.5 million with an embedding for each norm, 160.6 with a shared one, 158.3 with chunks of z.

    The authors' PyTorch code counts 70,433,988 parameters of the last G.
    """
    whole = counts({})
    assert whole[0] == 70_433_988
    assert sum(whole) / 1e6 == pytest.approx(158.3, abs=0.15)
    assert sum(counts({"generator.norm_z": "none"})) / 1e6 == pytest.approx(160.6, abs=0.15)
    assert sum(counts({"generator.norm": "conditional_batch"})) / 1e6 == pytest.approx(173.5, abs=0.15)


@pytest.mark.parametrize(("number", "side"), [(0, 8), (1, 16), (3, 4)])
def test_the_first_blocks_halve_the_side(number, side):
    seen = []

    def post_layer(x, labels, train):
        seen.append(x.shape[1])
        return x, x

    fields = {"num_halvings": number} if number else {}
    module = discriminator("resnet", (3, 3, 3, 3), lambda: post_layer, **fields)
    shapes_of(module, 32, 32, 1)
    halvings = number or 2
    # A block ends at its side, and the next block's two PostLayers see that side.
    ends = [32 // 2 ** min(block + 1, halvings) for block in range(4)]
    assert seen == [32, *(side for end in ends[:-1] for side in (end, end)), ends[-1]]
    assert seen[-1] == side


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"discriminator.num_halvings": 4}, "num_halvings=4: only 3 blocks can halve the side"),
        ({"discriminator.num_halvings": -1}, "num_halvings=-1: must be at least 0"),
        (
            {"discriminator.family": "mlp", "discriminator.num_halvings": 2},
            "num_halvings=2 does nothing for family mlp",
        ),
        ({"prior.features": 100}, "splits z into 3 equal parts; set --config.prior.features=102"),
    ],
)
def test_mistakes(changes, message):
    config = configs.load("configs/biggan.py")
    configs.override(config, changes)
    with pytest.raises(UserError, match=message):
        abstract_state(build.build(config, (28, 28, 1), 10, 100), 4, (28, 28, 1))
