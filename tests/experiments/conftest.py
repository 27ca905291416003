"""Two small ablation studies in the place of the real ones."""

import types

import jax
import numpy as np
import pytest
from flax import traverse_util

from configs import study
from experiments.ablations import plan, presets
from experiments.ablations.presets import Preset
from gan_jax.data import sources
from gan_jax.data.dataset import hold_out
from gan_jax.evaluation import classifier
from tests.experiments.tiny_studies import base
from tests.tiny import write_idx


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Two studies of a network of a second; a folder of 60 + 20 images, with the classifier that scores them."""
    arms = {"plain": {}, "same": {"objective": "bce"}, "broken": {"objective": "no such loss"}}
    fake = {
        "rates": types.SimpleNamespace(__doc__="Which rate?\n\nMore.", BASELINE={"tuned": "plain"}, ARMS=arms),
        "batches": types.SimpleNamespace(
            __doc__="Which batch?", BASELINE={"tuned": "4", "cdcgan": "4"}, ARMS={"4": {}, "8": {"batch_size": 8}}
        ),
    }
    # The children find what this process and those before them have compiled.
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", jax.config.jax_compilation_cache_dir)
    monkeypatch.setattr(plan, "SCORES", 4)
    monkeypatch.setattr(plan, "STUDIES", tuple(fake))
    monkeypatch.setattr(plan, "module", fake.__getitem__)
    monkeypatch.setitem(study.BASES, "tuned", base)
    monkeypatch.setitem(presets.PRESETS, "quick", Preset(("rates",), ("tuned",), 2, 20, 20, 12, {}))
    folder, cache, rng = tmp_path / "data", tmp_path / "cache", np.random.default_rng(0)
    (cache / "classifiers").mkdir(parents=True)
    write_idx(folder, train=60, test=20)
    kept = hold_out(sources.load("idx", str(folder)), 15).train
    variables = classifier.template(kept.images.shape[1:], 3)
    flat = traverse_util.flatten_dict(jax.tree.map(lambda leaf: rng.uniform(0, 0.1, leaf.shape), variables), sep="/")
    np.savez(cache / "classifiers" / f"{classifier.Recipe().digest(*kept)}.npz", **flat)
    return types.SimpleNamespace(data=folder, cache=cache, work=tmp_path / "work", out=tmp_path / "out")
