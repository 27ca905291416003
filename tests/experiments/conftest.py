"""Two small ablation studies that replace the real ones."""

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
from gan_jax.evaluation.recipes import Recipe
from tests.experiments.tiny_studies import base
from tests.tiny import write_idx


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """The folders of two tiny studies: data (60 + 20 images), cache (with their scoring classifier), work, out."""
    arms = {"plain": {}, "same": {"objective": "bce"}, "broken": {"objective": "no such loss"}}
    studies = {
        "rates": types.SimpleNamespace(__doc__="Which rate?\n\nMore.", BASELINE={"tuned": "plain"}, ARMS=arms),
        "batches": types.SimpleNamespace(
            __doc__="Which batch?", BASELINE={"tuned": "4", "cdcgan": "4"}, ARMS={"4": {}, "8": {"batch_size": 8}}
        ),
    }
    # Child processes share the compilation cache of this process.
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", jax.config.jax_compilation_cache_dir)
    monkeypatch.setattr(plan, "SCORES", 4)
    monkeypatch.setattr(plan, "STUDIES", tuple(studies))
    monkeypatch.setattr(plan, "module", studies.__getitem__)
    monkeypatch.setitem(study.BASES, "tuned", base)
    monkeypatch.setitem(presets.PRESETS, "quick", Preset(("rates",), ("tuned",), 2, 20, 20, 12, {}))
    data_folder, cache, rng = tmp_path / "data", tmp_path / "cache", np.random.default_rng(0)
    (cache / "classifiers").mkdir(parents=True)
    write_idx(data_folder, train=60, test=20)
    train_split = hold_out(sources.load("idx", str(data_folder)), 15).train
    recipe = Recipe()
    variables = classifier.template(train_split.images.shape[1:], 3, recipe)
    flat = traverse_util.flatten_dict(jax.tree.map(lambda leaf: rng.uniform(0, 0.1, leaf.shape), variables), sep="/")
    np.savez(cache / "classifiers" / f"{recipe.digest(*train_split)}.npz", **flat)
    return types.SimpleNamespace(data=data_folder, cache=cache, work=tmp_path / "work", out=tmp_path / "out")
