"""Losses and their gradients against hand numbers, PyTorch and known properties of each objective."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.losses.adversarial import OBJECTIVES, binary_cross_entropy
from gan_jax.losses.targets import constant
from tests import golden

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

REAL = np.array([2.0, -0.5, 0.0, 4.0], np.float32)
FAKE = np.array([-3.0, 0.5, 1.0, -0.25], np.float32)
SMOOTH = {"real": 0.9, "fake": 0.1, "generator": 0.95}


def torch_losses(torch):
    """Each objective as a PyTorch user writes it: (D's loss, G's loss) of logits r, k [B] and targets t."""
    f = torch.nn.functional
    bce = f.binary_cross_entropy_with_logits

    def elementwise(loss):
        return lambda r, k, t: loss(r, t["real"]) + loss(k, t["fake"]), lambda r, k, t: loss(k, t["generator"])

    def two(x, t):
        return torch.nn.CrossEntropyLoss()(torch.stack([x, 0 * x], 1), torch.stack([t, 1 - t], 1))

    def hinge(r, k, t):
        return f.relu(1 - r).mean() + f.relu(1 + k).mean()

    def relativistic(r, k, real, fake):
        return bce(r - k.mean(), real) + bce(k - r.mean(), fake)

    return {
        "bce": elementwise(lambda x, t: torch.nn.BCELoss()(torch.sigmoid(x), t)),
        "bce_logits": elementwise(bce),
        "saturating": (elementwise(bce)[0], lambda r, k, t: -bce(k, 1 - t["generator"])),
        "cross_entropy": elementwise(lambda x, t: torch.nn.CrossEntropyLoss()(x[:, None], t[:, None])),
        "cross_entropy_two_logits": elementwise(two),
        "lsgan": elementwise(lambda x, t: 0.5 * f.mse_loss(x, t)),
        "hinge": (hinge, lambda r, k, t: -k.mean()),
        "wasserstein": (lambda r, k, t: k.mean() - r.mean(), lambda r, k, t: -k.mean()),
        "relativistic_average": (
            lambda r, k, t: relativistic(r, k, t["real"], t["fake"]),
            lambda r, k, t: relativistic(r, k, 1 - t["generator"], t["generator"]),
        ),
        "relativistic_pairing": (lambda r, k, t: f.softplus(k - r).mean(), lambda r, k, t: f.softplus(r - k).mean()),
    }


# Results of torch_losses under torch 2.13.0 (CPU, float32) at REAL, FAKE, SMOOTH, computed as in
# test_losses_equal_the_installed_torch: (value, gradient by REAL, gradient by FAKE) of D, then of G.
NOTHING = (0.0, [0.0] * 4, [0.0] * 4)
CROSS_ENTROPY = (
    (1.362292, [-0.004800737, -0.1306148, -0.09999999, 0.02050345], [-0.01314353, 0.1306148, 0.1577646, 0.08445588]),
    (1.143591, [0.0] * 4, [-0.2256435, -0.08188516, -0.05473535, -0.1280441]),
)
TORCH = {
    "cross_entropy": (NOTHING, NOTHING),
    "bce": CROSS_ENTROPY,
    "bce_logits": CROSS_ENTROPY,
    "cross_entropy_two_logits": CROSS_ENTROPY,
    "relativistic_average": (
        (0.9580921, [-0.02499538, -0.133811, -0.1029902, -0.00782783], [0.01560799, 0.08605382, 0.1143334, 0.0536292]),
        (4.039342, [0.4000046, 0.291189, 0.3220098, 0.4171722], [-0.409392, -0.3389462, -0.3106666, -0.3713708]),
    ),
}


def targets(num_images, real=1.0, fake=0.0, generator=1.0):
    return constant(jax.random.key(0), num_images, real=real, fake=fake, generator=generator)


def value_and_gradients(loss, real, fake, loss_targets):
    """(value, gradient by the real logits, gradient by the fake logits)."""
    value, gradients = jax.jit(jax.value_and_grad(loss, (0, 1)))(jnp.asarray(real), jnp.asarray(fake), loss_targets)
    return value, *gradients


def assert_same(actual, expected, **tolerance):
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, **tolerance)


@pytest.mark.parametrize("target", [0.0, 1.0])
def test_bce_on_probabilities_equals_torch(target):
    def loss(logits):
        return binary_cross_entropy(jax.nn.sigmoid(logits), jnp.full_like(logits, target))

    values, slopes = TORCH_BCE[target]
    np.testing.assert_allclose(loss(LOGITS), values, rtol=1e-3, atol=2e-7)
    np.testing.assert_allclose(jax.grad(lambda x: loss(x).sum())(LOGITS), slopes, rtol=2e-3, atol=1e-7)


@pytest.mark.parametrize("name", TORCH)
def test_losses_and_gradients_equal_stored_torch(name):
    for loss, expected in zip(OBJECTIVES[name][:2], TORCH[name], strict=True):
        assert_same(value_and_gradients(loss, REAL, FAKE, targets(4, **SMOOTH)), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_and_its_gradients_equal_torch(name):
    """With other logits."""
    real, fake = np.random.default_rng(0).normal(0.0, 3.0, (2, 64)).astype(np.float32)
    compute = functools.partial(torch_values_and_gradients, name=name, real=real, fake=fake)
    expected = golden.numbers("torch", "adversarial", name, compute, rtol=1e-4, atol=1e-6)
    actual = [value_and_gradients(loss, real, fake, targets(64, **SMOOTH)) for loss in OBJECTIVES[name][:2]]
    assert_same([*actual[0], *actual[1]], expected, rtol=1e-4, atol=1e-6)


def torch_values_and_gradients(torch, name, real, fake):
    """(value, gradient by the real logits, gradient by the fake logits) of D's loss, then of G's."""
    torch_targets, results = {knob: torch.full((64,), value) for knob, value in SMOOTH.items()}, []
    for loss in torch_losses(torch)[name]:
        r, k = (torch.tensor(x, requires_grad=True) for x in (real, fake))
        value = loss(r, k, torch_targets)
        value.backward()
        results += [value.item(), *(np.zeros(64) if x.grad is None else x.grad for x in (r, k))]
    return results


def test_one_class_softmax_cannot_learn():
    """Loss and gradient are 0 for all logits and targets, so no update changes the networks."""
    objective = OBJECTIVES["cross_entropy"]
    for scale, loss_targets in ((0.01, targets(4)), (1.0, targets(4, **SMOOTH)), (100.0, targets(4, 0.0, 1.0, 0.0))):
        for loss in objective[:2]:
            assert_same(value_and_gradients(loss, scale * REAL, scale * FAKE, loss_targets), NOTHING, atol=0.0)
    np.testing.assert_array_equal(objective.output(LOGITS), 1.0)
    assert not objective.zero_means_won


@pytest.mark.parametrize("player", [0, 1])
def test_two_class_softmax_is_binary_cross_entropy(player):
    softmax, sigmoid = OBJECTIVES["cross_entropy_two_logits"], OBJECTIVES["bce_logits"]
    loss_targets = targets(8, **SMOOTH)
    expected = value_and_gradients(sigmoid[player], LOGITS, LOGITS[::-1], loss_targets)
    assert_same(
        value_and_gradients(softmax[player], LOGITS, LOGITS[::-1], loss_targets), expected, rtol=1e-5, atol=1e-7
    )
    np.testing.assert_array_equal(softmax.output(LOGITS), sigmoid.output(LOGITS))


def generator_gradient(name, fakes, **knobs):
    return value_and_gradients(OBJECTIVES[name].generator, fakes, fakes, targets(len(fakes), **knobs))[2]


def test_bce_vanishes_where_bce_logits_does_not():
    """For images that D rejects with certainty: D(G(z)) = 0 in float32."""
    rejected = jnp.full((4,), -120.0)
    np.testing.assert_array_equal(generator_gradient("bce", rejected), 0.0)
    np.testing.assert_allclose(generator_gradient("bce_logits", rejected), -0.25)


def test_the_minimax_generator_saturates():
    """The derivatives by a logit are -D and -(1 - D): at D(G(z)) = 1e-4, one is 1e4 times the other."""
    rejected = jnp.log(jnp.array([1e-4 / (1 - 1e-4)]))
    np.testing.assert_allclose(generator_gradient("saturating", rejected), -1e-4, rtol=1e-4)
    np.testing.assert_allclose(generator_gradient("bce_logits", rejected), -(1 - 1e-4), rtol=1e-4)
    # Only D's targets are smoothed: in G's loss, a fake target of 0.1 would reverse the gradient if D(G(z)) < 0.1.
    np.testing.assert_allclose(generator_gradient("saturating", rejected, fake=0.1), -1e-4, rtol=1e-4)


def test_the_minimax_losses_are_zero_sum():
    """The losses of generated images add up to 0 (arXiv 1406.2661, eq. 1). They stay finite if D(G(z)) rounds to 1."""
    minimax = OBJECTIVES["saturating"]
    d, g = (value_and_gradients(loss, REAL, FAKE, targets(4)) for loss in minimax[:2])
    np.testing.assert_allclose(d[2], -g[2], rtol=1e-6)
    np.testing.assert_allclose(g[0], np.mean(np.log(1 - 1 / (1 + np.exp(-np.float64(FAKE))))), rtol=1e-6)
    accepted = jnp.full((1,), 200.0)
    assert minimax.generator(accepted, accepted, targets(1)) == pytest.approx(-200.0)


@pytest.mark.parametrize(
    ("name", "d_loss", "g_loss"),
    [
        ("bce", 2 * np.log(2), np.log(2)),
        ("bce_logits", 2 * np.log(2), np.log(2)),
        ("saturating", 2 * np.log(2), -np.log(2)),
        ("cross_entropy_two_logits", 2 * np.log(2), np.log(2)),
        ("relativistic_average", 2 * np.log(2), 2 * np.log(2)),
        ("relativistic_pairing", np.log(2), np.log(2)),
        ("hinge", 2.0, 0.0),
        ("wasserstein", 0.0, 0.0),
    ],
)
def test_equal_logits_for_real_and_fake(name, d_loss, g_loss):
    """All logits are 0, which is optimal for D if G is perfect (arXiv 1406.2661, section 4): the gradients cancel."""
    equal, objective = jnp.zeros((5,)), OBJECTIVES[name]
    value, by_real, by_fake = value_and_gradients(objective.discriminator, equal, equal, targets(5))
    assert value == pytest.approx(d_loss)
    assert objective.generator(equal, equal, targets(5)) == pytest.approx(g_loss)
    # The same images are real and fake, so D moves along the sum of both gradients.
    np.testing.assert_allclose(by_real + by_fake, 0.0, atol=1e-7)
    assert objective.output(equal)[0] == (
        0.5 if "entropy" in name or name in ("bce", "bce_logits", "saturating") else 0
    )


def test_a_loss_near_0_means_that_d_has_won_if_the_objective_says_so():
    """The loss is near 0 if D separates perfectly, and not if all logits are equal."""
    won, equal = np.full((4,), 40.0, np.float32), np.zeros((4,), np.float32)
    for name, objective in OBJECTIVES.items():
        real, fake = (equal + 1.0, equal) if name == "lsgan" else (won, -won)
        separated = objective.discriminator(real, fake, targets(4))
        confused = objective.discriminator(equal, equal, targets(4))
        assert objective.zero_means_won == bool(abs(separated) < 1e-5 and confused > 0.4), name


def test_least_squares_by_hand():
    real, fake = jnp.array([1.0, 3.0]), jnp.array([0.0, -2.0])
    objective = OBJECTIVES["lsgan"]
    assert objective.discriminator(real, fake, targets(2)) == pytest.approx(0.25 * 4 + 0.25 * 4)
    assert objective.generator(real, fake, targets(2)) == pytest.approx(0.25 * (1 + 9))
    # Inverted targets: real 0, fake 1, generator 0.
    assert objective.discriminator(real, fake, targets(2, 0.0, 1.0, 0.0)) == pytest.approx(0.25 * 10 + 0.25 * 10)
    np.testing.assert_array_equal(objective.output(real), real)


def test_hinge_by_hand():
    """Zero gradient beyond the margins: real logits above 1, fake ones below -1."""
    real, fake = jnp.array([2.0, 0.5, -1.0, 1.5]), jnp.array([-2.0, 0.0, 3.0, -0.5])
    objective = OBJECTIVES["hinge"]
    d = value_and_gradients(objective.discriminator, real, fake, None)
    assert_same(d, ((0 + 0.5 + 2 + 0) / 4 + (0 + 1 + 4 + 0.5) / 4, [0, -0.25, -0.25, 0], [0, 0.25, 0.25, 0.25]))
    assert_same(value_and_gradients(objective.generator, real, fake, None), (-0.125, [0] * 4, [-0.25] * 4))


def test_wasserstein_by_hand():
    real, fake, objective = jnp.array([2.0, 4.0]), jnp.array([-1.0, 2.0]), OBJECTIVES["wasserstein"]
    assert_same(value_and_gradients(objective.discriminator, real, fake, None), (0.5 - 3.0, [-0.5] * 2, [0.5] * 2))
    assert_same(value_and_gradients(objective.generator, real, fake, None), (-0.5, [0] * 2, [-0.5] * 2))


def test_relativistic_average_depends_on_differences_and_is_symmetric():
    """A shift of all logits changes nothing. With plain targets, G's loss is D's with real and fake exchanged."""
    objective, plain_targets = OBJECTIVES["relativistic_average"], targets(4)
    d, g = (value_and_gradients(loss, REAL, FAKE, plain_targets) for loss in objective[:2])
    assert_same(value_and_gradients(objective.discriminator, REAL + 7.0, FAKE + 7.0, plain_targets), d, rtol=1e-5)
    exchanged = value_and_gradients(objective.discriminator, FAKE, REAL, plain_targets)
    assert_same(g, (exchanged[0], exchanged[2], exchanged[1]), rtol=1e-6)


def test_relativistic_pairing_by_hand():
    """Differences of pairs: 5, -1, -1, 4.25. Another order of the fakes is another loss, unlike with the average."""
    objective = OBJECTIVES["relativistic_pairing"]
    sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
    difference = np.float64(REAL) - FAKE
    d = value_and_gradients(objective.discriminator, REAL, FAKE, None)
    slope = sigmoid(-difference) / 4
    assert_same(d, (np.mean(np.log1p(np.exp(-difference))), -slope, slope), rtol=1e-6)
    g = value_and_gradients(objective.generator, REAL, FAKE, None)
    slope = sigmoid(difference) / 4
    assert_same(g, (np.mean(np.log1p(np.exp(difference))), slope, -slope), rtol=1e-6)
    turned = objective.discriminator(REAL, FAKE[::-1], None)
    assert abs(float(turned) - float(d[0])) > 0.02


@pytest.mark.parametrize("name", [name for name, objective in OBJECTIVES.items() if objective.uses_targets])
def test_a_column_of_logits_is_refused(name):
    """Otherwise [B, 1] against [B] would broadcast to [B, B] without an error."""
    for loss in OBJECTIVES[name][:2]:
        with pytest.raises(ValueError, match="rank"):
            loss(jnp.zeros((4, 1)), jnp.zeros((4, 1)), targets(4))
