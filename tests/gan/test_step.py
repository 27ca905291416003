"""A training step: which arrays it changes, which not, and its random draws."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import build
from gan_jax.gan.step import Gan
from gan_jax.gan.types import Batch
from gan_jax.runs import initial_state
from tests.gan.tiny_gan import CLASSES, SHAPE, SIZE, batches, equal, make


def test_state_keeps_structure_shapes_and_types():
    gan, state = make(discriminator__norm="batch", discriminator__ema_decay=0.9)
    after, metrics = jax.jit(gan.step)(state, batches(), jax.random.key(0))
    describe = lambda tree: jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), tree)  # noqa: E731
    assert describe(after) == describe(state)
    assert int(after.step) == 1
    assert {"d_loss", "g_loss", "d_real", "d_fake", "d_grad_norm", "g_grad_norm"} <= set(metrics)
    assert all(value.shape == () and np.isfinite(value) for value in metrics.values())


def test_second_call_does_not_compile_again():
    gan, state = make()
    step = jax.jit(gan.step)
    state, _ = step(state, batches(), jax.random.key(0))
    step(state, batches(seed=1), jax.random.key(1))
    assert step._cache_size() == 1


@pytest.mark.thorough
def test_each_player_changes_only_its_own_parameters():
    """If the loss weight of one player is 0, its parameters stay bit-identical, and those of the other change."""
    for frozen_player, trained_player in (("generator", "discriminator"), ("discriminator", "generator")):
        gan, state = make(**{f"{frozen_player[0]}_loss__adversarial": 0.0})
        after, _ = jax.jit(gan.step)(state, batches(), jax.random.key(0))
        assert equal(getattr(after, frozen_player).params, getattr(state, frozen_player).params)
        assert not equal(getattr(after, trained_player).params, getattr(state, trained_player).params)


def test_discriminator_statistics_advance_once_per_update_on_real_images():
    """Running mean after one update = 0.1 * mean of D's first layer on the REAL batch (decay 0.9, start 0)."""
    gan, state = make(discriminator__norm="batch", discriminator__norm_layers="first")
    batch = batches()
    after, _ = jax.jit(gan.step)(state, batch, jax.random.key(0))
    dense = state.discriminator.params["Dense_0"]
    hidden = batch.images[0].reshape(SIZE, -1) @ dense["kernel"] + dense["bias"][None]
    (mean,) = [leaf for path, leaf in jax.tree.leaves_with_path(after.discriminator.stats) if "mean" in str(path[-1])]
    np.testing.assert_allclose(mean, 0.1 * hidden.mean(axis=0), rtol=1e-4, atol=1e-6)


def test_several_discriminator_updates_use_a_batch_each():
    """d_steps=2 equals neither one update on the first batch nor on the second, and both batches matter."""
    gan, state = make(d_steps=2)
    step, key = jax.jit(gan.step), jax.random.key(0)
    two_batches = batches(2)
    swapped = jax.tree.map(lambda leaf: leaf.at[0].set(leaf[1]), two_batches)
    results = [step(state, b, key)[0].discriminator.params for b in (two_batches, swapped)]
    assert not equal(*results)
    opt_state = step(state, two_batches, key)[0].discriminator.opt_state
    assert any(np.array_equal(leaf, 2) for leaf in jax.tree.leaves(opt_state)), "Adam counts two updates"


def test_g_uses_its_own_real_images_if_the_batch_has_them():
    """Batch.of_g changes only G's update. With the images of D's batch, the step equals that without of_g."""
    gan, state = make(g_loss__feature_matching=1.0, g_loss__adversarial=0.0, g_batch="own")
    step, key, g_batch = jax.jit(gan.step), jax.random.key(0), batches(seed=1)
    shared, _ = step(state, batches(), key)
    separate, _ = step(state, batches()._replace(of_g=g_batch), key)
    assert equal(separate.discriminator, shared.discriminator)
    assert not equal(separate.generator.params, shared.generator.params)
    with_the_same_images, _ = step(state, batches()._replace(of_g=batches()), key)
    assert equal(with_the_same_images, shared)


def test_draws_depend_on_the_key_and_the_step_alone():
    gan, state = make(discriminator__dropout=0.5)
    step = jax.jit(gan.step)
    first, second = (step(state, batches(), jax.random.key(0))[0] for _ in range(2))
    assert equal(first, second)
    assert not equal(first, step(state, batches(), jax.random.key(1))[0])
    later = step(state._replace(step=state.step + 1), batches(), jax.random.key(0))[0]
    assert not equal(first.discriminator.params, later.discriminator.params)


def test_ema_of_parameters_and_statistics_is_used_by_sample():
    gan, state = make()
    after, _ = jax.jit(gan.step)(state, batches(), jax.random.key(0))
    decay = 0.1  # min(0.9, (1 + 0) / (10 + 0))
    for before, value, ema in (
        (state.generator.params, after.generator.params, after.generator.ema["params"]),
        (state.generator.stats, after.generator.stats, after.generator.ema["stats"]),
    ):
        expected = jax.tree.map(lambda a, b: decay * a + (1 - decay) * b, before, value)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), ema, expected)
    labels = jnp.arange(CLASSES)
    sample = jax.jit(gan.sample)
    sampled = sample(after, jax.random.key(2), labels)
    with_ema_values = after._replace(generator=after.generator._replace(**after.generator.ema, ema={}))
    np.testing.assert_array_equal(sampled, sample(with_ema_values, jax.random.key(2), labels))
    without_ema = after._replace(generator=after.generator._replace(ema={}))
    assert not np.array_equal(sampled, sample(without_ema, jax.random.key(2), labels))
    assert sampled.shape == (CLASSES, *SHAPE)
    assert np.abs(sampled).max() <= 1


def test_labels_condition_the_generator():
    gan, state = make()
    sample = jax.jit(gan.sample)
    zeros, ones = (sample(state, jax.random.key(0), jnp.full((2,), label)) for label in (0, 1))
    assert not np.array_equal(zeros, ones)


@pytest.mark.slow  # the fast tests in test_seeds.py compare runs
def test_vmap_over_seeds_equals_single_runs():
    gan, _ = make()
    keys, batch = jax.random.split(jax.random.key(0), 2), batches()
    first = jax.tree.map(lambda leaf: leaf[0], batch)
    init, step = jax.jit(gan.init), jax.jit(gan.step)
    states = jax.jit(jax.vmap(gan.init, (0, None)))(keys, first)
    vmapped, _ = jax.jit(jax.vmap(gan.step, (0, None, 0)))(states, batch, keys)
    for index in range(2):
        single, _ = step(init(keys[index], first), batch, keys[index])
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a[index], b, rtol=1e-3, atol=1e-5), vmapped, single)


def test_param_mean_is_the_mean_of_all_parameters_so_far():
    gan, state = make(d_loss__historical_averaging=0.1, g_loss__historical_averaging=0.1, d_steps=2)
    step, all_params = jax.jit(gan.step), [state.generator.params]
    for seed in range(3):
        state, metrics = step(state, batches(2, seed), jax.random.key(seed))
        all_params.append(state.generator.params)
    mean = jax.tree.map(lambda *leaves: np.mean(leaves, axis=0), *all_params)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), state.generator.param_mean["mean"], mean
    )
    assert int(state.generator.param_mean["count"]) == 4
    assert int(state.discriminator.param_mean["count"]) == 7, "two updates a step"
    assert metrics["g_historical_averaging"] > 0


def test_the_ema_target_is_the_output_of_gan_discriminate():
    """If D has no noise, the term is the squared difference between the class probabilities of D and of its EMA."""
    gan, state = make(
        discriminator__head="class",
        discriminator__ema_decay=0.9,
        d_loss__noise_consistency=1.0,
        terms__noise_consistency__target="ema",
    )
    shifted_ema = jax.tree.map(lambda leaf: leaf + 0.3, state.discriminator.ema)
    state = state._replace(discriminator=state.discriminator._replace(ema=shifted_ema))
    batch = batches()
    images, labels = batch.images[0], batch.labels[0]
    without_ema, discriminate = (
        state._replace(discriminator=state.discriminator._replace(ema={})),
        jax.jit(gan.discriminate),
    )
    p, q = (jax.nn.softmax(discriminate(s, images, labels).class_logits) for s in (without_ema, state))
    expected = float(jnp.mean((p - q) ** 2))
    _, metrics = jax.jit(gan.step)(state, batch, jax.random.key(0))
    assert expected > 1e-4
    assert metrics["d_noise_consistency"] == pytest.approx(expected, rel=1e-5)


def test_gan_discriminate_uses_the_ema_and_running_statistics():
    gan, state = make(discriminator__norm="batch", discriminator__ema_decay=0.9, discriminator__dropout=0.5)
    state, _ = jax.jit(gan.step)(state, batches(), jax.random.key(0))
    images, labels = batches().images[0], batches().labels[0]
    discriminate = jax.jit(gan.discriminate)
    logits = discriminate(state, images, labels).logits
    single_logits = discriminate(state, images[:1], labels[:1]).logits
    np.testing.assert_allclose(logits[:1], single_logits, rtol=1e-4, atol=1e-6)
    without_ema = state._replace(discriminator=state.discriminator._replace(ema={}))
    assert not np.allclose(logits, discriminate(without_ema, images, labels).logits, rtol=1e-5)


@pytest.mark.thorough
@pytest.mark.parametrize(("kind", "names"), [("real", "flip,shift"), ("differentiable", "translation")])
def test_augmentation_is_drawn_anew_in_every_step(kind, names):
    """D gets other images in another step. The augmentation does not change G's images."""
    gan, state = make(**{f"augmentation__{kind}": names})
    step, batch, key = jax.jit(gan.step), batches(), jax.random.key(0)
    gan_without, _ = make()
    metrics_without = jax.jit(gan_without.step)(state, batch, key)[1]
    d_real = {float(step(state._replace(step=jnp.int32(at)), batch, key)[1]["d_real"]) for at in range(3)}
    assert len({*d_real, float(metrics_without["d_real"])}) == 4
    labels = jnp.arange(CLASSES)
    samples, samples_without = (jax.jit(g.sample)(state, key, labels) for g in (gan, gan_without))
    np.testing.assert_array_equal(samples, samples_without)


def test_only_labelled_images_are_classified():
    """If the batch has labelled images, the labels of the other images do not matter."""
    gan, state = make(discriminator__head="class", d_loss__classification=1.0, generator__conditioning="none")
    batch = batches()
    labelled = Batch(batch.images[:, ::-1], batch.labels[:, ::-1])
    step = jax.jit(gan.step)
    reference = step(state, batch._replace(labelled=labelled), jax.random.key(0))[0]
    same = step(state, batch._replace(labels=(batch.labels + 1) % CLASSES, labelled=labelled), jax.random.key(0))[0]
    assert equal(reference.discriminator.params, same.discriminator.params)
    other_labels = labelled._replace(labels=(labelled.labels + 1) % CLASSES)
    assert not equal(
        reference.discriminator.params,
        step(state, batch._replace(labelled=other_labels), jax.random.key(0))[0].discriminator.params,
    )


@pytest.mark.thorough
@pytest.mark.parametrize("weight", [pytest.param("none", marks=pytest.mark.slow), "spectral"])
def test_a_single_forward_pass_equals_one_per_batch(weight, monkeypatch):
    """This discriminator draws no random numbers, so the results can be compared."""
    separate_passes = functools.partial(Gan, single_forward_pass=False)
    monkeypatch.setattr(
        build, "Gan", lambda **parts: separate_passes(**{k: v for k, v in parts.items() if k != "single_forward_pass"})
    )
    results, batch = [], batches()
    batch = batch._replace(labelled=Batch(batch.images[:, ::-1], batch.labels[:, ::-1]))
    changes = {"discriminator__head": "class", "d_loss__classification": 1.0, "discriminator__kernel_norm": weight}
    for _ in range(2):
        gan, state = make(**changes)
        results.append(jax.jit(gan.step)(state, batch, jax.random.key(0)))
        monkeypatch.undo()
    (single_state, single_metrics), (separate_state, separate_metrics) = results
    for a, b in zip(
        jax.tree.leaves((single_state, single_metrics)),
        jax.tree.leaves((separate_state, separate_metrics)),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({}, True), ({"norm": "batch"}, False), ({"minibatch": "stddev"}, False), ({"family": "dcgan"}, False)],
)
def test_a_single_forward_pass_is_for_mlps_without_layers_that_mix_images(changes, expected, monkeypatch):
    single_forward_pass = []
    monkeypatch.setattr(
        build, "Gan", lambda **parts: single_forward_pass.append(parts["single_forward_pass"]) or Gan(**parts)
    )
    make(**{f"discriminator__{knob}": value for knob, value in changes.items()})
    assert single_forward_pass[0] is expected


@pytest.mark.thorough
@pytest.mark.parametrize("head", ["binary", "two_logits", "projection", "class", "auxiliary", "auxiliary_fake"])
def test_every_head_trains(head):
    gan, state = make(discriminator__head=head)
    after, metrics = jax.jit(gan.step)(state, batches(), jax.random.key(0))
    assert np.isfinite(metrics["d_loss"])
    assert not equal(after.discriminator.params, state.discriminator.params)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", [0, 1])
def test_no_sample_has_a_z_of_the_reference_batch(seed):
    """The keys of a run of this seed, and those of `generate` and of the grids with the same seed."""
    gan, _ = make(generator__norm="virtual_batch")
    batch = Batch(jnp.zeros((SIZE, *SHAPE)), jnp.zeros((SIZE,), jnp.int32))
    state = gan.init(initial_state.keys(seed).init, batch)
    leaves = jax.tree.leaves_with_path(state.generator)
    (reference, *_) = [leaf for path, leaf in leaves if "inputs" in jax.tree_util.keystr(path)]
    reference = np.asarray(reference)[:, : gan.prior(jax.random.key(0), 1).shape[1]]
    for key in (jax.random.fold_in(jax.random.key(seed), 0), initial_state.keys(seed).sample):
        for part in (key, *jax.random.split(key)):
            z = np.asarray(gan.prior(part, SIZE))
            assert not np.isclose(z[:, None], reference[None]).all(axis=-1).any()
