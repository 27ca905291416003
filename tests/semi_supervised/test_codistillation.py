"""Codistillation: teacher probabilities by hand; sequential, vmapped and resumed runs; refusals."""

import jax
import numpy as np
import pytest
import scipy

from gan_jax import build
from gan_jax.data.batches import BatchIndices, batch_plan, gather
from gan_jax.data.dataset import to_float
from gan_jax.runs import initial_state
from gan_jax.semi_supervised.codistillation import Teachers, peers_of
from gan_jax.semi_supervised.labels import training_batches
from gan_jax.system import config as configs
from gan_jax.system.errors import UserError
from gan_jax.training import programs, session
from gan_jax.training.calls import Call
from tests.tiny import arrays, numbered_images, rows, train_killed_between_saves

# Imports of TensorFlow give warnings about other packages.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def two_networks(config):
    """Two networks, with all labels."""
    changes = {"d_loss.codistillation": 0.5, "d_loss.classification": 1.0, "discriminator.head": "class", "seed": 3}
    changes |= {"discriminator.conditioning": "none", "discriminator.ema_decay": 0.9, "num_seeds": 2}
    configs.override(config, changes)
    return config


def indices_of(config, seed, data, first_step):
    return BatchIndices(batch_plan(config), seed, data)(first_step, 2)


def initial_states(config, num_seeds):
    """(GAN, data of each seed, initial state of each seed) of seeds 0 to num_seeds - 1."""
    data, seeds = numbered_images(30), range(num_seeds)
    gan = build.build(config, data.image_shape, data.num_classes, 20)
    examples = initial_state.blank_examples(config.init_batch_size, data.image_shape)
    return gan, training_batches(config, data, seeds), [initial_state.init_state(gan, seed, examples) for seed in seeds]


def probabilities(gan, state, images):
    """The class probabilities of D, with its own parameters instead of their EMA."""
    without_ema = state._replace(discriminator=state.discriminator._replace(ema={}))
    logits = gan.discriminate(without_ema, to_float(images), np.zeros(len(images), np.int32)).class_logits
    return scipy.special.softmax(np.asarray(logits, np.float64), axis=1)


def teachers_of(config, gan, seeds):
    return Teachers(gan, peers_of(config.data, seeds), config.ramp_up.start)


@pytest.mark.thorough
@pytest.mark.parametrize("trained_seeds", [[0, 1, 2, 3], [0, 1, 3], [1, 3]])
def test_teacher_probs_are_the_mean_of_the_peers_that_still_train(two_networks, trained_seeds):
    """Four networks with two label subsets: 0 and 2 teach each other, and 1 and 3."""
    configs.override(two_networks, {"data.num_labels": 6, "data.num_label_subsets": 2})
    gan, data, states = initial_states(two_networks, 4)
    # A network that has diverged gives NaN.
    states = [
        state if i in trained_seeds else jax.tree.map(lambda leaf: leaf * np.nan, state)
        for i, state in enumerate(states)
    ]
    calls = [(i, data[i], indices_of(two_networks, i, data[i], 0)) for i in trained_seeds]
    calls_with_probs = teachers_of(two_networks, gan, range(4)).sequential()(2, states, calls, trained_seeds)
    for (i, batch, indices), (_, _, indices_with_probs) in zip(calls, calls_with_probs, strict=True):
        images = batch.images[indices.images[1, 0]]
        peers = [j for j in (i, (i + 2) % 4) if j in trained_seeds]
        expected = np.mean([probabilities(gan, states[j], images) for j in peers], axis=0)
        np.testing.assert_allclose(indices_with_probs.extras["teacher_probs"][1, 0], expected, rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(indices_with_probs.images, indices.images)
        step_batch = gather(batch, indices_with_probs, 1)
        np.testing.assert_array_equal(step_batch.extras["teacher_probs"], indices_with_probs.extras["teacher_probs"][1])


def test_teacher_probs_are_0_before_the_ramp_up(two_networks):
    configs.override(two_networks, {"ramp_up.start": 2, "steps_per_call": 2})
    gan, data, states = initial_states(two_networks, 2)
    add_probs = teachers_of(two_networks, gan, range(2)).sequential()
    for end, sums in ((2, 0.0), (3, 1.0)):
        calls = [(i, data[i], indices_of(two_networks, i, data[i], end - 2)) for i in (0, 1)]
        for _, _, indices in add_probs(end, states, calls, [0, 1]):
            np.testing.assert_allclose(indices.extras["teacher_probs"].sum(axis=-1), sums, rtol=1e-5)


@pytest.mark.slow
def test_vmapped_equals_sequential_seeds_to_rounding(two_networks):
    changes = {"g_optimizer.name": "momentum", "d_optimizer.name": "momentum", "steps_per_call": 3, "ramp_up.start": 3}
    configs.override(two_networks, changes)
    final_states = []
    for program_class in (programs.SequentialSeeds, programs.VmappedSeeds):
        gan, data, states = initial_states(two_networks, 3)
        teachers = teachers_of(two_networks, gan, range(3))
        program = program_class(gan, batch_plan(two_networks), range(3), data, states, teaching=teachers)
        for step in (0, 3):
            program.read(program.advance(Call(step, 3), [0, 1, 2]))
        program.read(program.advance(Call(6, 2), [0, 2]))
        final_states.append([program.state(i) for i in (0, 2)])
    for actual, expected in zip(*map(jax.tree.leaves, final_states), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.thorough
def test_codistillation_brings_networks_closer(two_networks, tmp_path):
    configs.override(two_networks, {"num_steps": 30, "log_every_steps": 10, "d_optimizer.learning_rate": 1e-2})
    differences = []
    for weight in (5.0, 1e-9):
        configs.override(two_networks, {"d_loss.codistillation": weight})
        path = tmp_path / str(weight)
        session.train(two_networks, str(path))
        differences.append([row["d_codistillation"] for row in rows(path / "seed-3")])
    assert differences[0][-1] < 0.5 * differences[1][-1]


@pytest.mark.thorough
def test_a_resumed_run_has_the_teachers_of_the_uninterrupted_one(two_networks, tmp_path, monkeypatch):
    session.train(two_networks, str(tmp_path / "uninterrupted"))
    train_killed_between_saves(two_networks, tmp_path / "resumed", monkeypatch)
    for seed in ("seed-3", "seed-4"):
        uninterrupted, resumed = tmp_path / "uninterrupted" / seed, tmp_path / "resumed" / seed
        assert rows(uninterrupted) == rows(resumed)
        assert all(np.array_equal(x, y) for x, y in zip(arrays(uninterrupted)[1], arrays(resumed)[1], strict=True))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_seeds": 1}, "this run's 1 has no peer; set --config.num_seeds=2"),
        (
            {"data.num_labels": 6, "data.num_label_subsets": 10, "num_seeds": 15},
            "this run's 15 has no peer; set --config.data.num_label_subsets=10 and --config.num_seeds=20",
        ),
        ({"data.num_labels": 6}, "set --config.data.num_label_subsets=1 and --config.num_seeds=2"),
        ({"mesh": "data:-1"}, "does not go with mesh; leave out --config.mesh"),
        ({"guard.debug": True}, "does not go with guard.debug; leave out --config.guard.debug"),
    ],
)
def test_impossible_codistillation_is_refused_in_one_line(two_networks, tmp_path, changes, message):
    configs.override(two_networks, changes)
    with pytest.raises(UserError, match=message) as error:
        session.train(two_networks, str(tmp_path / "run"))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()
