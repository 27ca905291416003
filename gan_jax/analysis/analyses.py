"""The analyses of a trained run by name, and what each leaves in the folder analysis/."""

import json
import pathlib
import sys

from gan_jax import build
from gan_jax.analysis.arithmetic import arithmetic
from gan_jax.analysis.filters import filters
from gan_jax.analysis.latent import class_interpolation, interpolation, truncation
from gan_jax.analysis.map import feature_map
from gan_jax.analysis.neighbours import neighbours
from gan_jax.analysis.representation import representation
from gan_jax.analysis.spectrum import spectrum
from gan_jax.analysis.subject import NotApplicable, Subject
from gan_jax.evaluation.features import EXTRACTORS
from gan_jax.runs.dataset import scoring_data
from gan_jax.runs.load import load_run
from gan_jax.runs.provenance import provenance
from gan_jax.system import files

LEAST_IMAGES = 50  # generated images: below, the groups that are compared hold one or two each

# name -> (subject, folder) -> numbers; also the order in which they run.
ANALYSES = {
    "interpolation": interpolation,
    "class_interpolation": class_interpolation,
    "arithmetic": arithmetic,
    "truncation": truncation,
    "neighbours": neighbours,
    "spectrum": spectrum,
    "map": feature_map,
    "representation": representation,
    "filters": filters,
}


def load_subject(path: str, num_images: int, seed: int, data_dir: str = "") -> Subject:
    """The newest checkpoint of a run with the data that it was trained on and the classifier of that data."""
    run = load_run(path)
    dataset = scoring_data(path, run.config, run.run_info, data_dir)
    extract, name = EXTRACTORS["classifier"](dataset, data_dir, "")
    return Subject(run, dataset, extract, name, seed, num_images, build.is_conditional(run.config))


def _provenance(subject: Subject) -> dict:
    return {
        "step": subject.run.step,
        "data": subject.dataset.name,
        "requested_data": subject.dataset.requested,
        "data_fingerprint": subject.run.run_info["data"]["fingerprint"],
        "features": subject.features_name,
        "generator": "ema" if subject.run.config.generator.ema_decay else "last",
        "conditional": subject.conditional,
        "seed": subject.seed,
        "num_images": subject.num_images,
        **provenance(),
    }


def _line(name: str, numbers: dict, folder: pathlib.Path) -> str:
    """What an analysis found in two numbers, and where its pictures are."""
    scalars = [(key, value) for key, value in numbers.items() if isinstance(value, int | float)][:2]
    found = ", ".join(f"{key.replace('_', ' ')} {value:.4g}" for key, value in scalars)
    return f"{name}: {found}; {' '.join(map(str, sorted(folder.glob(f'{name}*.png'))))}"


def analyze(subject: Subject, names: list[str]) -> None:
    """Runs the named analyses, each of which leaves <name>.png and <name>.json in the run's folder analysis/."""
    folder = subject.run.folder.path / "analysis"
    with files.writing(str(folder)):
        folder.mkdir(exist_ok=True)
    about = _provenance(subject)
    for index, name in enumerate(names):
        print(f"analysis {index + 1}/{len(names)}: {name}", file=sys.stderr, flush=True)
        try:
            numbers = ANALYSES[name](subject, folder)
        except NotApplicable as reason:
            print(f"{name}: skipped, {reason}", flush=True)
            continue
        text = json.dumps({**about, **numbers}, indent=2, sort_keys=True, allow_nan=False) + "\n"
        files.write_text(folder / f"{name}.json", text)
        print(_line(name, numbers, folder), flush=True)
