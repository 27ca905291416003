"""A trained run, for programs and notebooks: gan_jax.load("runs/...").sample(labels=[3, 1, 4])."""

import functools
import importlib
import pathlib
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from gan_jax.analysis.latent import linear, spherical
from gan_jax.build import is_conditional
from gan_jax.data.dataset import to_float, to_uint8
from gan_jax.devices import compiler
from gan_jax.evaluation.batching import in_batches
from gan_jax.evaluation.features import EXTRACTORS
from gan_jax.evaluation.generate import balanced_labels
from gan_jax.formats import safetensors
from gan_jax.gan import priors
from gan_jax.gan.types import DiscriminatorOutput, GanState
from gan_jax.library.images import Images
from gan_jax.runs import seeds
from gan_jax.runs.dataset import scoring_data
from gan_jax.runs.load import CHECKPOINTS, LoadedRun, load_run
from gan_jax.runs.protocol import Protocol
from gan_jax.runs.records import read_metrics
from gan_jax.runs.samplers import make_sampler
from gan_jax.runs.score import evaluate
from gan_jax.runs.workdir import Workdir
from gan_jax.system.config import choose
from gan_jax.system.errors import UserError
from gan_jax.system.extras import is_installed

_BATCH_SIZE = 500  # as in evaluation/generate.py, so that the same seed gives the same images as `gan-jax sample`


class Run:
    """A run with the state of one checkpoint.

    config: its ConfigDict. step: of the checkpoint. path: its workdir or file. info: the content of run.json.
    loaded: the `LoadedRun` with the GAN and its state, for everything that this class has no method for.
    data_dir: folder of prepared data, for `features` and `evaluate`; "": the user's cache folder.
    """

    def __init__(self, loaded: LoadedRun, checkpoint: str, data_dir: str = "", path: pathlib.Path | None = None):
        self.loaded, self._checkpoint, self._data_dir, self._extractors = loaded, checkpoint, data_dir, {}
        # Kept, because JAX forgets what it has compiled of a method when nothing refers to the compiled function.
        self._sampler = functools.cache(lambda text: make_sampler(text, loaded.gan, loaded.config))
        self._gan_generate, self._gan_discriminate = map(compiler.jit, (loaded.gan.generate, loaded.gan.discriminate))
        self.config: ConfigDict = loaded.config
        self.step: int = loaded.step
        self.path: pathlib.Path = path or loaded.folder.path
        self.info: dict = loaded.run_info
        self.class_names: tuple[str, ...] = loaded.class_names
        self.image_shape: tuple[int, int, int] = loaded.image_shape

    def __repr__(self) -> str:
        return f"<run {self.path}, step {self.step}, {self.info['data']['used']}, {self.info['status']}>"

    def _repr_png_(self) -> bytes | None:
        """The last grid of samples that training wrote."""
        path = self.loaded.folder.last_grid() if self.loaded.folder else None
        return path.read_bytes() if path else None

    @property
    def takes_labels(self) -> bool:
        return is_conditional(self.config.generator)

    def sample(
        self,
        num_images: int | None = None,
        *,
        labels: Sequence[int | str] | None = None,
        seed: int = 0,
        z: np.ndarray | None = None,
        truncation: float | None = None,
        raw: bool = False,
        sampler: str = "prior",
    ) -> Images:
        """Generated images uint8 [N, H, W, C]. The same seed and labels give the images of `gan-jax sample`.

        num_images: default: one for each label or z, else 16.
        labels: positions or names of classes, repeated as often as needed; None: all classes in turn. Or float [N, K]:
            weights of the classes, for points between them.
        z: [N, Z] instead of a draw from the prior, see `latents`.
        truncation: z from N(0, 1) given |z| <= truncation (BigGAN's trick, arXiv 1809.11096); for the prior `normal`.
        raw: without the EMA.
        sampler: as --sampler of `gan-jax sample`, for example "drs" or "ddls:steps=50"; it draws z itself.
        """
        if num_images is None:
            num_images = len(z) if z is not None else 16 if labels is None else len(labels)
        if num_images < 1:
            raise UserError(f"num_images={num_images}: must be at least 1")
        if z is not None and truncation is not None:
            raise UserError("z and truncation: give one of them, because truncation draws z")
        labels = self._labels(labels, num_images)
        if z is None and truncation is None and labels.ndim == 1:
            return self._sampler(sampler)(self._state(raw), labels, seed).view(Images)
        if sampler != "prior":
            raise UserError(f"sampler={sampler} draws z itself, for classes; leave out z, truncation and weights")
        z = self.latents(num_images, seed, truncation) if z is None else np.asarray(z, np.float32)
        if z.shape != (num_images, self.config.prior.features):
            expected = (num_images, self.config.prior.features)
            raise UserError(f"z has the shape {z.shape}; this generator takes {expected}")
        return self._generate(z, labels, seed, raw).view(Images)

    def _labels(self, labels: Any, num_images: int) -> np.ndarray:
        """int32 [N], or float32 [N, K]; UserError for an unknown class, or if the generator takes no labels."""
        num_classes = self.loaded.num_classes
        if labels is None:
            return balanced_labels(num_images, num_classes)
        if not self.takes_labels:
            raise UserError("this generator takes no labels; leave labels out")
        if np.ndim(labels) == 2:
            if np.shape(labels) != (num_images, num_classes):
                raise UserError(f"labels have the shape {np.shape(labels)}; weights have {(num_images, num_classes)}")
            return np.asarray(labels, np.float32)
        positions = {name: position for position, name in enumerate(self.class_names)}
        values = [choose(positions, label, "labels") if isinstance(label, str) else int(label) for label in labels]
        if not values or not all(0 <= value < num_classes for value in values):
            raise UserError(f"labels={list(labels)}: the classes are 0 to {num_classes - 1}")
        return np.resize(np.array(values, np.int32), num_images)

    def _generate(self, z: np.ndarray, labels: np.ndarray, seed: int, raw: bool) -> np.ndarray:
        state = self._state(raw)

        def images(index: int, *batch: np.ndarray) -> np.ndarray:
            _, key = jax.random.split(jax.random.fold_in(jax.random.key(seed), index))
            return to_uint8(self._gan_generate(state, key, *batch))

        return in_batches(images, [z, labels], _BATCH_SIZE)

    def _state(self, raw: bool) -> GanState:
        return self.loaded.state.without_ema() if raw else self.loaded.state

    def latents(self, num_images: int, seed: int = 0, truncation: float | None = None) -> np.ndarray:
        """z float32 [N, Z] from the prior, those of `sample` with the same seed; truncation: as there."""
        draw = self.loaded.gan.prior
        if truncation is not None:
            if self.config.prior.name != "normal":
                raise UserError(f"truncation is for the prior normal, and this run has {self.config.prior.name}")
            draw = priors.make_prior("truncated_normal", self.config.prior.features, threshold=truncation)

        def z(index: int, batch: np.ndarray) -> jax.Array:
            key, _ = jax.random.split(jax.random.fold_in(jax.random.key(seed), index))
            return draw(key, _BATCH_SIZE)

        return in_batches(z, [np.arange(num_images)], _BATCH_SIZE)

    def interpolate(
        self,
        start: int | np.ndarray = 0,
        end: int | np.ndarray = 1,
        num_images: int = 10,
        *,
        label: int | str | None = None,
        to_label: int | str | None = None,
        kind: str = "spherical",
        raw: bool = False,
    ) -> Images:
        """A walk from one z to another: uint8 [num_images, H, W, C].

        start, end: z [Z], or a seed: the first z of `latents`.
        label: class of all images; with `to_label`, the walk also moves from one class to the other.
        kind: spherical (arXiv 1609.04468) or linear.
        """
        walk = choose({"spherical": spherical, "linear": linear}, kind, "kind")
        if to_label is not None and label is None:
            raise UserError("to_label needs label, the class from which the walk starts")
        ends = [self.latents(1, point)[0] if np.ndim(point) == 0 else np.asarray(point) for point in (start, end)]
        t = np.linspace(0, 1, num_images)
        labels = None if label is None else [label] * num_images
        if to_label is not None:
            weights = np.eye(self.loaded.num_classes)[[self._labels([name], 1)[0] for name in (label, to_label)]]
            labels = linear(*weights, t)
        return self.sample(num_images, labels=labels, z=walk(*ends, t), raw=raw)

    def discriminate(
        self, images: np.ndarray, labels: Sequence[int] | None = None, *, raw: bool = False
    ) -> DiscriminatorOutput:
        """D's logits [N], features [N, F] and class logits [N, K] or None, of images uint8 [N, H, W, C].

        labels: int [N], for a conditional D; None: 0 for all images.
        """
        images, state = self._checked(images), self._state(raw)
        labels = np.zeros(len(images), np.int32) if labels is None else np.asarray(labels, np.int32)
        return in_batches(
            lambda index, batch, labels: self._gan_discriminate(state, to_float(batch), labels),
            [images, labels],
            _BATCH_SIZE,
        )

    def _checked(self, images: np.ndarray) -> np.ndarray:
        images = np.asarray(images)
        if images.dtype != np.uint8 or images.shape[1:] != self.image_shape or not len(images):
            raise UserError(f"images of {images.dtype} {images.shape}; give uint8 {('N', *self.image_shape)}")
        return images

    def features(self, images: np.ndarray, features: str = "classifier") -> np.ndarray:
        """The features [N, F] on which scores are computed. features: as --features of `gan-jax evaluate`."""
        return self._extractor(features)(self._checked(images))[0]

    def _extractor(self, name: str) -> Any:
        if name not in self._extractors:
            make = choose(EXTRACTORS, name, "features")
            self._extractors[name] = make(self.dataset, self._data_dir, "", self.config.eval.classifier_flips)[0]
        return self._extractors[name]

    @functools.cached_property
    def dataset(self) -> Any:
        """The data set that the run was trained on, in memory: train, test and validation with images and labels."""
        return scoring_data(self.path, self.config.data, self.info, self._data_dir)

    def _require_workdir(self, what: str) -> None:
        if self.loaded.folder is None:
            raise UserError(f"{self.path} is one file, which has no {what}; load the workdir of the run")

    def evaluate(self, num_images: int = 10_000, features: str = "classifier", **protocol: Any) -> dict:
        """The scores of `gan-jax evaluate`, which are also written to the workdir. protocol: fields of `Protocol`."""
        self._require_workdir("scores")
        settings = {"num_images": num_images, "features": features, "checkpoint": self._checkpoint} | protocol
        return evaluate(str(self.path), Protocol(**settings), self._data_dir)

    def metrics(self) -> Any:
        """The rows of metrics.jsonl: a data frame if pandas is installed, otherwise a list of dicts."""
        self._require_workdir("metrics")
        rows = read_metrics(self.loaded.folder.metrics)
        return importlib.import_module("pandas").DataFrame(rows) if is_installed("pandas") else rows


def load(path: str | pathlib.Path, checkpoint: str = "newest", data_dir: str = "") -> Run | list[Run]:
    """The run in a workdir; a list of them if it has several seeds (those that have a checkpoint).

    path: the workdir, or a .safetensors file of `gan-jax export`, which has no metrics and is not evaluated.

    checkpoint: "newest", or "best": by its validation score.
    """
    choose(CHECKPOINTS, checkpoint, "checkpoint")
    if str(path).endswith(".safetensors"):
        return Run(safetensors.load(pathlib.Path(path).expanduser()), checkpoint, data_dir, pathlib.Path(path))
    folder = Workdir(str(path))
    config = folder.config()
    if config.num_seeds == 1:
        return Run(load_run(str(path), checkpoint), checkpoint, data_dir)
    workdirs = seeds.seed_workdirs(seeds.seeds_of(config), folder)
    started = [workdir for workdir in workdirs if workdir.checkpoints.is_dir()]
    if not started:
        raise UserError(f"no seed of the run in {path} has a checkpoint yet; train it first")
    return [Run(load_run(str(workdir.path), checkpoint), checkpoint, data_dir) for workdir in started]
