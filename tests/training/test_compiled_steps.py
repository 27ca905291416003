"""The inputs of each step: the order of images, the known labels, and initial states that depend on data."""

import dataclasses

import jax
import numpy as np
import pytest

from gan_jax import build
from gan_jax.data.batches import BatchIndices, batch_plan, gather
from gan_jax.data.dataset import to_float
from gan_jax.runs import initial_state
from gan_jax.semi_supervised.labels import check_labels, training_batches
from gan_jax.system import config as configs
from gan_jax.system.errors import UserError
from gan_jax.training import session
from gan_jax.training.calls import Call
from gan_jax.training.programs import SequentialSeeds, VmappedSeeds
from tests.tiny import numbered_images, rows

# Imports of TensorFlow give warnings about other packages.
pytestmark = pytest.mark.filterwarnings("ignore")


def training_data(config, dataset, data_dir=""):
    return training_batches(config, dataset, [config.seed], data_dir)[0]


def make_order(config, data):
    return BatchIndices(batch_plan(config), config.seed, data)


@pytest.fixture
def few_labels_config(config):
    configs.override(config, {"data.num_labels": 10})
    return config


def test_few_labels_are_balanced_and_the_others_are_random(few_labels_config):
    data = training_data(few_labels_config, numbered_images())
    labelled = data.labelled
    assert sorted(np.bincount(labelled.labels)) == [3, 3, 4]
    np.testing.assert_array_equal(labelled.images[:, 1, 0, 0], labelled.labels)
    truth = data.images[:, 1, 0, 0]
    assert abs(np.mean(data.labels == truth) - 1 / 3) < 0.03, "the labels of the other images are random"
    assert len(data.images) == 3000, "the labelled images also appear without their labels"


def test_another_seed_has_another_label_subset(few_labels_config):
    first = training_data(few_labels_config, numbered_images()).labelled.images
    repeated = training_data(few_labels_config, numbered_images()).labelled.images
    configs.override(few_labels_config, {"seed": 1})
    other = training_data(few_labels_config, numbered_images()).labelled.images
    np.testing.assert_array_equal(first, repeated)
    assert not np.array_equal(first, other)


def test_seeds_with_the_same_remainder_share_a_label_subset(few_labels_config):
    configs.override(few_labels_config, {"data.num_label_subsets": 4, "seed": 1})
    first = training_data(few_labels_config, numbered_images()).labelled.images
    for seed, same in ((5, True), (2, False)):
        configs.override(few_labels_config, {"seed": seed})
        assert np.array_equal(first, training_data(few_labels_config, numbered_images()).labelled.images) == same
    configs.override(few_labels_config, {"data.num_label_subsets": -1})
    with pytest.raises(UserError, match="data.num_label_subsets=-1"):
        check_labels(few_labels_config, numbered_images())


def test_other_images_have_propagated_labels_if_the_loss_has_that_term(few_labels_config, tmp_path):
    data = numbered_images(600)
    # Three clusters far apart, so a few labels determine all. The label subset follows from the seed.
    data.train.images[:] = 0
    data.train.images[:, 1, 1:3, 0] = 120 * data.train.labels[:, None] + np.random.default_rng(0).integers(
        0, 9, (600, 2)
    )
    without_propagation = training_data(few_labels_config, data)
    configs.override(few_labels_config, {"d_loss.propagated_label": 1.0})
    with_propagation = training_data(few_labels_config, data, str(tmp_path))
    np.testing.assert_array_equal(with_propagation.labels, data.train.labels)
    assert np.mean(without_propagation.labels == data.train.labels) < 0.5
    np.testing.assert_array_equal(with_propagation.labelled.images, without_propagation.labelled.images)


@pytest.mark.parametrize("number", [2, 3001])
def test_impossible_numbers_of_labels_are_refused(few_labels_config, number):
    configs.override(few_labels_config, {"data.num_labels": number})
    with pytest.raises(UserError, match="from 3, one per class, to 3000"):
        check_labels(few_labels_config, numbered_images())


def test_both_orders_are_functions_of_seed_and_step(few_labels_config):
    data = training_data(few_labels_config, numbered_images())
    order = make_order(few_labels_config, data)
    both_steps, (first, second) = order(4, 2), (order(4, 1), order(5, 1))
    for name in ("images", "labelled"):
        both_indices = getattr(both_steps, name)
        assert both_indices.shape == (
            few_labels_config.steps_per_call,
            few_labels_config.d_steps,
            few_labels_config.batch_size,
        )
        np.testing.assert_array_equal(both_indices[0], getattr(first, name)[0])
        np.testing.assert_array_equal(both_indices[1], getattr(second, name)[0])
    assert both_steps.labelled.max() < 10


def test_separate_images_of_g_have_a_separate_order(few_labels_config):
    data = training_data(few_labels_config, numbered_images())
    shared_indices = make_order(few_labels_config, data)(3, 2)
    assert shared_indices.of_g is None
    configs.override(few_labels_config, {"g_batch": "own", "d_steps": 2})
    order = make_order(few_labels_config, data)
    indices = order(3, 2)
    assert indices.of_g.shape == (few_labels_config.steps_per_call, 1, few_labels_config.batch_size)
    np.testing.assert_array_equal(indices.of_g[1], order(4, 1).of_g[0])
    assert not np.isin(indices.of_g[0], indices.images[0]).all()
    gathered = gather(data, indices, 1)
    np.testing.assert_allclose(gathered.of_g.images[0], to_float(data.images[indices.of_g[1, 0]]), atol=1e-6)
    assert gathered.labelled.images.shape[:2] == gathered.images.shape[:2] == (2, few_labels_config.batch_size)


@pytest.mark.thorough
def test_semi_supervised_training_learns_the_classes(few_labels_config, idx_folder, tmp_path):
    changes = {"data.num_labels": 6, "discriminator.head": "class", "d_loss.classification": 1.0, "num_steps": 60}
    changes |= {"discriminator.conditioning": "none", "discriminator.dropout": 0.0, "log_every_steps": 1}
    configs.override(few_labels_config, changes | {"d_optimizer.learning_rate": 1e-2})
    path = tmp_path / "run"
    session.train(few_labels_config, str(path))
    losses = [row["d_classification"] for row in rows(path)]
    assert losses[-1] < 0.3 * losses[0]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("changes", "has_branch"),
    [
        *(({"d_loss.entropy": 1.0, "ramp_up.start": start, "ramp_up.num_steps": 5}, start > 0) for start in (0, 5)),
        *(({"d_loss.r1": 1.0, "penalty_every": every}, every > 1) for every in (1, 4)),
    ],
)
def test_a_term_of_several_seeds_is_computed_at_its_steps_only(few_labels_config, changes, has_branch):
    """Under vmap, the branch stays a cond, because all seeds have the same step; otherwise it would become a select."""
    changes = changes | {"d_loss.classification": 1.0, "discriminator.head": "class"}
    configs.override(few_labels_config, changes | {"discriminator.conditioning": "none"})
    data = numbered_images()
    gan = build.build(few_labels_config, data.image_shape, data.num_classes, 20)
    seed_data = [training_data(few_labels_config, data)] * 2
    states = [
        initial_state.init_state(
            gan, 0, initial_state.blank_examples(few_labels_config.init_batch_size, data.image_shape)
        )
    ] * 2
    program_of_two = VmappedSeeds(gan, batch_plan(few_labels_config), [0, 1], seed_data, states)
    indices = make_order(few_labels_config, seed_data[0])(0, 1)
    indices = jax.tree.map(lambda rows: np.stack([rows] * 2), indices)
    jaxpr = str(
        program_of_two._call.trace(program_of_two._states, program_of_two._data, indices, 1, program_of_two._keys).jaxpr
    )
    assert (" cond[" in jaxpr) == has_branch
    assert program_of_two.state(1).step == 0
    program_of_two.advance(Call(0, 1), [0, 1])
    assert program_of_two.state(1).step == 1


@pytest.mark.thorough
@pytest.mark.parametrize("kind", [SequentialSeeds, VmappedSeeds])
def test_the_step_is_traced_once(config, kind):
    """A trace is a second of Python. The shapes of the metrics and the loop share one."""
    data, traces = numbered_images(), []
    gan = build.build(config, data.image_shape, data.num_classes, 20)
    g_loss = lambda inputs: traces.append("g_loss") or gan.g_loss(inputs)  # noqa: E731
    examples = initial_state.blank_examples(config.init_batch_size, data.image_shape)
    states = [initial_state.init_state(gan, seed, examples) for seed in (0, 1)]
    counting = dataclasses.replace(gan, g_loss=g_loss)
    program = kind(counting, batch_plan(config), [0, 1], [training_data(config, data)] * 2, states)
    program.advance(Call(0, 1), [0, 1])
    assert traces == ["g_loss"]


@pytest.mark.thorough
def test_the_reference_of_virtual_batch_norm_is_a_batch_of_training_images(config, tmp_path):
    """The initial state of D then depends on the data."""
    configs.override(config, {"discriminator.norm": "virtual_batch", "init_batch_size": 5, "num_steps": 2})
    path = tmp_path / "run"
    session.train(config, str(path))
    from gan_jax.runs.load import load_run

    loaded = load_run(str(path))
    reference = loaded.state.discriminator.stats["reference"]["inputs"]
    data = session.load_data(config.data, "").train.images
    training_images = {image.tobytes() for image in data}
    pixels = np.rint((np.asarray(reference) + 1) * 127.5).astype(np.uint8)
    assert len(pixels) == 5
    assert {image.tobytes() for image in pixels} <= training_images
    assert len({image.tobytes() for image in pixels}) > 1
