"""The step: what moves, what must not, and what it draws."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import build
from gan_jax.gan.step import Gan
from gan_jax.gan.types import Batch
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


def test_each_player_moves_only_itself():
    """With one player's loss switched off, its parameters stay bit-identical while the other's move."""
    for still, mover in (("generator", "discriminator"), ("discriminator", "generator")):
        gan, state = make(**{f"{still[0]}_loss__adversarial": 0.0})
        after, _ = jax.jit(gan.step)(state, batches(), jax.random.key(0))
        assert equal(getattr(after, still).params, getattr(state, still).params)
        assert not equal(getattr(after, mover).params, getattr(state, mover).params)


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
    both = batches(2)
    swapped = jax.tree.map(lambda leaf: leaf.at[0].set(leaf[1]), both)
    results = [step(state, b, key)[0].discriminator.params for b in (both, swapped)]
    assert not equal(*results)
    opt_state = step(state, both, key)[0].discriminator.opt_state
    assert any(np.array_equal(leaf, 2) for leaf in jax.tree.leaves(opt_state)), "Adam counts two updates"


def test_g_compares_with_real_images_of_its_own_where_it_has_any():
    """They are G's alone: D moves as without them, and G as with a D batch of them after the same D update."""
    gan, state = make(g_loss__feature_matching=1.0, g_loss__adversarial=0.0, g_batch="own")
    step, key, others = jax.jit(gan.step), jax.random.key(0), batches(seed=1)
    last, _ = step(state, batches(), key)
    own, _ = step(state, batches()._replace(of_g=others), key)
    assert equal(own.discriminator, last.discriminator)
    assert not equal(own.generator.params, last.generator.params)
    same, _ = step(state, batches()._replace(of_g=batches()), key)
    assert equal(same, last)


def test_draws_depend_on_the_key_and_the_step_alone():
    gan, state = make(discriminator__dropout=0.5)
    step = jax.jit(gan.step)
    once, again = (step(state, batches(), jax.random.key(0))[0] for _ in range(2))
    assert equal(once, again)
    assert not equal(once, step(state, batches(), jax.random.key(1))[0])
    later = step(state._replace(step=state.step + 1), batches(), jax.random.key(0))[0]
    assert not equal(once.discriminator.params, later.discriminator.params)


def test_average_is_of_parameters_and_statistics_and_is_what_sample_uses():
    gan, state = make()
    after, _ = jax.jit(gan.step)(state, batches(), jax.random.key(0))
    decay = 0.1  # min(0.9, (1 + 0) / (10 + 0))
    for before, now, mean in (
        (state.generator.params, after.generator.params, after.generator.ema["params"]),
        (state.generator.stats, after.generator.stats, after.generator.ema["stats"]),
    ):
        expected = jax.tree.map(lambda a, b: decay * a + (1 - decay) * b, before, now)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), mean, expected)
    labels = jnp.arange(CLASSES)
    sample = jax.jit(gan.sample)
    sampled = sample(after, jax.random.key(2), labels)
    as_average = after._replace(generator=after.generator._replace(**after.generator.ema, ema={}))
    np.testing.assert_array_equal(sampled, sample(as_average, jax.random.key(2), labels))
    raw = after._replace(generator=after.generator._replace(ema={}))
    assert not np.array_equal(sampled, sample(raw, jax.random.key(2), labels))
    assert sampled.shape == (CLASSES, *SHAPE)
    assert np.abs(sampled).max() <= 1


def test_labels_condition_the_generator():
    gan, state = make()
    sample = jax.jit(gan.sample)
    zeros, ones = (sample(state, jax.random.key(0), jnp.full((2,), label)) for label in (0, 1))
    assert not np.array_equal(zeros, ones)


@pytest.mark.slow  # test_seeds.py compares whole runs
def test_vmap_over_seeds_equals_single_runs():
    gan, _ = make()
    keys, batch = jax.random.split(jax.random.key(0), 2), batches()
    first = jax.tree.map(lambda leaf: leaf[0], batch)
    init, step = jax.jit(gan.init), jax.jit(gan.step)
    several = jax.jit(jax.vmap(gan.init, (0, None)))(keys, first)
    together, _ = jax.jit(jax.vmap(gan.step, (0, None, 0)))(several, batch, keys)
    for index in range(2):
        alone, _ = step(init(keys[index], first), batch, keys[index])
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a[index], b, rtol=1e-3, atol=1e-5), together, alone)


def test_history_is_the_mean_of_all_parameters_so_far():
    gan, state = make(d_loss__historical_averaging=0.1, g_loss__historical_averaging=0.1, d_steps=2)
    step, seen = jax.jit(gan.step), [state.generator.params]
    for seed in range(3):
        state, metrics = step(state, batches(2, seed), jax.random.key(seed))
        seen.append(state.generator.params)
    mean = jax.tree.map(lambda *leaves: np.mean(leaves, axis=0), *seen)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), state.generator.param_mean["mean"], mean
    )
    assert int(state.generator.param_mean["count"]) == 4
    assert int(state.discriminator.param_mean["count"]) == 7, "two updates a step"
    assert metrics["g_historical_averaging"] > 0


def test_the_averaged_target_is_what_judge_says():
    """D without noise: the term is the squared difference between its classes and those of its average."""
    gan, state = make(
        discriminator__head="class",
        discriminator__ema_decay=0.9,
        d_loss__noise_consistency=1.0,
        terms__noise_consistency__target="ema",
    )
    moved = jax.tree.map(lambda leaf: leaf + 0.3, state.discriminator.ema)
    state = state._replace(discriminator=state.discriminator._replace(ema=moved))
    batch = batches()
    images, labels = batch.images[0], batch.labels[0]
    own, judge = state._replace(discriminator=state.discriminator._replace(ema={})), jax.jit(gan.discriminate)
    p, q = (jax.nn.softmax(judge(s, images, labels).class_logits) for s in (own, state))
    expected = float(jnp.mean((p - q) ** 2))
    _, metrics = jax.jit(gan.step)(state, batch, jax.random.key(0))
    assert expected > 1e-4
    assert metrics["d_noise_consistency"] == pytest.approx(expected, rel=1e-5)


def test_judge_uses_the_average_and_running_statistics():
    gan, state = make(discriminator__norm="batch", discriminator__ema_decay=0.9, discriminator__dropout=0.5)
    state, _ = jax.jit(gan.step)(state, batches(), jax.random.key(0))
    images, labels = batches().images[0], batches().labels[0]
    judge = jax.jit(gan.discriminate)
    logits = judge(state, images, labels).logits
    alone = judge(state, images[:1], labels[:1]).logits
    np.testing.assert_allclose(logits[:1], alone, rtol=1e-4, atol=1e-6)
    raw = state._replace(discriminator=state.discriminator._replace(ema={}))
    assert not np.allclose(logits, judge(raw, images, labels).logits, rtol=1e-5)


@pytest.mark.parametrize(("kind", "names"), [("real", "flip,shift"), ("differentiable", "translation")])
def test_augmentation_is_drawn_anew_in_every_step(kind, names):
    """D sees other images in another step; the images that G makes stay what they were."""
    gan, state = make(**{f"augmentation__{kind}": names})
    step, batch, key = jax.jit(gan.step), batches(), jax.random.key(0)
    plain, _ = make()
    unchanged = jax.jit(plain.step)(state, batch, key)[1]
    outputs = {float(step(state._replace(step=jnp.int32(at)), batch, key)[1]["d_real"]) for at in range(3)}
    assert len({*outputs, float(unchanged["d_real"])}) == 4
    labels = jnp.arange(CLASSES)
    ours, theirs = (jax.jit(g.sample)(state, key, labels) for g in (gan, plain))
    np.testing.assert_array_equal(ours, theirs)


def test_labelled_images_alone_are_classified():
    """With labelled images set apart, the labels beside the others do not matter."""
    gan, state = make(discriminator__head="class", d_loss__classification=1.0, generator__conditioning="none")
    batch = batches()
    labelled = Batch(batch.images[:, ::-1], batch.labels[:, ::-1])
    step = jax.jit(gan.step)
    one = step(state, batch._replace(labelled=labelled), jax.random.key(0))[0]
    same = step(state, batch._replace(labels=(batch.labels + 1) % CLASSES, labelled=labelled), jax.random.key(0))[0]
    assert equal(one.discriminator.params, same.discriminator.params)
    moved = labelled._replace(labels=(labelled.labels + 1) % CLASSES)
    assert not equal(
        one.discriminator.params, step(state, batch._replace(labelled=moved), jax.random.key(0))[0].discriminator.params
    )


@pytest.mark.parametrize("weight", [pytest.param("none", marks=pytest.mark.slow), "spectral"])
def test_one_look_at_all_images_equals_a_look_at_each_batch(weight, monkeypatch):
    """Nothing is drawn inside this discriminator, so that the two can be compared."""
    apart = functools.partial(Gan, single_forward_pass=False)
    monkeypatch.setattr(
        build, "Gan", lambda **parts: apart(**{k: v for k, v in parts.items() if k != "single_forward_pass"})
    )
    looks, batch = [], batches()
    batch = batch._replace(labelled=Batch(batch.images[:, ::-1], batch.labels[:, ::-1]))
    changes = {"discriminator__head": "class", "d_loss__classification": 1.0, "discriminator__kernel_norm": weight}
    for _ in range(2):
        gan, state = make(**changes)
        looks.append(jax.jit(gan.step)(state, batch, jax.random.key(0)))
        monkeypatch.undo()
    (one, one_metrics), (other, other_metrics) = looks
    for a, b in zip(jax.tree.leaves((one, one_metrics)), jax.tree.leaves((other, other_metrics)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({}, True), ({"norm": "batch"}, False), ({"minibatch": "stddev"}, False), ({"family": "dcgan"}, False)],
)
def test_one_look_is_for_mlps_that_look_at_each_image_alone(changes, expected, monkeypatch):
    seen = []
    monkeypatch.setattr(build, "Gan", lambda **parts: seen.append(parts["single_forward_pass"]) or Gan(**parts))
    make(**{f"discriminator__{knob}": value for knob, value in changes.items()})
    assert seen[0] is expected


@pytest.mark.parametrize("head", ["binary", "two_logits", "projection", "class", "auxiliary", "auxiliary_fake"])
def test_every_head_trains(head):
    gan, state = make(discriminator__head=head)
    after, metrics = jax.jit(gan.step)(state, batches(), jax.random.key(0))
    assert np.isfinite(metrics["d_loss"])
    assert not equal(after.discriminator.params, state.discriminator.params)
