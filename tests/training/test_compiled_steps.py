"""What each step reads: the order of images, labels that may be seen, and starts that depend on data."""

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
from gan_jax.training.programs import VmappedSeeds
from tests.tiny import numbered_images, rows

# TensorFlow's own imports warn about things that are not ours.
pytestmark = pytest.mark.filterwarnings("ignore")


def training_data(config, dataset, data_dir=""):
    return training_batches(config, dataset, [config.seed], data_dir)[0]


def order_of(config, data):
    return BatchIndices(batch_plan(config), config.seed, data)


@pytest.fixture
def few(config):
    configs.override(config, {"data.num_labels": 10})
    return config


def test_few_labels_are_balanced_and_the_others_say_nothing(few):
    data = training_data(few, numbered_images())
    labelled = data.labelled
    assert sorted(np.bincount(labelled.labels)) == [3, 3, 4]
    np.testing.assert_array_equal(labelled.images[:, 1, 0, 0], labelled.labels)
    truth = data.images[:, 1, 0, 0]
    assert abs(np.mean(data.labels == truth) - 1 / 3) < 0.03, "labels beside the other images are random"
    assert len(data.images) == 3000, "the labelled images also appear without their labels"


def test_another_seed_draws_other_labels(few):
    first = training_data(few, numbered_images()).labelled.images
    again = training_data(few, numbered_images()).labelled.images
    configs.override(few, {"seed": 1})
    other = training_data(few, numbered_images()).labelled.images
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_seeds_so_far_apart_share_a_draw_of_labels(few):
    configs.override(few, {"data.num_label_subsets": 4, "seed": 1})
    first = training_data(few, numbered_images()).labelled.images
    for seed, same in ((5, True), (2, False)):
        configs.override(few, {"seed": seed})
        assert np.array_equal(first, training_data(few, numbered_images()).labelled.images) == same
    configs.override(few, {"data.num_label_subsets": -1})
    with pytest.raises(UserError, match="data.num_label_subsets=-1"):
        check_labels(few, numbered_images())


def test_the_others_have_propagated_labels_where_the_loss_asks_for_them(few, tmp_path):
    data = numbered_images(600)
    # Three heaps far apart: a few labels say what all of them are. The order of the labels is that of the seed.
    data.train.images[:] = 0
    data.train.images[:, 1, 1:3, 0] = 120 * data.train.labels[:, None] + np.random.default_rng(0).integers(
        0, 9, (600, 2)
    )
    plain = training_data(few, data)
    configs.override(few, {"d_loss.propagated_label": 1.0})
    spread = training_data(few, data, str(tmp_path))
    np.testing.assert_array_equal(spread.labels, data.train.labels)
    assert np.mean(plain.labels == data.train.labels) < 0.5
    np.testing.assert_array_equal(spread.labelled.images, plain.labelled.images)


@pytest.mark.parametrize("number", [2, 3001])
def test_impossible_numbers_of_labels_are_refused(few, number):
    configs.override(few, {"data.num_labels": number})
    with pytest.raises(UserError, match="from 3, one per class, to 3000"):
        check_labels(few, numbered_images())


def test_both_orders_are_functions_of_seed_and_step(few):
    data = training_data(few, numbered_images())
    order = order_of(few, data)
    together, (first, second) = order(4, 2), (order(4, 1), order(5, 1))
    for name in ("images", "labelled"):
        whole = getattr(together, name)
        assert whole.shape == (few.steps_per_call, few.d_steps, few.batch_size)
        np.testing.assert_array_equal(whole[0], getattr(first, name)[0])
        np.testing.assert_array_equal(whole[1], getattr(second, name)[0])
    assert together.labelled.max() < 10


def test_gs_own_images_come_in_an_order_of_their_own(few):
    data = training_data(few, numbered_images())
    without = order_of(few, data)(3, 2)
    assert without.of_g is None
    configs.override(few, {"g_batch": "own", "d_steps": 2})
    order = order_of(few, data)
    indices = order(3, 2)
    assert indices.of_g.shape == (few.steps_per_call, 1, few.batch_size)
    np.testing.assert_array_equal(indices.of_g[1], order(4, 1).of_g[0])
    assert not np.isin(indices.of_g[0], indices.images[0]).all()
    read = gather(data, indices, 1)
    np.testing.assert_allclose(read.of_g.images[0], to_float(data.images[indices.of_g[1, 0]]), atol=1e-6)
    assert read.labelled.images.shape[:2] == read.images.shape[:2] == (2, few.batch_size)


def test_semi_supervised_training_learns_the_classes_and_resumes(few, idx_folder, tmp_path):
    changes = {"data.num_labels": 6, "discriminator.head": "class", "d_loss.classification": 1.0, "num_steps": 60}
    changes |= {"discriminator.conditioning": "none", "discriminator.dropout": 0.0, "log_every_steps": 1}
    configs.override(few, changes | {"d_optimizer.learning_rate": 1e-2})
    path = tmp_path / "run"
    session.train(few, str(path))
    losses = [row["d_classification"] for row in rows(path)]
    assert losses[-1] < 0.3 * losses[0]


@pytest.mark.parametrize("start", [0, 5])
def test_a_late_term_of_many_seeds_is_not_computed_before_it_comes_in(few, start):
    """A branch stays a branch under vmap; one over steps that could differ would be both of them, and a choice."""
    changes = {"d_loss.entropy": 1.0, "d_loss.classification": 1.0, "ramp_up.start": start, "ramp_up.num_steps": 5}
    configs.override(few, changes | {"discriminator.head": "class", "discriminator.conditioning": "none"})
    data = numbered_images()
    gan = build.build(few, data.image_shape, data.num_classes, 20)
    own = [training_data(few, data)] * 2
    started = [
        initial_state.init_state(gan, 0, initial_state.blank_examples(few.init_batch_size, data.image_shape))
    ] * 2
    both = VmappedSeeds(gan, batch_plan(few), [0, 1], own, started)
    indices = order_of(few, own[0])(0, 1)
    indices = jax.tree.map(lambda rows: np.stack([rows] * 2), indices)
    program = str(both._call.trace(both._states, both._data, indices, 1, both._keys).jaxpr)
    assert (" cond[" in program) == bool(start)
    assert both.state(1).step == 0
    both.advance(Call(0, 1), [0, 1])
    assert both.state(1).step == 1


def test_a_start_depends_on_real_images_where_a_part_says_so(config, tmp_path):
    """The reference of virtual batch norm in D is a batch of training images."""
    configs.override(config, {"discriminator.norm": "virtual_batch", "init_batch_size": 5, "num_steps": 2})
    path = tmp_path / "run"
    session.train(config, str(path))
    from gan_jax.runs.load import load_run

    trained = load_run(str(path))
    reference = trained.state.discriminator.stats["reference"]["inputs"]
    data = session.load_data(config, "").train.images
    known = {image.tobytes() for image in data}
    pixels = np.rint((np.asarray(reference) + 1) * 127.5).astype(np.uint8)
    assert len(pixels) == 5
    assert {image.tobytes() for image in pixels} <= known
    assert len({image.tobytes() for image in pixels}) > 1
