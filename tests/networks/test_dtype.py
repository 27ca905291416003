"""config.dtype: the products in bfloat16, all other arrays in float32, and the quality of the images."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxprs_in_params
from sklearn.datasets import load_digits

from gan_jax import build, cli
from gan_jax.data.batches import Indices
from gan_jax.evaluation.generate import balanced_labels, generate
from gan_jax.evaluation.metrics.frechet import frechet_distance
from gan_jax.gan.types import Batch
from gan_jax.runs import initial_state
from gan_jax.system import config as configs
from gan_jax.system.errors import UserError
from gan_jax.training.compiled_steps import compile_steps

FAMILIES = {
    "configs/cgan.py": {"generator.widths": (8, 8), "discriminator.widths": (8, 8)},
    "configs/dcgan.py:upsample": {"generator.widths": (8, 8, 8), "discriminator.widths": (8, 8)},
    "configs/sngan.py:resnet": {"generator.widths": (8, 8), "discriminator.widths": (8, 8)},
    "configs/stylegan2.py": {"generator.widths": (8, 8), "discriminator.widths": (8, 8)},
}
PRODUCTS = ("dot_general", "conv_general_dilated")


def make_gan(spec, dtype, changes, shape, batch_size):
    """(config, GAN) of 10 classes."""
    config = cli.parse_config(spec, [])
    configs.override(config, {"dtype": dtype, "batch_size": batch_size, **changes})
    return config, build.build(config, shape, 10, 1000)


def equations(jaxpr):
    """Every equation of a jaxpr and of the jaxprs inside it."""
    for equation in jaxpr.eqns:
        yield equation
        for inner in jaxprs_in_params(equation.params):
            yield from equations(inner)


def small_gan(spec, dtype):
    """(init, step, real images for it) of a small GAN of a family."""
    gan = make_gan(spec, dtype, FAMILIES[spec], (16, 16, 1), 4)[1]
    images = np.random.default_rng(0).uniform(-1, 1, (1, 4, 16, 16, 1)).astype(np.float32)
    batches = Batch(images, np.zeros((1, 4), np.int32))
    first = jax.tree.map(lambda leaf: leaf[0], batches)
    return lambda: gan.init(jax.random.key(0), first), lambda state: gan.step(state, batches, jax.random.key(1))


@pytest.mark.parametrize(
    "spec", [pytest.param(spec, marks=pytest.mark.thorough if "stylegan2" in spec else ()) for spec in FAMILIES]
)
def test_factors_of_hidden_layers_are_bfloat16_and_the_state_is_float32(spec):
    init, step = small_gan(spec, "bfloat16")
    program, result = jax.make_jaxpr(step, return_shape=True)(jax.eval_shape(init))
    all_equations = list(equations(program.jaxpr))
    products = [[v.aval.dtype for v in e.invars[:2]] for e in all_equations if e.primitive.name in PRODUCTS]
    half_products = [pair for pair in products if pair == [jnp.bfloat16] * 2]
    # On a CPU, convolutions of stride 1 compute in float32 with rounded factors.
    assert len(half_products) >= (4 if spec == "configs/sngan.py:resnet" else 8), (
        "two layers of two players, forward and backward"
    )
    assert all(pair == [jnp.float32] * 2 for pair in products if pair not in half_products)
    roundings = [
        e for e in all_equations if e.primitive.name == "convert_element_type" and e.params["new_dtype"] == jnp.bfloat16
    ]
    assert len(roundings) >= 16, "two factors of each of these"
    for leaf in jax.tree.leaves(result):
        assert leaf.dtype in (jnp.float32, jnp.int32, jnp.uint32)


@pytest.mark.thorough
@pytest.mark.parametrize(
    "spec", [pytest.param(spec, marks=[] if spec == "configs/cgan.py" else pytest.mark.slow) for spec in FAMILIES]
)
def test_metrics_equal_those_of_float32_to_rounding(spec):
    (init, half_step), (_, full_step) = (small_gan(spec, dtype) for dtype in ("bfloat16", "float32"))
    state = jax.jit(init)()
    metrics, expected = (jax.jit(step)(state)[1] for step in (half_step, full_step))
    for name, value in expected.items():
        np.testing.assert_allclose(metrics[name], value, rtol=0.05, atol=0.02, err_msg=name)


def test_an_unknown_dtype_is_refused():
    with pytest.raises(UserError, match="dtype.*bfloat16"):
        make_gan("configs/cgan.py", "float16", {}, (16, 16, 1), 4)


@functools.cache
def digits():
    data = load_digits()
    return Batch((data.images * 255 / 16).astype(np.uint8)[..., None], data.target.astype(np.int32))


def distance(dtype, num_steps):
    """Frechet distance of the pixels of 1,000 generated images to all 1,797 digits of 8 x 8 of scikit-learn."""
    widths = {"generator.widths": (64, 128), "discriminator.widths": (128, 64)}
    config, gan = make_gan("configs/cgan.py:tuned", dtype, widths, (8, 8, 1), 64)
    real = digits()
    state = initial_state.init_state(gan, config.seed, initial_state.blank_examples(config.init_batch_size, (8, 8, 1)))
    call = compile_steps(gan, 100)
    for first in range(0, num_steps, 100):
        rows = np.random.default_rng(first).integers(len(real.labels), size=(100, 1, 64), dtype=np.int32)
        state, _ = call(state, jax.device_put(real), Indices(rows, None), 100, jax.random.key(1))
    fakes = generate(jax.jit(gan.sample), state, balanced_labels(1000, 10))
    flat = [images.reshape(len(images), -1) / 255.0 for images in (fakes, real.images)]
    return frechet_distance(*flat)


@pytest.mark.slow
def test_images_are_as_good():
    untrained = distance("float32", 0)
    full, half = distance("float32", 600), distance("bfloat16", 600)
    assert full < untrained / 4, "the float32 GAN must learn, or the comparison means nothing"
    assert half < 1.3 * full
