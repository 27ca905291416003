"""One run of all its seeds, in a process of its own: python -m experiments.ablations.one_run FOLDER --seeds 0,1

FOLDER holds config.json; each seed trains in seed-<s>/ and leaves its record in seed-<s>.json. The runner starts this.
"""

import math
import pathlib
import select
import shutil
import statistics
import sys
from collections.abc import Callable

import numpy as np
from ml_collections import ConfigDict

from experiments.jobs import records
from experiments.jobs.locks import acquire
from experiments.jobs.one_run import parser, train
from gan_jax import cli
from gan_jax.evaluation import features
from gan_jax.runs.load import load_run
from gan_jax.runs.records import read_metrics
from gan_jax.runs.score import Protocol, evaluate
from gan_jax.runs.workdir import Workdir
from gan_jax.system.errors import DataUnavailable, Interrupted
from gan_jax.system.files import write_sealed
from gan_jax.training import session

ENDED = ("completed", "collapsed", "diverged")
_POINTS = 100
_CURVES = ("d_loss", "g_loss", "d_grad_norm", "g_grad_norm")
_VALIDATION = ("validation_frechet_distance", "validation_conditional_accuracy")
_PROTOCOL = ("split", "features", "norm_mode", "seed", "num_real", "num_train_scored", "data", "requested_data")


def _finite(value):
    """The same with None for every number that is not finite: JSON has none of these."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _digits(value: float) -> float:
    return float(f"{value:.5g}")


def curves(rows: list[dict]) -> dict[str, list]:
    """A run's curves, those of single steps thinned to means of windows; five digits are what a picture shows."""
    trained, scored = ([row for row in rows if name in row] for name in (_CURVES[0], _VALIDATION[0]))
    windows = np.array_split(np.arange(len(trained)), min(_POINTS, len(trained)) or 1)
    mean = lambda name: [_digits(np.mean([trained[i][name] for i in window])) for window in windows if len(window)]  # noqa: E731
    found = {name: mean(name) for name in ("step", *_CURVES)}
    found["validation_step"] = [row["step"] for row in scored]
    return found | {
        name: [_digits(row[name]) for row in scored] for name in _VALIDATION if all(name in row for row in scored)
    }


def _scores(result: dict) -> dict:
    """The scores of an evaluation, each with its standard error, and the step that they are of."""
    names = [name.removesuffix("_real") for name in result if name.endswith("_real") and name != "num_real"]
    wanted = {"step", "discriminator_accuracy", *names, *(f"{name}_standard_error" for name in names)}
    return {name: result[name] for name in sorted(wanted & set(result))}


def _protocol(result: dict, place: Workdir, num_images: int) -> dict:
    real = {name: value for name, value in result.items() if name.endswith("_real")}
    about = {"num_images": num_images, "num_classes": place.run()["data"]["num_classes"]}
    return about | {name: result[name] for name in _PROTOCOL} | real


def _train(config: ConfigDict, place: Workdir, data_dir: str) -> str:
    """Trains what is left to train; returns why the training failed, "" where it did not."""
    before = place.run().get("status")
    if before in ENDED and place.checkpoints.is_dir():
        return "" if before == "completed" else f"training {before} in an earlier process; log.txt says how"
    return str(train(config, place, data_dir) or "")


def _evaluated(place: Workdir, num_images: int, data_dir: str) -> dict:
    """Scores of the newest and of the best state; {} of a run that failed before its first checkpoint."""
    if not place.checkpoints.is_dir():
        return {"final": {}, "best": {}, "protocol": {}}
    final = best = evaluate(str(place.path), Protocol(num_images, quick=True), data_dir)
    if not place.best.is_dir():
        best = {}
    elif load_run(str(place.path), "best").step != final["step"]:
        best = evaluate(str(place.path), Protocol(num_images, checkpoint="best", quick=True), data_dir)
    return {"final": _scores(final), "best": _scores(best), "protocol": _protocol(final, place, num_images)}


def crashed(reason: str, place: Workdir) -> dict:
    """The record of a seed that ended for a reason that is no result."""
    run = place.run()
    return {
        "status": "crashed",
        "reason": " ".join(reason.split())[:400],
        "step": run.get("step", 0),
        "seconds": run.get("seconds"),
        "steps_per_second": None,
        "final": {},
        "best": {},
        "curves": curves(read_metrics(place.metrics)),
        "protocol": {},
        "provenance": records.provenance(run),
    }


def _record(config: ConfigDict, place: Workdir, data_dir: str, stop: Callable[[], None]) -> dict:
    """Trains and scores one seed."""
    try:
        reason = _train(config, place, data_dir)
        stop()
        scores = _evaluated(place, config.eval.at_end_num_images, data_dir)
    except (Interrupted, DataUnavailable):
        raise
    except Exception as error:  # Whatever an arm does, the others go on, and the log has the traceback.
        sys.excepthook(*sys.exc_info())
        return crashed(f"{type(error).__name__}: {error}", place)
    run, rows = place.run(), read_metrics(place.metrics)
    rates = [row["steps_per_second"] for row in rows if row.get("steps_per_second")]
    return {
        "status": run["status"],
        "reason": reason,
        # Where it failed: by the time it was noticed the next call had been sent off.
        "step": rows[-1]["step"] if reason and rows else run["step"],
        "seconds": run["seconds"],
        "steps_per_second": statistics.median(rates) if rates else None,
        **scores,
        "curves": curves(rows),
        "provenance": records.provenance(run),
    }


def record_path(folder: pathlib.Path, seed: int) -> pathlib.Path:
    """Where a seed leaves its record."""
    return folder / f"seed-{seed}.json"


def write(folder: pathlib.Path, seed: int, record: dict) -> None:
    write_sealed(record_path(folder, seed), _finite(record))


def read(folder: pathlib.Path, seed: int) -> dict | None:
    """The record of a seed, None while there is none."""
    return records.read(record_path(folder, seed))


def work(folder: pathlib.Path, seeds: list[int], data_dir: str, keep: bool, stop: Callable[[], None]) -> None:
    """Trains and scores the seeds in turn. stop: raises Interrupted where the runner wants an end."""
    shared = records.read_config(folder)
    for seed in seeds:
        stop()
        if (read(folder, seed) or {}).get("status") in ENDED:
            continue  # By a process before this one, which died at a later seed.
        config = ConfigDict(shared.to_dict())
        config.seed = seed
        place = Workdir(str(folder / f"seed-{seed}"))
        record = _record(config.lock(), place, data_dir, stop)
        write(folder, seed, record)
        if record["status"] in ENDED and not keep:
            # 40 to 150 MB a seed, by the hundred; what they are for has been read off them.
            for checkpoints in (place.checkpoints, place.best):
                shutil.rmtree(checkpoints, ignore_errors=True)


def _stop_when_told() -> None:
    """Interrupted once the runner has closed its end of our standard input, or is gone."""
    if select.select([sys.stdin], [], [], 0)[0]:
        raise Interrupted("stopped by the runner; the same command continues")


def main() -> None:
    words = parser("ablations", __doc__)
    words.add_argument("--seeds", required=True)
    words.add_argument("--keep_checkpoints", action="store_true")
    arguments = words.parse_args()
    config = records.read_config(arguments.folder)
    with acquire(arguments.folder.parent / ".classifier.lock", stopping=lambda: False):
        # Trained by the first process that comes here, and read by the others.
        features.classifier(session.load_data(config, arguments.data_dir), arguments.data_dir)
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    work(arguments.folder, seeds, arguments.data_dir, arguments.keep_checkpoints, _stop_when_told)


if __name__ == "__main__":
    cli.execute(main)
