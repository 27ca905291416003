"""Networks that teach each other: what each is taught, by hand; in turn, together and resumed; what is refused."""

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

# TensorFlow's own imports warn about things that are not ours.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def pair(config):
    """Two networks, with all labels."""
    changes = {"d_loss.codistillation": 0.5, "d_loss.classification": 1.0, "discriminator.head": "class", "seed": 3}
    changes |= {"discriminator.conditioning": "none", "discriminator.ema_decay": 0.9, "num_seeds": 2}
    configs.override(config, changes)
    return config


def indices_of(config, seed, data, first_step):
    return BatchIndices(batch_plan(config), seed, data)(first_step, 2)


def started(config, number):
    """(GAN, data and untrained state of each seed) of seeds 0 to number - 1."""
    data, seeds = numbered_images(30), range(number)
    gan = build.build(config, data.image_shape, data.num_classes, 20)
    examples = initial_state.blank_examples(config.init_batch_size, data.image_shape)
    return gan, training_batches(config, data, seeds), [initial_state.init_state(gan, seed, examples) for seed in seeds]


def probabilities(gan, state, images):
    """What D says now, without its average and without noise."""
    now = state._replace(discriminator=state.discriminator._replace(ema={}))
    logits = gan.discriminate(now, to_float(images), np.zeros(len(images), np.int32)).class_logits
    return scipy.special.softmax(np.asarray(logits, np.float64), axis=1)


def teachers_of(config, gan, seeds):
    return Teachers(gan, peers_of(config.data, seeds), config.ramp_up.start)


@pytest.mark.parametrize("live", [[0, 1, 2, 3], [0, 1, 3], [1, 3]])
def test_each_is_taught_the_mean_of_those_with_its_labels_that_still_train(pair, live):
    """Four networks of two draws of the labels: 0 and 2 teach each other, 1 and 3 do."""
    configs.override(pair, {"data.num_labels": 6, "data.num_label_subsets": 2})
    gan, data, begun = started(pair, 4)
    # One that has diverged says NaN.
    begun = [state if i in live else jax.tree.map(lambda leaf: leaf * np.nan, state) for i, state in enumerate(begun)]
    calls = [(i, data[i], indices_of(pair, i, data[i], 0)) for i in live]
    taught = teachers_of(pair, gan, range(4)).sequential()(2, begun, calls, live)
    for (i, batch, indices), (_, _, lesson) in zip(calls, taught, strict=True):
        read = batch.images[indices.images[1, 0]]
        peers = [j for j in (i, (i + 2) % 4) if j in live]
        expected = np.mean([probabilities(gan, begun[j], read) for j in peers], axis=0)
        np.testing.assert_allclose(lesson.extras["teacher_probs"][1, 0], expected, rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(lesson.images, indices.images)
        of_step = gather(batch, lesson, 1)
        np.testing.assert_array_equal(of_step.extras["teacher_probs"], lesson.extras["teacher_probs"][1])


def test_nothing_is_taught_until_the_term_comes_in(pair):
    configs.override(pair, {"ramp_up.start": 2, "steps_per_call": 2})
    gan, data, begun = started(pair, 2)
    add_probs = teachers_of(pair, gan, range(2)).sequential()
    for end, sums in ((2, 0.0), (3, 1.0)):
        calls = [(i, data[i], indices_of(pair, i, data[i], end - 2)) for i in (0, 1)]
        for _, _, indices in add_probs(end, begun, calls, [0, 1]):
            np.testing.assert_allclose(indices.extras["teacher_probs"].sum(axis=-1), sums, rtol=1e-5)


def test_together_equals_in_turn_to_rounding(pair):
    changes = {"g_optimizer.name": "momentum", "d_optimizer.name": "momentum", "steps_per_call": 3, "ramp_up.start": 3}
    configs.override(pair, changes)
    found = []
    for kind in (programs.SequentialSeeds, programs.VmappedSeeds):
        gan, data, begun = started(pair, 3)
        teachers = teachers_of(pair, gan, range(3))
        run = kind(gan, batch_plan(pair), range(3), data, begun, teaching=teachers)
        for step in (0, 3):
            run.read(run.advance(Call(step, 3), [0, 1, 2]))
        run.read(run.advance(Call(6, 2), [0, 2]))
        found.append([run.state(i) for i in (0, 2)])
    for ours, theirs in zip(*map(jax.tree.leaves, found), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)


def test_it_changes_what_is_learned_and_brings_networks_closer(pair, tmp_path):
    configs.override(pair, {"num_steps": 30, "log_every_steps": 10, "d_optimizer.learning_rate": 1e-2})
    differences = []
    for weight in (5.0, 1e-9):
        configs.override(pair, {"d_loss.codistillation": weight})
        path = tmp_path / str(weight)
        session.train(pair, str(path))
        differences.append([row["d_codistillation"] for row in rows(path / "seed-3")])
    assert differences[0][-1] < 0.5 * differences[1][-1]


def test_a_resumed_run_is_taught_what_the_uninterrupted_one_was(pair, tmp_path, monkeypatch):
    session.train(pair, str(tmp_path / "whole"))
    train_killed_between_saves(pair, tmp_path / "broken", monkeypatch)
    for seed in ("seed-3", "seed-4"):
        whole, broken = tmp_path / "whole" / seed, tmp_path / "broken" / seed
        assert rows(whole) == rows(broken)
        assert all(np.array_equal(x, y) for x, y in zip(arrays(whole)[1], arrays(broken)[1], strict=True))


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
def test_what_cannot_teach_is_refused_in_a_line_and_leaves_nothing(pair, tmp_path, changes, message):
    configs.override(pair, changes)
    with pytest.raises(UserError, match=message) as error:
        session.train(pair, str(tmp_path / "run"))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()
