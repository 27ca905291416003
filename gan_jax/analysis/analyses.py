"""The analyses of a trained run by name; writes their pictures and numbers to the folder analysis/."""

import json
import logging
import pathlib
import sys

import numpy as np

from gan_jax import build
from gan_jax.analysis.arithmetic import arithmetic
from gan_jax.analysis.filters import filters
from gan_jax.analysis.latent import class_interpolation, interpolation, truncation
from gan_jax.analysis.map import feature_map
from gan_jax.analysis.neighbours import neighbours
from gan_jax.analysis.representation import representation
from gan_jax.analysis.sefa import sefa
from gan_jax.analysis.spectrum import spectrum
from gan_jax.analysis.subject import NotApplicable, Subject
from gan_jax.evaluation.features import EXTRACTORS, ONE_CLASS
from gan_jax.networks.build import has_ema
from gan_jax.runs.dataset import scoring_data
from gan_jax.runs.load import load_run
from gan_jax.runs.provenance import provenance
from gan_jax.system import files

NUM_IMAGES = 2000  # generated images, by default
LEAST_IMAGES = 50  # generated images; with fewer, the compared groups have only one or two images each

# name -> (subject, folder) -> numbers; also the order in which they run.
ANALYSES = {
    "interpolation": interpolation,
    "class_interpolation": class_interpolation,
    "arithmetic": arithmetic,
    "truncation": truncation,
    "neighbours": neighbours,
    "spectrum": spectrum,
    "map": feature_map,
    "sefa": sefa,
    "representation": representation,
    "filters": filters,
}


def load_subject(
    path: str, num_images: int, seed: int, data_dir: str = "", checkpoint: str = "newest", images_dir: str = ""
) -> Subject:
    """A checkpoint of a run, its data set, and the classifier of this data set; thumbnails if it has one class.

    images_dir: as `folder` of `scoring_data`.
    """
    run = load_run(path, checkpoint)
    dataset = scoring_data(path, run.config.data, run.run_info, data_dir, images_dir)
    extract, name = EXTRACTORS["classifier"](dataset, data_dir, "", run.config.eval.classifier_flips)
    if dataset.num_classes == 1:
        logging.getLogger(__name__).warning("%s", ONE_CLASS)
        extract_features, extract = extract, lambda images: (extract_features(images)[0], np.ones((len(images), 1)))
    return Subject(run, dataset, extract, name, seed, num_images, build.is_conditional(run.config.generator))


def _provenance(subject: Subject) -> dict:
    return {
        "step": subject.run.step,
        "data": subject.dataset.name,
        "requested_data": subject.dataset.requested,
        "data_fingerprint": subject.run.run_info["data"]["fingerprint"],
        "features": subject.features_name,
        "generator": "ema" if has_ema(subject.run.config.generator) else "last",
        "conditional": subject.conditional,
        "seed": subject.seed,
        "num_images": subject.num_images,
        **provenance(),
    }


def _line(name: str, numbers: dict, folder: pathlib.Path) -> str:
    """The printed line of an analysis: its first two numbers, and the paths of its pictures."""
    scalars = [(key, value) for key, value in numbers.items() if isinstance(value, int | float)][:2]
    first_two = ", ".join(f"{key.replace('_', ' ')} {value:.4g}" for key, value in scalars)
    return f"{name}: {first_two}; {' '.join(map(str, sorted(folder.glob(f'{name}*.png'))))}"


def folder_name(num_images: int, seed: int, checkpoint: str) -> str:
    """analysis for the default settings; otherwise the name also has those that differ: analysis-50_images-best."""
    words = (
        (f"{num_images}_images", num_images != NUM_IMAGES),
        (f"seed_{seed}", seed),
        (checkpoint, checkpoint == "best"),
    )
    return "-".join(["analysis", *(word for word, differs in words if differs)])


def analyze(subject: Subject, names: list[str], folder_name: str = "analysis") -> None:
    """Runs the named analyses. Each writes <name>.png and <name>.json to this folder of the run."""
    folder = subject.run.folder.path / folder_name
    with files.writing(str(folder)):
        folder.mkdir(exist_ok=True)
    shared = _provenance(subject)
    for index, name in enumerate(names):
        print(f"analysis {index + 1}/{len(names)}: {name}", file=sys.stderr, flush=True)
        try:
            numbers = ANALYSES[name](subject, folder)
        except NotApplicable as reason:
            print(f"{name}: skipped, {reason}", flush=True)
            continue
        text = json.dumps({**shared, **numbers}, indent=2, sort_keys=True, allow_nan=False) + "\n"
        files.write_text(folder / f"{name}.json", text)
        print(_line(name, numbers, folder), flush=True)
