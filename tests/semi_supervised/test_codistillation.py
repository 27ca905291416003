"""Networks that teach each other: what each is taught, by hand; in turn, together and resumed; what is refused."""

import jax
import numpy as np
import pytest
import scipy

from gan_jax import build
from gan_jax.data.batches import Order, gather
from gan_jax.data.dataset import to_float
from gan_jax.runs import initial_state
from gan_jax.semi_supervised import codistillation
from gan_jax.semi_supervised.labels import training_data
from gan_jax.system import config as configs
from gan_jax.system.errors import UserError
from gan_jax.training import programs, session
from tests.tiny import arrays, numbered_images, rows, train_killed_between_saves

# TensorFlow's own imports warn about things that are not ours.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def pair(config):
    """Two networks, with all labels."""
    changes = {"d_loss.codistillation": 0.5, "d_loss.classification": 1.0, "discriminator.head": "class", "seed": 3}
    changes |= {"discriminator.conditioning": "none", "discriminator.average_decay": 0.9, "num_seeds": 2}
    configs.override(config, changes)
    return config


def members(config, number):
    found = [config.copy_and_resolve_references() for _ in range(number)]
    for seed, own in enumerate(found):
        configs.override(own, {"seed": seed, "num_seeds": 1})
    return found


def started(kind, configs_of_seeds):
    data = numbered_images(30)
    gan = build.build(configs_of_seeds[0], data.image_shape, data.num_classes, 20)
    own = [training_data(each, data) for each in configs_of_seeds]
    begun = [initial_state.init_state(gan, each, data.image_shape) for each in configs_of_seeds]
    keys = [initial_state.keys(each.seed)[1] for each in configs_of_seeds]
    return gan, own, begun, kind(gan, configs_of_seeds, own, begun, keys)


def probabilities(gan, state, images):
    """What D says now, without its average and without noise."""
    now = state._replace(discriminator=state.discriminator._replace(average={}))
    logits = gan.judge(now, to_float(images), np.zeros(len(images), np.int32)).class_logits
    return scipy.special.softmax(np.asarray(logits, np.float64), axis=1)


@pytest.mark.parametrize("live", [[0, 1, 2, 3], [0, 1, 3], [1, 3]])
def test_each_is_taught_the_mean_of_those_with_its_labels_that_still_train(pair, live):
    """Four networks of two draws of the labels: 0 and 2 teach each other, 1 and 3 do."""
    configs.override(pair, {"data.num_labels": 6, "data.label_draws": 2})
    own = members(pair, 4)
    gan, data, begun, _ = started(programs.InTurn, own)
    # One that has diverged says NaN.
    begun = [state if i in live else jax.tree.map(lambda leaf: leaf * np.nan, state) for i, state in enumerate(begun)]
    calls = [(i, data[i], Order(own[i], data[i])(0, 2)) for i in live]
    taught = codistillation.Lessons(gan, own).in_turn(2, begun, calls, live)
    for (i, batch, indices), (_, _, lesson) in zip(calls, taught, strict=True):
        read = batch.images[indices.images[1, 0]]
        peers = [j for j in (i, (i + 2) % 4) if j in live]
        expected = np.mean([probabilities(gan, begun[j], read) for j in peers], axis=0)
        np.testing.assert_allclose(lesson.taught[1, 0], expected, rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(lesson.images, indices.images)
        of_step = gather(batch, lesson, 1)
        np.testing.assert_array_equal(of_step.taught, lesson.taught[1])


def test_nothing_is_taught_until_the_term_comes_in(pair):
    configs.override(pair, {"ramp_up_start": 2, "steps_per_call": 2})
    own = members(pair, 2)
    gan, data, begun, _ = started(programs.InTurn, own)
    lessons = codistillation.Lessons(gan, own)
    for end, sums in ((2, 0.0), (3, 1.0)):
        calls = [(i, data[i], Order(own[i], data[i])(end - 2, 2)) for i in (0, 1)]
        for _, _, indices in lessons.in_turn(end, begun, calls, [0, 1]):
            np.testing.assert_allclose(indices.taught.sum(axis=-1), sums, rtol=1e-5)


def test_together_equals_in_turn_to_rounding(pair):
    changes = {"g_optimizer.name": "momentum", "d_optimizer.name": "momentum", "steps_per_call": 3, "ramp_up_start": 3}
    configs.override(pair, changes)
    own, found = members(pair, 3), []
    for kind in (programs.InTurn, programs.Together):
        *_, run = started(kind, own)
        for step in (0, 3):
            run.read(run.advance(step, 3, [0, 1, 2]))
        run.read(run.advance(6, 2, [0, 2]))
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
        ({"num_seeds": 1}, "this run's 1 has none beside it; set --config.num_seeds=2"),
        (
            {"data.num_labels": 6, "data.label_draws": 10, "num_seeds": 15},
            "this run's 15 has none beside it; set --config.data.label_draws=10 and --config.num_seeds=20",
        ),
        ({"data.num_labels": 6}, "set --config.data.label_draws=1 and --config.num_seeds=2"),
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
    codistillation.check(configs.load("configs/cgan.py"), [])
