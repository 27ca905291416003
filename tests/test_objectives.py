"""Losses and targets against hand numbers and PyTorch's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.objectives import OBJECTIVES, binary_cross_entropy
from gan_jax.targets import constant

LOGITS = np.array([-30.0, -3.0, -0.5, 0.0, 0.5, 3.0, 12.0, 30.0], np.float32)
# torch 2.13, float32: x.requires_grad_(); p = sigmoid(x); BCELoss(reduction="none")(p, t); backward of the sum.
TORCH_BCE = {
    1.0: (
        [30.0, 3.0485873, 0.97407699, 0.69314718, 0.47407696, 0.048587345, 6.198902e-06, 0.0],
        [-0.093576238, -0.95257413, -0.62245929, -0.5, -0.37754065, -0.047425866, -6.1988826e-06, 0.0],
    ),
    0.0: (
        [9.3576236e-14, 0.048587352, 0.47407699, 0.69314718, 0.97407705, 3.0485876, 11.991141, 100.0],
        [8.7565123e-15, 0.047425874, 0.37754065, 0.5, 0.62245935, 0.95257407, 0.99999374, 0.0],
    ),
}


def targets(num_images, real=1.0, fake=0.0, generator=1.0):
    return constant(jax.random.key(0), num_images, real=real, fake=fake, generator=generator)


@pytest.mark.parametrize("target", [0.0, 1.0])
def test_bce_on_probabilities_is_torchs(target):
    def loss(logits):
        return binary_cross_entropy(jax.nn.sigmoid(logits), jnp.full_like(logits, target))

    values, slopes = TORCH_BCE[target]
    np.testing.assert_allclose(loss(LOGITS), values, rtol=1e-3, atol=2e-7)
    np.testing.assert_allclose(jax.grad(lambda x: loss(x).sum())(LOGITS), slopes, rtol=2e-3, atol=1e-7)


def test_bce_vanishes_where_bce_logits_does_not():
    """A generator whose fakes are rejected with certainty: D(G(z)) = 0 in float32."""
    rejected = jnp.full((4,), -120.0)
    gradient = lambda name: jax.grad(  # noqa: E731
        lambda x: OBJECTIVES[name].generator(x, x, targets(4))
    )(rejected)
    np.testing.assert_array_equal(gradient("bce"), 0.0)
    np.testing.assert_allclose(gradient("bce_logits"), -0.25)


@pytest.mark.parametrize("name", ["bce", "bce_logits"])
def test_cross_entropies_at_the_optimum(name):
    """At D(x) = 1/2 everywhere D's loss is 2 log 2 and G's is log 2 (arXiv 1406.2661, section 4)."""
    logits = jnp.zeros((5,))
    objective = OBJECTIVES[name]
    assert objective.discriminator(logits, logits, targets(5)) == pytest.approx(2 * np.log(2))
    assert objective.generator(logits, logits, targets(5)) == pytest.approx(np.log(2))
    assert objective.output(logits)[0] == 0.5


def test_least_squares_by_hand():
    real, fake = jnp.array([1.0, 3.0]), jnp.array([0.0, -2.0])
    objective = OBJECTIVES["lsgan"]
    assert objective.discriminator(real, fake, targets(2)) == pytest.approx(0.25 * 4 + 0.25 * 4)
    assert objective.generator(real, fake, targets(2)) == pytest.approx(0.25 * (1 + 9))
    np.testing.assert_array_equal(objective.output(real), real)


def test_one_sided_smoothing_moves_the_optimum_and_leaves_the_generator():
    """With real targets of 0.9 the loss on real logits is least at sigmoid = 0.9."""
    smooth = targets(1, real=0.9)
    loss = lambda x: OBJECTIVES["bce_logits"].discriminator(x, jnp.full((1,), -50.0), smooth)  # noqa: E731
    best = jnp.log(jnp.array([9.0]))
    np.testing.assert_allclose(jax.grad(lambda x: loss(x))(best), 0.0, atol=1e-6)
    assert smooth.generator[0] == 1.0


def test_a_column_of_logits_is_refused():
    """[B, 1] against [B] would broadcast to [B, B] in silence."""
    with pytest.raises(ValueError, match="rank"):
        OBJECTIVES["bce_logits"].generator(jnp.zeros((4, 1)), jnp.zeros((4, 1)), targets(4))
