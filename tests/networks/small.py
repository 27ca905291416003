"""Small networks of every family, and what the tests of networks read of them."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.layers import conditioning, norms
from gan_jax.layers.minibatch import NoMinibatch
from gan_jax.layers.noise import Dropout, GaussianNoise
from gan_jax.layers.post_layer import PostLayer
from gan_jax.networks import NETWORKS
from gan_jax.networks.heads import HEADS

CLASSES, SIZE = 4, 5
RNG = np.random.default_rng(0)
LABELS = np.array([0, 3, 1, 1, 2])
POST_LAYERS = functools.partial(
    PostLayer,
    norm=norms.Identity,
    norm_order="norm_activation",
    activation=lambda: nn.relu,
    dropout=functools.partial(Dropout, 0.0),
    noise=functools.partial(GaussianNoise, 0.0),
)


def common(module, widths, post_layers, condition, fields):
    num_hidden = module.num_hidden(len(widths), fields.get("layers_per_width", 1))
    condition = functools.partial(conditioning.CONDITIONINGS[condition], CLASSES, 5)
    return {
        "post_layers": (post_layers,) * num_hidden,
        "condition": condition,
        "kernel_init": nn.initializers.normal(1.0),
        **fields,
    }


def generator(family, widths, image_shape, post_layers=POST_LAYERS, condition="none", **fields):
    module = NETWORKS[family][0]
    return module(image_shape, widths, **common(module, widths, post_layers, condition, fields))


def discriminator(family, widths, post_layers=POST_LAYERS, condition="none", head="binary", **fields):
    module = NETWORKS[family][1]
    parts = {
        "noise": functools.partial(GaussianNoise, 0.0),
        "minibatch": NoMinibatch,
        "head": functools.partial(HEADS[head], CLASSES, nn.initializers.normal(1.0)),
    }
    return module(widths, **{**common(module, widths, post_layers, condition, fields), **parts})


def shapes_of(module, *input_shape):
    """(shapes of the output, of the parameters), by eval_shape."""
    start = lambda x: module.init_with_output(jax.random.key(0), x, LABELS, train=True)  # noqa: E731
    output, variables = jax.eval_shape(start, jax.ShapeDtypeStruct((SIZE, *input_shape), jnp.float32))
    return jax.tree.map(lambda leaf: leaf.shape, (output, variables["params"]))


def kernels(params, kind):
    """Kernel shapes in the order of their layers."""
    return [params[f"{kind}_{i}"]["kernel"] for i in range(sum(name.startswith(kind) for name in params))]


def count(params):
    return sum(int(np.prod(shape)) for shape in jax.tree.leaves(params, is_leaf=lambda leaf: isinstance(leaf, tuple)))


def draw(module, x, scale=0.3):
    """Parameters N(0, scale^2), biases too."""
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), x, LABELS, train=True))
    return jax.tree.map(lambda leaf: (scale * RNG.normal(size=leaf.shape)).astype(np.float32), shapes)
