"""Norms that depend on z and on a label embedding: a generator against numpy, and the way of z through each family."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import build
from gan_jax.layers.kernel_norms import spectral
from gan_jax.layers.modulation import VectorConditions
from gan_jax.layers.norms import MODULATED_NORMS, NORMS
from gan_jax.system import config as configs
from gan_jax.system.errors import UserError
from tests.networks.small import CLASSES, LABELS, POST_LAYERS, RNG, SIZE, draw, generator
from tests.systems import shapes_of_a_step

EPSILON, UNITS = 1e-3, 4
INIT = nn.initializers.normal(1.0)


def norm_of(name, **fields):
    units = {"units": UNITS} if name == "self_modulated" else {}
    return functools.partial(NORMS[name], kernel_init=INIT, epsilon=EPSILON, **units, **fields)


def modulation(z_part, features, smoothing=0.0):
    return functools.partial(VectorConditions, CLASSES, z_part, features, smoothing, INIT)


def modulated(x, c, params):
    """gamma(c) (x - mean) / deviation + beta(c), with a hidden layer of ReLUs if there is one."""
    affine = next(iter(params.values()))["ModulatedAffine_0"]
    if "hidden" in affine:
        c = np.maximum(c @ affine["hidden"]["kernel"] + affine["hidden"]["bias"], 0)
    gain, offset = (c @ affine[name]["kernel"] + affine[name].get("bias", 0) for name in ("gain", "offset"))
    return (1 + gain) * (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + EPSILON) + offset


@pytest.mark.parametrize("norm", MODULATED_NORMS)
@pytest.mark.parametrize(("z_part", "features"), [("all", 0), ("all", 3), ("chunks", 3), ("chunks", 0), ("none", 3)])
def test_the_generator_equals_numpy(norm, z_part, features):
    """Fully connected, with two hidden layers: z in three chunks, one for each layer of linear maps but the last."""
    post_layers = functools.partial(POST_LAYERS, norm=norm_of(norm))
    module = generator("mlp", (5, 4), (2, 2, 1), post_layers, modulation=modulation(z_part, features))
    z = RNG.normal(size=(SIZE, 6)).astype(np.float32)
    params = draw(module, z)["params"]
    first, *parts = {"all": [z] * 3, "chunks": [z[:, :2], z[:, 2:4], z[:, 4:]], "none": [z, z[:, :0], z[:, :0]]}[z_part]
    if features:
        embedding = np.asarray(params["VectorConditions_0"]["LabelEmbedding_0"]["embedding"])[LABELS]
        parts = [np.concatenate([embedding, part], axis=1) for part in parts]
    x = first
    for layer, part in enumerate(parts):
        x = x @ params[f"Dense_{layer}"]["kernel"] + params[f"Dense_{layer}"]["bias"]
        x = np.maximum(modulated(x, part, params[f"PostLayer_{layer}"]), 0)
    expected = np.tanh(x @ params["Dense_2"]["kernel"] + params["Dense_2"]["bias"]).reshape(SIZE, 2, 2, 1)
    images = module.apply({"params": params}, z, LABELS, train=True, mutable=["batch_stats"])[0]
    np.testing.assert_allclose(images, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("norm", MODULATED_NORMS)
def test_gains_start_around_1_and_maps_have_the_kernel_norm(norm):
    module = norm_of(norm, kernel_norm=spectral)()
    x, c = RNG.normal(size=(64, 3, 3, 5)).astype(np.float32), RNG.normal(size=(64, 6)).astype(np.float32)
    small = module.clone(kernel_init=nn.initializers.normal(1e-4), kernel_norm=norm_of(norm)().kernel_norm)
    y, _ = small.init_with_output(jax.random.key(0), x, c, True)
    plain = NORMS["batch"](epsilon=EPSILON).init_with_output(jax.random.key(0), x, None, True)[0]
    np.testing.assert_allclose(y, plain, atol=1e-2)
    variables = module.init(jax.random.key(0), x, c, True)
    maps = {"gain", "offset"} | ({"hidden"} if norm == "self_modulated" else set())
    assert variables["spectral"]["ModulatedAffine_0"].keys() == maps
    biases = {name for name, layer in variables["params"]["ModulatedAffine_0"].items() if "bias" in layer}
    assert biases == (maps if norm == "self_modulated" else set())


def test_without_a_vector_it_is_batch_norm():
    x = RNG.normal(size=(7, 3, 3, 5)).astype(np.float32)
    y, variables = norm_of("shared_conditional_batch")().init_with_output(jax.random.key(0), x, None, True)
    np.testing.assert_allclose(
        y,
        NORMS["batch"](epsilon=EPSILON).apply(variables_of_batch(variables), x, None, True, mutable=["batch_stats"])[0],
    )


def variables_of_batch(variables):
    """The variables of the batch norm inside."""
    return {collection: tree["BatchNorm_0"] for collection, tree in variables.items()}


def record(conditions):
    """A PostLayer that writes down its condition, and changes nothing."""

    def post_layer(x, condition, train):
        conditions.append(condition)
        return x, x

    return post_layer


@pytest.mark.parametrize(
    ("family", "fields", "expected"),
    [
        ("mlp", {}, [1, 2]),
        ("dcgan", {"layers_per_width": 2}, [1, 2, 3, 4]),
        ("resnet", {}, [1, 1, 2, 2, None]),  # The last norm follows the last block.
        ("r3gan", {"layers_per_width": 2}, [1, 1, 2, 2, 3, 3, 4, 4]),
        ("stylegan2", {}, [1, 2, 3]),
    ],
)
def test_every_block_gets_its_chunk(family, fields, expected):
    """z is 0 0, 1 1, 2 2, ...: the first chunk enters the first layer, and each block gets another one."""
    conditions, chunks = [], max(filter(None, expected)) + 1
    module = generator(
        family, (4, 4), (8, 8, 1), lambda: record(conditions), modulation=modulation("chunks", 0), **fields
    )
    z = jnp.repeat(jnp.arange(chunks, dtype=jnp.float32), 2)[None] * jnp.ones((SIZE, 1))
    variables = module.init(jax.random.key(0), z, LABELS, train=True)
    received = [None if c is None else np.unique(c) for c in conditions]
    assert [None if c is None else c.tolist() for c in received] == [None if e is None else [e] for e in expected]
    first = variables["params"]["Mapping_0" if family == "stylegan2" else "Dense_0"]
    assert first["kernel"].shape[0] == 2
    # Without chunks, all get all of z, and the last norm too.
    conditions.clear()
    whole = module.clone(modulation=modulation("all", 0))
    whole.init(jax.random.key(0), z, LABELS, train=True)
    assert all((condition == z).all() for condition in conditions)
    assert len(conditions) == len(expected)


def test_a_point_between_classes_and_smoothing():
    module = modulation("none", 3, smoothing=0.2)()
    z = jnp.zeros((2, 1))
    variables = module.init(jax.random.key(0), z, jnp.array([0, 1]), 1, False)
    table = np.asarray(variables["params"]["LabelEmbedding_0"]["embedding"])
    weights = np.array([[0.5, 0.5, 0, 0], [0, 0, 0, 1]], np.float32)
    (block,) = module.apply(variables, z, jnp.asarray(weights), 1, False).blocks
    np.testing.assert_allclose(block, (0.8 * weights + 0.2 / CLASSES) @ table, rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"generator.norm": "self_modulated", "generator.norm_z": "chunks", "prior.features": 99},
            "prior.features=99: generator.norm_z=chunks splits z into 4 equal parts; set --config.prior.features=100",
        ),
        ({"generator.norm": "self_modulated", "generator.norm_z": "chunk"}, "norm_z='chunk' is unknown; did you mean"),
        ({"generator.norm": "self_modulated", "generator.norm_z": "none"}, "set --config.generator.norm_embedding=128"),
        ({"generator.norm": "self_modulated", "generator.norm_units": 0}, "norm_units=0: must be at least 1"),
        ({"generator.norm": "self_modulated", "generator.norm_gain": False}, "has a gain per class or per example"),
        ({"discriminator.norm": "self_modulated"}, "discriminator.norm=self_modulated: D has no z"),
        ({"generator.norm_embedding": -1}, "norm_embedding=-1: must be at least 0"),
    ],
)
def test_mistakes(changes, message):
    config = configs.load("configs/cgan.py")
    configs.override(config, changes)
    with pytest.raises(UserError, match=message):
        shapes_of_a_step(config)


def test_a_generator_with_a_shared_embedding_is_conditional():
    config = configs.load("configs/dcgan.py")
    configs.override(config, {"generator.norm": "shared_conditional_batch"})
    assert not build.is_conditional(config.generator)
    config.generator.norm_embedding = 8
    assert build.is_conditional(config.generator)
    assert build.settings_with_labels(config) == ["generator.norm_embedding=8"]
    config.generator.norm = "batch"
    assert not build.is_conditional(config.generator)
