"""Norms against loops in numpy and against PyTorch."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.layers import norms
from gan_jax.layers.norms import NORMS
from gan_jax.layers.reference import WithReference
from gan_jax.system.errors import UserError
from tests import golden

EPSILON, REFERENCE = 1e-3, 4
RNG = np.random.default_rng(0)
# Every channel has another mean and standard deviation.
IMAGES = (RNG.normal(size=(7, 4, 5, 8)) * np.linspace(1, 3, 8) + np.linspace(-2, 2, 8)).astype(np.float32)
VECTORS = IMAGES[:, 0, 0]
LABELS = np.array([0, 1, 2, 0, 2, 2, 1])
FIELDS = {
    "group": {"groups": 4},
    "conditional_batch": {"num_classes": 3},
    "conditional_instance": {"num_classes": 3},
    "virtual_batch": {"reference_size": REFERENCE},
}


def make(name, x, **fields):
    """(norm, variables drawn from [0.5, 2], gain and offset of every example)."""
    norm = NORMS[name](epsilon=EPSILON, **FIELDS.get(name, {}), **fields)
    shapes = jax.eval_shape(lambda: norm.init(jax.random.key(0), x, LABELS, train=True))
    rng = np.random.default_rng(1)
    variables = jax.tree.map(lambda leaf: rng.uniform(0.5, 2, leaf.shape).astype(np.float32), shapes)
    gain, offset = (
        next(leaf for path, leaf in jax.tree.leaves_with_path(variables["params"]) if kind in str(path))
        for kind in ("scale", "bias")
    )
    if gain.ndim == 2:  # [K, C]: by label
        gain, offset = gain[LABELS], offset[LABELS]
    expand = lambda v: v.reshape(-1, *(1,) * (x.ndim - 2), x.shape[-1])  # noqa: E731
    return norm, variables, (expand(gain), expand(offset))


def over_batch(x):
    flat = x.reshape(-1, x.shape[-1])
    return (x - flat.mean(axis=0)) / np.sqrt(flat.var(axis=0) + EPSILON)


def by_group(groups):
    def standardize(x):
        y, size = np.zeros(x.shape), x.shape[-1] // groups
        for i in range(len(x)):
            for group in range(groups):
                channels = slice(group * size, (group + 1) * size)
                block = x[i, ..., channels]
                y[i, ..., channels] = (block - block.mean()) / np.sqrt(block.var() + EPSILON)
        return y

    return standardize


def virtual(x):
    """Reference rows by the moments of the reference, other rows by those of reference and row (section 3.5)."""
    reference = x[:REFERENCE].reshape(-1, x.shape[-1])
    y = (x - reference.mean(axis=0)) / np.sqrt(reference.var(axis=0) + EPSILON)
    for i in range(REFERENCE, len(x)):
        for c in range(x.shape[-1]):
            mean = (REFERENCE * reference[:, c].mean() + x[i, ..., c].mean()) / (REFERENCE + 1)
            square = (REFERENCE * (reference[:, c] ** 2).mean() + (x[i, ..., c] ** 2).mean()) / (REFERENCE + 1)
            y[i, ..., c] = (x[i, ..., c] - mean) / np.sqrt(square - mean**2 + EPSILON)
    return y


ORACLES = {
    "batch": (over_batch, over_batch),
    "conditional_batch": (over_batch, over_batch),
    "layer": (by_group(1), by_group(1)),
    "group": (by_group(4), by_group(4)),
    "instance": (by_group(8), by_group(1)),
    "conditional_instance": (by_group(8), by_group(1)),
    "virtual_batch": (virtual, virtual),
}


@pytest.mark.parametrize("x", [IMAGES, VECTORS], ids=["images", "vectors"])
@pytest.mark.parametrize("name", ORACLES)
def test_equals_numpy(name, x):
    norm, variables, (gain, offset) = make(name, x)
    apply = jax.jit(lambda v, x: norm.apply(v, x, LABELS, train=True, mutable=list(v))[0])
    expected = ORACLES[name][x.ndim == 2](x.astype(np.float64)) * gain + offset
    np.testing.assert_allclose(apply(variables, x), expected, rtol=1e-4, atol=1e-4)


def test_every_norm_is_checked():
    assert set(ORACLES) == set(NORMS) - {"none", *norms.MODULATED_NORMS}  # Those are in test_modulation.py.
    assert NORMS["none"]().apply({}, IMAGES, LABELS, train=True) is IMAGES


@pytest.mark.parametrize("x", [IMAGES, VECTORS], ids=["images", "vectors"])
@pytest.mark.parametrize("name", ["batch", "layer", "group", "instance"])
def test_value_and_gradients_equal_torch(name, x):
    norm, variables, _ = make(name, x)
    stats = {key: leaf for key, leaf in variables.items() if key != "params"}
    dy = np.random.default_rng(2).normal(size=x.shape).astype(np.float32)

    @jax.jit
    def run(params, x):
        apply = lambda p, x: norm.apply({"params": p, **stats}, x, LABELS, train=True, mutable=list(stats))[0]  # noqa: E731
        y, vjp = jax.vjp(apply, params, x)
        return y, *vjp(dy)

    y, d_params, dx = run(variables["params"], x)
    leaves, shape = jax.tree.leaves(variables["params"]), "images" if x.ndim == 4 else "vectors"
    compute = functools.partial(torch_value_and_gradients, name=name, x=x, dy=dy, leaves=leaves)
    expected = golden.numbers("torch", "norms", f"{name}-{shape}", compute, rtol=1e-4, atol=1e-5)
    for a, b in zip((y, dx, *jax.tree.leaves(d_params)), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


def torch_value_and_gradients(torch, name, x, dy, leaves):
    """The output, and the gradients by the input, the offset and the gain."""
    offset, gain = (torch.tensor(leaf, requires_grad=True) for leaf in leaves)
    x = torch.tensor(x, requires_grad=True)
    images, f = x.ndim == 4, torch.nn
    torch_norm = {
        "batch": (f.BatchNorm2d if images else f.BatchNorm1d)(8, EPSILON, affine=False),
        "layer": f.GroupNorm(1, 8, EPSILON, affine=False),
        "group": f.GroupNorm(4, 8, EPSILON, affine=False),
        # InstanceNorm1d reads [B, F] as B channels of F positions.
        "instance": f.InstanceNorm2d(8, EPSILON) if images else f.InstanceNorm1d(len(x), EPSILON),
    }[name]
    standardized = torch_norm(x.movedim(-1, 1)).movedim(1, -1)
    y = standardized * gain + offset
    y.backward(torch.tensor(dy))
    return y.detach(), x.grad, offset.grad, gain.grad


@pytest.mark.parametrize("name", ["batch", "conditional_batch"])
def test_running_moments_and_inference(name):
    """r <- 0.8 r + 0.2 batch. Inference uses r, so an output does not depend on the other images."""
    norm, variables, (gain, offset) = make(name, IMAGES, momentum=0.8)
    _, updated = norm.apply(variables, IMAGES, LABELS, train=True, mutable=["batch_stats"])
    (mean,), (variance,) = (
        [np.asarray(leaf) for path, leaf in jax.tree.leaves_with_path(updated) if kind in str(path)]
        for kind in ("mean", "var")
    )
    (old_mean, old_variance), flat = jax.tree.leaves(variables["batch_stats"]), IMAGES.reshape(-1, 8)
    np.testing.assert_allclose(mean, 0.8 * old_mean + 0.2 * flat.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(variance, 0.8 * old_variance + 0.2 * flat.var(axis=0), rtol=1e-4)
    y, after_inference = norm.apply(
        {**variables, **updated}, IMAGES[:1], LABELS[:1], train=False, mutable=["batch_stats"]
    )
    jax.tree.map(np.testing.assert_array_equal, after_inference, updated)
    expected = (IMAGES[:1] - mean) / np.sqrt(variance + EPSILON) * gain[:1] + offset[:1]
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)


def test_running_moments_equal_torch_except_for_n_minus_1():
    norm, variables, _ = make("batch", IMAGES, momentum=0.8)
    _, initial_variance = stats = jax.tree.leaves(variables["batch_stats"])
    compute = functools.partial(torch_running_moments, stats=stats)
    torch_mean, torch_variance = golden.numbers("torch", "norms", "running", compute, rtol=1e-5)
    mean, variance = jax.tree.leaves(norm.apply(variables, IMAGES, LABELS, train=True, mutable=["batch_stats"])[1])
    np.testing.assert_allclose(mean, torch_mean, rtol=1e-4)
    count = IMAGES[..., 0].size
    expected_batch_share = (torch_variance - 0.8 * initial_variance) * (count - 1) / count
    np.testing.assert_allclose(variance, 0.8 * initial_variance + expected_batch_share, rtol=1e-4)


def torch_running_moments(torch, stats):
    """Mean and variance after one batch, from those at the start."""
    torch_norm = torch.nn.BatchNorm2d(8, EPSILON, momentum=0.2, affine=False)
    for buffer, leaf in zip(torch_norm.buffers(), stats, strict=False):
        buffer.copy_(torch.tensor(leaf))
    torch_norm(torch.tensor(IMAGES).movedim(-1, 1))
    return torch_norm.running_mean, torch_norm.running_var


@pytest.mark.parametrize(("groups", "name"), [(1, "layer"), (8, "instance")])
def test_one_group_is_layer_norm_and_a_group_a_channel_is_instance_norm(groups, name):
    outputs = []
    for norm in (norms.GroupNorm(groups, EPSILON), NORMS[name](EPSILON)):
        outputs.append(norm.init_with_output(jax.random.key(0), IMAGES, LABELS, train=True)[0])
    np.testing.assert_array_equal(*outputs)


@pytest.mark.parametrize(
    ("groups", "x", "message"),
    [(3, IMAGES, "norm_groups=3"), (16, VECTORS, "norm_groups=16"), (8, VECTORS, "of one value")]
    + [(8, IMAGES[:, :1, :1], "of one value")],
)
def test_impossible_groups_are_refused(groups, x, message):
    with pytest.raises(UserError, match=message):
        norms.GroupNorm(groups).init(jax.random.key(0), x, LABELS, train=True)


@pytest.mark.parametrize("name", ORACLES)
def test_gain_starts_around_one_not_zero(name):
    """The gain starts at N(1, 0.02) (well-known code has N(0, 0.02) or 1), the offset at 0."""
    norm, x = NORMS[name](scale_stddev=0.02, **FIELDS.get(name, {})), jnp.zeros((7, 4000))
    params = jax.jit(lambda: norm.init(jax.random.key(0), x, LABELS, train=True))()["params"]
    offset, gain = jax.tree.leaves(params)
    assert float(gain.mean()) == pytest.approx(1, abs=2e-3)
    assert float(gain.std()) == pytest.approx(0.02, abs=1e-3)
    assert not offset.any()


def test_virtual_batch_norm_depends_on_the_reference_and_the_example_only():
    norm, variables, _ = make("virtual_batch", IMAGES)
    example = REFERENCE + 1  # the second image of the current batch
    jacobian = jax.jit(jax.jacobian(lambda x: norm.apply(variables, x, LABELS, train=True)[example, 1, 2]))(IMAGES)
    depends = np.abs(jacobian).max(axis=(0, 2, 3, 4)) > 1e-6
    np.testing.assert_array_equal(depends, [True] * REFERENCE + [False, True, False])


def test_gradients_flow_through_the_moments_of_the_reference():
    """The output does not depend on a common scale of reference and batch, so its full gradient is 0."""
    norm = norms.VirtualBatchNorm(REFERENCE, epsilon=1e-12)
    variables = {"params": {"Affine_0": {"scale": jnp.ones(8), "bias": jnp.zeros(8)}}}
    dy = jnp.linspace(-1, 1, IMAGES[REFERENCE:].size).reshape(-1, *IMAGES.shape[1:])

    def value(scale_of_reference, scale_of_batch):
        x = jnp.concatenate([IMAGES[:REFERENCE] * scale_of_reference, IMAGES[REFERENCE:] * scale_of_batch])
        return jnp.sum(dy * norm.apply(variables, x, LABELS, train=True)[REFERENCE:])

    reference, batch = jax.jit(jax.grad(value, (0, 1)))(1.0, 1.0)
    assert abs(reference) > 1
    assert float(reference + batch) == pytest.approx(0, abs=1e-3 * abs(float(reference)))


def test_reference_is_the_initial_batch_and_never_changes():
    module = WithReference(norms.VirtualBatchNorm(REFERENCE, EPSILON))
    first = IMAGES[:REFERENCE], LABELS[:REFERENCE]
    variables = jax.jit(lambda *batch: module.init(jax.random.key(0), *batch, train=True))(*first)
    call = jax.jit(lambda v, *batch: module.apply(v, *batch, train=True, mutable=["reference"]))
    np.testing.assert_array_equal(variables["reference"]["inputs"], IMAGES[:REFERENCE])
    np.testing.assert_array_equal(variables["reference"]["labels"], LABELS[:REFERENCE])
    expected = virtual(IMAGES.astype(np.float64))
    for rows in ([4, 5, 6], [6]):  # Batches of any size.
        y, updates = call(variables, IMAGES[rows], LABELS[rows])
        np.testing.assert_allclose(y, expected[rows], rtol=1e-4, atol=1e-4)
        jax.tree.map(np.testing.assert_array_equal, updates["reference"], variables["reference"])
        variables = {**variables, **updates}


@pytest.mark.parametrize("name", [name for name in ORACLES if not name.startswith("conditional")])
def test_without_a_gain(name):
    """The output equals that with a gain of 1, and only the offset is learned."""
    with_gain, without_gain = (NORMS[name](gain=gain, **FIELDS.get(name, {})) for gain in (True, False))
    params = without_gain.init(jax.random.key(0), IMAGES, LABELS, train=True)
    assert len(jax.tree.leaves(params["params"])) == 1
    y, _ = without_gain.apply(params, IMAGES, LABELS, train=True, mutable=list(params))
    variables = with_gain.init(jax.random.key(0), IMAGES, LABELS, train=True)
    expected, _ = with_gain.apply(variables, IMAGES, LABELS, train=True, mutable=list(variables))
    np.testing.assert_allclose(y, expected, atol=1e-6)
