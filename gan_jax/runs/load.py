"""Loads a trained run from its workdir. Every command that works on a workdir starts here."""

from typing import NamedTuple

import flax.linen as nn
import numpy as np
from ml_collections import ConfigDict

from gan_jax import build
from gan_jax.devices import compiler
from gan_jax.evaluation.generate import classify
from gan_jax.gan.player import inference_variables
from gan_jax.gan.step import Gan
from gan_jax.gan.types import GanState
from gan_jax.networks.build import build_discriminator
from gan_jax.runs import initial_state, workdir
from gan_jax.runs.best import NUM_KEPT_BEST, best_step, scores
from gan_jax.runs.checkpoint import Checkpoints
from gan_jax.runs.dataset import class_names
from gan_jax.runs.records import read_metrics
from gan_jax.runs.samplers import make_sampler
from gan_jax.system.errors import UserError

CHECKPOINTS = ("newest", "best")


class LoadedRun(NamedTuple):
    """A run that was loaded from its workdir. run_info: content of run.json; step: of the checkpoint in `state`.

    folder: None for a run from an exported file (formats/safetensors.py), whose state has no moments of optimizers.
    """

    folder: workdir.Workdir | None
    config: ConfigDict
    run_info: dict
    gan: Gan
    state: GanState
    step: int

    @property
    def num_classes(self) -> int:
        return self.run_info["data"]["num_classes"]

    @property
    def class_names(self) -> tuple[str, ...]:
        return class_names(self.run_info["data"])

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return tuple(self.run_info["data"]["image_shape"])

    def discriminator(self) -> tuple[nn.Module, dict]:
        """(module, variables for inference) of the discriminator."""
        config = self.config
        module = build_discriminator(config.discriminator, self.num_classes, config.init_batch_size, config.dtype)
        return module, inference_variables(self.state.discriminator)

    def generate(self, labels: np.ndarray, seed: int = 0, *, raw: bool = False, sampler: str = "prior") -> np.ndarray:
        """uint8 [N, H, W, C], one image for each label.

        The images are those of the EMA generator if the run has one, unless `raw`. sampler: see `make_sampler`.
        """
        return make_sampler(sampler, self.gan, self.config)(self._state(raw), labels, seed)

    def class_log_probabilities(self, images: np.ndarray, *, raw: bool = False) -> np.ndarray:
        """log p(class | image), float [N, K], of images uint8 [N, H, W, C].

        It is computed by the EMA discriminator if the run has one, unless `raw`.
        """
        return classify(compiler.jit(self.gan.discriminate), self._state(raw), images, self.num_classes)

    def _state(self, raw: bool) -> GanState:
        return self.state.without_ema() if raw else self.state


def _find_checkpoint(folder: workdir.Workdir, keep: int, checkpoint: str) -> tuple[Checkpoints, int]:
    """(checkpoints, step) of the checkpoint "newest" or "best"; UserError if there is none."""
    newest = Checkpoints(folder.checkpoints, keep)
    if not newest.steps():
        raise UserError(f"--workdir={folder.path} has no checkpoint yet; train it first")
    if checkpoint == "newest":
        return newest, newest.steps()[-1]
    best = Checkpoints(folder.best, NUM_KEPT_BEST)
    kept = best.steps()
    step = best_step({step: score for step, score in scores(read_metrics(folder.metrics)).items() if step in kept})
    if step is None:
        raise UserError(
            f"--workdir={folder.path} has no best state: nothing was scored while it trained (config.eval.every_steps)"
        )
    return best, step


def load_run(path: str, checkpoint: str = "newest") -> LoadedRun:
    """The run in a workdir, finished or not, with the state of its newest checkpoint or of the best validation score.

    checkpoint: "newest" or "best". UserError if the run has no such checkpoint.
    """
    folder = workdir.Workdir(path)
    config, run_info = folder.config(), folder.run()
    if config.num_seeds > 1:
        raise UserError(f"--workdir={path} holds {config.num_seeds} seeds; give one: {path}/seed-{config.seed}")
    if "data" not in run_info or not folder.checkpoints.is_dir():
        raise UserError(f"--workdir={path} has no checkpoint yet; train it first")
    shape = tuple(run_info["data"]["image_shape"])
    gan = build.build(config, shape, run_info["data"]["num_classes"], run_info["num_steps"])
    checkpoints, step = _find_checkpoint(folder, config.keep_checkpoints, checkpoint)
    like = initial_state.abstract_state(gan, config.init_batch_size, shape)
    step, state = initial_state.restore(checkpoints, like, step)
    checkpoints.close()
    return LoadedRun(folder, config, run_info, gan, state, step)
