"""Optimizers against PyTorch's (stored and live) and Lion's equations; decay, clipping, schedules and refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax.gan.optimizers import RULES, Rule, decays, make_optimizer
from gan_jax.gan.schedules import SCHEDULES, make_schedule
from gan_jax.system.errors import UserError

START = np.array([1.0, -2.0, 0.5])
GRADIENTS = np.random.RandomState(0).standard_normal((20, 3))
SEEN = [5, 19]  # after update 6, the first that radam rectifies, and 20
LINEAR, NAN = make_schedule("linear", 0.1, 20), float("nan")
BETAS, TORCH_BETAS, DECAY = {"b1": 0.5, "b2": 0.9}, {"betas": (0.5, 0.9)}, {"weight_decay": 0.1}
# An eps of 0.01 is large enough to show where it is added. PyTorch's radam adds it elsewhere.
EPS, TORCH_EPS = {**BETAS, "eps": 0.01}, {**TORCH_BETAS, "eps": 0.01}

# case -> name, keywords and settings of make_optimizer; name and settings of PyTorch
CASES = {
    "sgd": ("sgd", {}, {}, "SGD", {}),
    "sgd, L2": ("sgd", {}, DECAY, "SGD", DECAY),
    "momentum": ("momentum", {"momentum": 0.8}, {}, "SGD", {"momentum": 0.8}),
    "nesterov": ("momentum", {"nesterov": True}, {}, "SGD", {"momentum": 0.9, "nesterov": True}),
    "rmsprop": ("rmsprop", {"decay": 0.8, "eps": 0.01}, {}, "RMSprop", {"alpha": 0.8, "eps": 0.01}),
    "rmsprop, L2": ("rmsprop", {"momentum": 0.8}, DECAY, "RMSprop", {"alpha": 0.9, "momentum": 0.8, **DECAY}),
    "rmsprop, linear": ("rmsprop", {"momentum": 0.8}, {}, "RMSprop", {"alpha": 0.9, "momentum": 0.8}),
    "adam": ("adam", EPS, {}, "Adam", TORCH_EPS),
    "adam, b1 = 0": ("adam", {"b1": 0.0}, {}, "Adam", {"betas": (0.0, 0.999)}),
    "adam, L2": ("adam", BETAS, DECAY, "Adam", {**TORCH_BETAS, **DECAY}),
    "adam, clipped": ("adam", BETAS, {"clip_norm": 0.5, **DECAY}, "Adam", {**TORCH_BETAS, **DECAY}),
    "adam, decoupled": ("adam", BETAS, {"decay_kind": "decoupled", **DECAY}, "AdamW", {**TORCH_BETAS, **DECAY}),
    "adamw": ("adamw", {}, DECAY, "AdamW", DECAY),
    "adamw, linear": ("adamw", BETAS, DECAY, "AdamW", {**TORCH_BETAS, **DECAY}),
    "adamax": ("adamax", EPS, {}, "Adamax", TORCH_EPS),
    "radam": ("radam", BETAS, {}, "RAdam", TORCH_BETAS),
    "radam, defaults": ("radam", {}, DECAY, "RAdam", DECAY),
    # With a huge momentum_decay, PyTorch's b1 does not grow.
    "nadam": ("nadam", EPS, {}, "NAdam", {**TORCH_EPS, "momentum_decay": 1e6}),
}


def trajectory_of(name, keywords, settings, rate=0.1, gradients=GRADIENTS, start=START):
    """The parameters [updates, 3] after each update. The leaf is a kernel, so it decays."""
    optimizer = make_optimizer(name, keywords, rate, **settings)

    def update(carry, gradient):
        params, state = carry
        updates, state = optimizer.update({"kernel": gradient}, state, params)
        params = optax.apply_updates(params, updates)
        return (params, state), params["kernel"]

    params, gradients = {"kernel": jnp.asarray(start, jnp.float32)}, jnp.asarray(gradients, jnp.float32)
    return np.asarray(jax.jit(lambda: jax.lax.scan(update, (params, optimizer.init(params)), gradients)[1])())


def torch_trajectory(torch, case):
    """The parameters after each update of `torch.optim`, in float64. GOLDEN: by torch 2.13.0 on a CPU."""
    name, settings = CASES[case][3:]
    theta = torch.tensor(START, requires_grad=True)
    optimizer = getattr(torch.optim, name)([theta], lr=0.1, **settings)
    values = []
    for t, gradient in enumerate(GRADIENTS):
        theta.grad = torch.tensor(gradient)
        if case.endswith("linear"):
            optimizer.param_groups[0]["lr"] = 0.1 * (1 - t / 20)
        if case.endswith("clipped"):
            torch.nn.utils.clip_grad_norm_([theta], 0.5)
        optimizer.step()
        values.append(theta.detach().numpy().copy())
    return np.array(values)


@pytest.mark.parametrize("case", CASES)
def test_trajectories_equal_those_stored_from_torch(case):
    name, keywords, settings = CASES[case][:3]
    actual = trajectory_of(name, keywords, settings, LINEAR if case.endswith("linear") else 0.1)
    # In float32, rho_t of radam with its defaults has two correct digits, see its docstring.
    rtol = 5e-4 if case == "radam, defaults" else 5e-5
    np.testing.assert_allclose(actual[SEEN], GOLDEN[case], rtol=rtol, atol=1e-5)


def test_stored_trajectories_equal_those_of_the_installed_torch():
    torch = pytest.importorskip("torch", reason="PyTorch is not required; its numbers are stored here")
    for case in CASES:
        np.testing.assert_allclose(torch_trajectory(torch, case)[SEEN], GOLDEN[case], atol=1e-6, err_msg=case)


def test_the_cases_differ():
    """Every rule has a case, and no two cases have the same trajectory, so no rule can pass the test of another."""
    assert {case[0] for case in CASES.values()} == set(RULES) - {"lion"}
    final = np.array([steps[-1] for steps in GOLDEN.values()])
    distance = np.abs(final[:, None] - final).max(axis=-1) + np.eye(len(final))
    assert distance.min() > 1e-3


def test_lion_equals_the_paper():
    """arXiv 2302.06675, algorithm 2, with its decoupled weight decay."""
    m, theta = np.zeros(3), START
    for g, actual in zip(GRADIENTS, trajectory_of("lion", {"b1": 0.6, "b2": 0.8}, {"weight_decay": 0.1}), strict=True):
        theta = theta - 0.1 * (np.sign(0.6 * m + 0.4 * g) + 0.1 * theta)
        m = 0.8 * m + 0.2 * g
        np.testing.assert_allclose(actual, theta, rtol=1e-5)


def test_eps_root_is_inside_the_root_of_adam():
    m, v, theta = np.zeros(3), np.zeros(3), START
    steps = trajectory_of("adam", {**BETAS, "eps": 0.01, "eps_root": 0.3}, {})
    for t, (g, actual) in enumerate(zip(GRADIENTS, steps, strict=True), start=1):
        m, v = 0.5 * m + 0.5 * g, 0.9 * v + 0.1 * g**2
        theta = theta - 0.1 * m / (1 - 0.5**t) / (np.sqrt(v / (1 - 0.9**t) + 0.3) + 0.01)
        np.testing.assert_allclose(actual, theta, rtol=1e-5)


@pytest.mark.parametrize("kind", ["coupled", "decoupled"])
def test_only_kernels_and_embeddings_decay(kind):
    params = {
        "Dense_0": {"kernel": jnp.full((2, 2), 3.0), "bias": jnp.full(2, 3.0)},
        "Norm_0": {"scale": jnp.full(2, 3.0), "Dense_0/kernel/scale": jnp.full(2, 3.0)},
        "Label": {"embedding": jnp.full((2, 2), 3.0)},
        "kernel": {"scale": {"embedding": jnp.full((2, 2), 3.0)}, "bias": {"embedding": jnp.full((2, 2), 3.0)}},
    }
    optimizer = make_optimizer("sgd", {}, 0.5, weight_decay=0.1, decay_kind=kind)
    updates, _ = optimizer.update(jax.tree.map(jnp.ones_like, params), optimizer.init(params), params)
    expected = jax.tree.map(lambda leaf: jnp.full_like(leaf, -0.5), params)
    expected["Dense_0"]["kernel"] = expected["Label"]["embedding"] = jnp.full((2, 2), -0.5 * (1 + 0.1 * 3))
    jax.tree.map(lambda u, e: np.testing.assert_allclose(u, e, rtol=1e-6), updates, expected)
    assert not decays(jnp.ones(2))  # a leaf without a name


def test_gradients_are_clipped_by_their_global_norm():
    params = {"a": jnp.zeros(1), "b": jnp.zeros(1)}
    optimizer = make_optimizer("sgd", {}, 1.0, clip_norm=1.0)
    for size, expected in ((1.0, 1.0), (0.1, 0.5)):  # the norm is 5 * size
        gradients = {"a": jnp.array([3.0 * size]), "b": jnp.array([4.0 * size])}
        updates, _ = optimizer.update(gradients, optimizer.init(params), params)
        np.testing.assert_allclose([updates["a"][0], updates["b"][0]], [-0.6 * expected, -0.8 * expected], rtol=1e-6)


@pytest.mark.parametrize("name", RULES)
def test_weights_are_clipped(name):
    """arXiv 1701.07875: the update, then the clip; also for gains, and for values outside the bound at the start."""
    clipped = trajectory_of(name, {}, {"clip_weights": 0.01})
    assert np.abs(clipped).max() <= 0.01 * (1 + 1e-5)
    unclipped = trajectory_of(name, {}, {})
    np.testing.assert_allclose(clipped[0], np.clip(unclipped[0], -0.01, 0.01), atol=1e-6)
    params = {"scale": jnp.array([1.0, -5.0, 0.001])}
    optimizer = make_optimizer(name, {}, 0.0, clip_weights=0.01)
    updates, _ = optimizer.update({"scale": jnp.ones(3)}, optimizer.init(params), params)
    np.testing.assert_allclose(params["scale"] + updates["scale"], [0.01, -0.01, 0.001], atol=1e-6)


def test_a_custom_rule():
    """make_optimizer also takes a Rule that is not in the table."""
    rule = Rule(lambda power=1.0: optax.stateless(lambda g, _: jax.tree.map(lambda x: x**power, g)), "decoupled")
    np.testing.assert_allclose(
        trajectory_of(rule, {"power": 0.5}, {"weight_decay": 0.1}, gradients=4 * np.ones((1, 3)))[0],
        START - 0.1 * (2 + 0.1 * START),
        rtol=1e-6,
    )


@pytest.mark.parametrize("warmup", [0, 10])
@pytest.mark.parametrize(
    ("name", "shares"),
    [
        ("constant", [1, 1, 1, 1, 1]),
        ("linear", [1, 0.79, 0.58, 0.37, 0.16]),
        ("cosine", [1, 0.58 + 0.42 * 0.5**0.5, 0.58, 0.58 - 0.42 * 0.5**0.5, 0.16]),
        ("step", [1, 1, 0.4, 0.16, 0.16]),
        ("exponential", [1, 0.16**0.25, 0.4, 0.16**0.75, 0.16]),
    ],
)
def test_schedules(name, shares, warmup):
    """Fractions of the rate at each quarter of 80 updates, after a linear warm-up; then the last value."""
    rate = make_schedule(name, 0.3, 80 + warmup, final_fraction=0.16, warmup_updates=warmup, num_drops=2)
    updates = warmup + 20 * np.arange(5)
    np.testing.assert_allclose([float(rate(int(t))) for t in updates], 0.3 * np.array(shares), rtol=1e-5)
    np.testing.assert_allclose(jax.jit(jax.vmap(rate))(jnp.asarray(updates)), 0.3 * np.array(shares), rtol=1e-5)
    np.testing.assert_allclose([rate(t) for t in range(warmup)], 0.03 * np.arange(warmup), rtol=1e-5)
    assert float(rate(1000)) == float(rate(80 + warmup))


@pytest.mark.parametrize(("num_updates", "num_drops"), [(100, 1), (100, 3), (1_000_000, 2), (7, 3)])
def test_drops_are_at_the_right_updates(num_updates, num_drops):
    rate = make_schedule("step", 1.0, num_updates, final_fraction=0.125, num_drops=num_drops)
    for k in range(1, num_drops + 1):
        drop = -(-k * num_updates // (num_drops + 1))  # the first update at or after k / (n + 1) of the run
        before, after = float(rate(drop - 1)), float(rate(drop))
        assert (before, after) == pytest.approx((0.125 ** ((k - 1) / num_drops), 0.125 ** (k / num_drops)))


def test_a_schedule_may_begin_late():
    """1 until half of the run, then 1 - (t - 50) / 50. The code of arXiv 1606.03498 does so from two thirds on."""
    rate = make_schedule("linear", 2.0, 100, hold_fraction=0.5)
    expected = [2.0] * 50 + [2.0 * (1 - t / 50) for t in range(51)]
    np.testing.assert_allclose([float(rate(update)) for update in range(101)], expected, rtol=1e-6)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_run_of_warm_up_only(name):
    rate = make_schedule(name, 1.0, 10, final_fraction=0.5, warmup_updates=10)
    np.testing.assert_allclose([rate(t) for t in range(11)], np.arange(11) / 10, rtol=1e-6)


def test_the_rate_counts_updates_inside_an_optimizer():
    rate = make_schedule("linear", 1.0, 20, warmup_updates=4)
    trajectory = trajectory_of("sgd", {}, {}, rate, gradients=-np.ones((20, 3)), start=np.zeros(3))
    np.testing.assert_allclose(np.diff(trajectory[:, 0], prepend=0), [rate(t) for t in range(20)], atol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: make_optimizer("adan", {}, 0.1), "optimizer.name='adan' is unknown; did you mean adam"),
        (lambda: make_optimizer("sgd", {"b1": 0.5}, 0.1), "optimizer.b1=0.5 does nothing for sgd, which has no knobs"),
        (
            lambda: make_optimizer("adamw", {"decay": 0.9}, 0.1),
            "for adamw, which takes b1, b2, eps, eps_root; leave it unset",
        ),
        (lambda: make_optimizer("rmsprop", {"b1": 0.9}, 0.1), "which takes decay, eps, momentum; leave it unset"),
        (lambda: make_optimizer("adam", {"b1": 1.0}, 0.1), "optimizer.b1=1.0: must be at least 0 and less than 1"),
        (lambda: make_optimizer("adam", {"b2": NAN}, 0.1), "optimizer.b2=nan: must be at least 0 and less than 1"),
        (lambda: make_optimizer("momentum", {"momentum": -0.1}, 0.1), "optimizer.momentum=-0.1: must be at least 0"),
        (lambda: make_optimizer("adam", {"eps": 0.0}, 0.1), "optimizer.eps=0.0: must be a number above 0"),
        (
            lambda: make_optimizer("adam", {"eps_root": -1.0}, 0.1),
            "optimizer.eps_root=-1.0: must be a number from 0 on",
        ),
        (lambda: make_optimizer("adam", {}, 0.1, weight_decay=-0.1), "optimizer.weight_decay=-0.1: must be a number"),
        (lambda: make_optimizer("adam", {}, 0.1, clip_norm=NAN), "optimizer.clip_norm=nan: must be a number above 0"),
        (lambda: make_optimizer("adam", {}, 0.1, clip_weights=-1.0, knob="g"), "g.clip_weights=-1.0: must be a number"),
        (lambda: make_optimizer("adam", {}, 0.1, decay_kind="couple"), "optimizer.decay_kind='couple' is unknown; did"),
        (lambda: make_schedule("cosin", 0.1, 9), "optimizer.schedule='cosin' is unknown; did you mean cosine?"),
        (lambda: make_schedule("linear", 0.1, 9, warmup_updates=10), "warmup_updates=10: must be between 0 and the 9"),
        (lambda: make_schedule("linear", 0.1, 9, warmup_updates=-1), "warmup_updates=-1: must be between 0 and the 9"),
        (lambda: make_schedule("linear", 0.1, 9, final_fraction=1.5), "final_fraction=1.5: must be between 0 and 1"),
        (lambda: make_schedule("linear", 0.1, 9, hold_fraction=1.0), "hold_fraction=1.0: must be at least 0 and less"),
        (lambda: make_schedule("step", 0.1, 9), "optimizer.final_fraction=0: schedule step never gets to 0"),
        (lambda: make_schedule("exponential", 0.1, 9, knob="g"), "g.final_fraction=0: schedule exponential never"),
        (lambda: make_schedule("step", 0.1, 9, final_fraction=0.1, num_drops=0), "num_drops=0: schedule step needs"),
        (lambda: make_schedule("constant", NAN, 9), "optimizer.learning_rate=nan: must be a number that is at least 0"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(UserError) as refusal:
        make()
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


# Parameters after updates 6 and 20 of `torch_trajectory`, by torch 2.13.0.
GOLDEN = {
    "sgd": [[0.3539655, -2.3876156, 0.3408780], [0.4485310, -2.3917431, 0.9832084]],
    "sgd, L2": [[0.3173213, -2.2612970, 0.3155953], [0.3819492, -1.9638059, 0.8695423]],
    "momentum": [[-0.9551133, -2.9372029, 0.0836858], [-2.0744998, -4.1465516, 2.1534403]],
    "nesterov": [[-1.7702171, -3.3882276, -0.0918607], [-4.7515771, -5.6463701, 2.9272137]],
    "rmsprop": [[0.3693354, -2.6199450, 0.2568070], [0.3925300, -2.5904724, 0.8504537]],
    "rmsprop, L2": [[-1.5913089, -3.9892442, -0.5387023], [-1.9963804, -3.1756133, 1.3211709]],
    "rmsprop, linear": [[-1.3155343, -4.1494282, -0.3790572], [-2.5556818, -5.1304160, 0.2158190]],
    "adam": [[0.5447233, -2.3868346, 0.3117928], [0.5653426, -2.4933190, 0.8455510]],
    "adam, b1 = 0": [[0.6266243, -2.4038835, 0.3441865], [0.6990740, -2.3976616, 0.9161816]],
    "adam, L2": [[0.5349912, -2.3100580, 0.2898994], [0.5182557, -2.1223194, 0.7675857]],
    "adam, clipped": [[0.4597088, -1.7560310, 0.1725796], [0.3319352, -1.1950907, 0.6068108]],
    "adam, decoupled": [[0.4966297, -2.2637778, 0.2853954], [0.4694917, -2.0610357, 0.7531556]],
    "adamw": [[0.4207567, -2.2903392, 0.2795397], [-0.0309802, -2.3077732, 0.5522751]],
    "adamw, linear": [[0.5480693, -2.2388458, 0.3113089], [0.4326880, -2.1957019, 0.4915431]],
    "adamax": [[0.5994427, -2.2944189, 0.3527457], [0.6386635, -2.3688095, 0.7467002]],
    "radam": [[0.2883400, -2.3029891, 0.3248883], [0.3720309, -2.3494147, 0.6402926]],
    "radam, defaults": [[0.1766535, -2.2199159, 0.3149549], [0.1551825, -2.2213136, 0.3335312]],
    "nadam": [[0.5378418, -2.4378140, 0.3079947], [0.5778235, -2.4835835, 0.8573893]],
}


def test_a_decay_that_is_a_schedule_equals_equations_in_numpy():
    """b2 from 0.5 to 0.9 within 20 updates. The bias is corrected with the present b2."""
    path = trajectory_of("adam", {"b1": 0.5, "b2": "linear:0.5:0.9"}, {"num_updates": 20})
    theta, m, v = START.copy(), np.zeros(3), np.zeros(3)
    for t, g in enumerate(GRADIENTS):
        b2 = 0.5 + 0.4 * t / 20
        m, v = 0.5 * m + 0.5 * g, b2 * v + (1 - b2) * g**2
        theta -= 0.1 * (m / (1 - 0.5 ** (t + 1))) / (np.sqrt(v / (1 - b2 ** (t + 1))) + 1e-8)
        np.testing.assert_allclose(path[t], theta, rtol=2e-5, atol=1e-5)
