"""Standing statistics of batch norm against the moments of the distribution, and in the commands."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import evaluate, sample
from gan_jax.gan.player import inference_variables
from gan_jax.runs.standing import with_standing_statistics
from gan_jax.system.errors import UserError
from tests.formats.generators import generator
from tests.tiny import run

BATCH_NORM = {"generator.norm": "batch", "prior.features": 8, "batch_size": 30}


def test_one_pass_is_the_training_mode_of_its_batch():
    """For z that are the same in each pass: inference with standing statistics is what training mode computes."""
    loaded = generator("cgan", (9, 9, 1), **BATCH_NORM, **{"generator.ema_decay": 0.9}).run
    z, labels = jax.random.normal(jax.random.key(3), (30, 8)), np.arange(30, dtype=np.int32) % 3
    gan = dataclasses.replace(loaded.gan, prior=lambda key, size: z)
    standing = with_standing_statistics(loaded._replace(gan=gan), 2)
    for before, after in (
        (loaded.state, standing.state),
        (loaded.state.without_ema(), standing.state.without_ema()),
    ):
        variables = inference_variables(before.generator)
        expected, _ = gan.generator.apply(variables, z, labels, train=True, mutable=["batch_stats"])
        images = gan.generate(after, jax.random.key(0), z, labels)
        np.testing.assert_allclose(images, expected, atol=1e-4)
        assert np.abs(images - gan.generate(before, jax.random.key(0), z, labels)).max() > 0.05
    # Nothing else has changed.
    assert jax.tree.all(jax.tree.map(jnp.array_equal, loaded.state.discriminator, standing.state.discriminator))
    assert jax.tree.all(jax.tree.map(jnp.array_equal, loaded.state.generator.params, standing.state.generator.params))


def test_statistics_equal_those_of_the_distribution():
    """The first hidden layer is W z + V e(y) + b with z ~ N(0, 1): its moments are known, up to 1 / N of a batch."""
    loaded = generator("cgan", (9, 9, 1), **BATCH_NORM, **{"generator.embedding_features": 4}).run
    params = loaded.state.generator.params
    statistics = with_standing_statistics(loaded, 300).state.generator.stats["batch_stats"]["Finish_0"]
    (moments,) = jax.tree.leaves(statistics, is_leaf=lambda leaf: "mean" in leaf)
    kernel, bias = (np.asarray(params["Dense_0"][name]) for name in ("kernel", "bias"))
    of_labels = np.asarray(params["Concat_0"]["LabelEmbedding_0"]["embedding"]) @ kernel[8:]
    np.testing.assert_allclose(moments["mean"], of_labels.mean(axis=0) + bias, atol=0.05)
    variance = (kernel[:8] ** 2).sum(axis=0) * 29 / 30 + of_labels.var(axis=0)
    np.testing.assert_allclose(moments["var"], variance, rtol=0.05)


def test_without_batch_norm_it_is_refused():
    loaded = generator("cgan", (9, 9, 1)).run
    with pytest.raises(UserError, match="--standing_passes=4: generator.norm=none has no statistics of batches"):
        with_standing_statistics(loaded, 4)


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore")
def test_the_commands_use_them(copy_of_run, tmp_path, capsys):
    path = tmp_path / "run"
    copy_of_run(path, **{"generator.norm": "batch"})
    images = {}
    for passes in (0, 3):
        output = tmp_path / f"{passes}.npz"
        assert run(sample, "--workdir", path, "--standing_passes", passes, "--output", output, "--num_images", 6) == 0
        images[passes] = np.load(output)["images"]
    assert (images[0] != images[3]).any()
    arguments = ("--workdir", path, "--features", "pixels", "--num_images", 20, "--quick")
    assert run(evaluate, *arguments, "--standing_passes", 3) == 0
    result = json.loads((path / "evaluation-20_images-pixels-quick-standing_3.json").read_text())
    assert result["norm_mode"] == "3 standing batches"
    assert run(sample, "--workdir", path, "--standing_passes", -1, "--output", tmp_path / "a.png") == 2
    assert "--standing_passes=-1: must be at least 1" in capsys.readouterr().err
