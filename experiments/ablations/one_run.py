"""All seeds of one run, in a separate process: python -m experiments.ablations.one_run FOLDER --seeds 0,1

FOLDER has config.json. Each seed trains in seed-<s>/ and writes its record to seed-<s>.json. The runner starts this.
"""

import math
import pathlib
import select
import shutil
import statistics
import sys
from collections.abc import Callable, Iterable

import numpy as np
from ml_collections import ConfigDict

from experiments.jobs import records
from experiments.jobs.locks import acquire
from experiments.jobs.one_run import parser, train
from experiments.jobs.pool import Child
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
_PROTOCOL = ("scores_version", "split", "features", "norm_mode", "seed", "num_real", "data", "requested_data")


def _finite(value):
    """The value with None for every number that is not finite, because JSON has no such numbers."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _digits(value: float) -> float:
    return float(f"{value:.5g}")


def curves(rows: list[dict]) -> dict[str, list]:
    """A run's curves with five digits, enough for a plot. Curves of single steps become means over windows."""
    trained, scored = ([row for row in rows if name in row] for name in (_CURVES[0], _VALIDATION[0]))
    windows = np.array_split(np.arange(len(trained)), min(_POINTS, len(trained)) or 1)
    mean = lambda name: [_digits(np.mean([trained[i][name] for i in window])) for window in windows if len(window)]  # noqa: E731
    by_name = {name: mean(name) for name in ("step", *_CURVES)}
    by_name["validation_step"] = [row["step"] for row in scored]
    return by_name | {
        name: [_digits(row[name]) for row in scored] for name in _VALIDATION if all(name in row for row in scored)
    }


def _scores(result: dict) -> dict:
    """The scores of an evaluation, their standard errors, and the step of the scored checkpoint."""
    names = [name.removesuffix("_real") for name in result if name.endswith("_real") and name != "num_real"]
    kept = {"step", "discriminator_accuracy", *names, *(f"{name}_standard_error" for name in names)}
    return {name: result[name] for name in sorted(kept & set(result))}


def _protocol(result: dict, workdir: Workdir, num_images: int) -> dict:
    real = {name: value for name, value in result.items() if name.endswith("_real")}
    counts = {"num_images": num_images, "num_classes": workdir.run()["data"]["num_classes"]}
    return counts | {name: result[name] for name in _PROTOCOL} | real


def _train(config: ConfigDict, workdir: Workdir, data_dir: str) -> str:
    """Trains the remaining steps; returns the reason of a failure, "" without one."""
    status = workdir.run().get("status")
    if status in ENDED and workdir.checkpoints.is_dir():
        return "" if status == "completed" else f"training {status} in an earlier process; log.txt has the reason"
    return str(train(config, workdir, data_dir) or "")


def _evaluate(workdir: Workdir, num_images: int, data_dir: str) -> dict:
    """Scores of the newest and of the best state; {} if the run failed before its first checkpoint."""
    if not workdir.checkpoints.is_dir():
        return {"final": {}, "best": {}, "protocol": {}}
    final = best = evaluate(str(workdir.path), Protocol(num_images, quick=True), data_dir)
    if not workdir.best.is_dir():
        best = {}
    elif load_run(str(workdir.path), "best").step != final["step"]:
        best = evaluate(str(workdir.path), Protocol(num_images, checkpoint="best", quick=True), data_dir)
    return {"final": _scores(final), "best": _scores(best), "protocol": _protocol(final, workdir, num_images)}


def crashed(reason: str, workdir: Workdir) -> dict:
    """The record of a seed that neither completed nor collapsed nor diverged."""
    run = workdir.run()
    return {
        "status": "crashed",
        "reason": " ".join(reason.split())[:400],
        "step": run.get("step", 0),
        "seconds": run.get("seconds"),
        "steps_per_second": None,
        "final": {},
        "best": {},
        "curves": curves(read_metrics(workdir.metrics)),
        "protocol": {},
        "provenance": records.provenance(run),
    }


def write_crashed(child: Child, code: int, seeds: Iterable[int]) -> None:
    """Writes the records of seeds whose process ended with this exit code and left none."""
    for seed in seeds:
        reason = f"its process ended with exit code {code}: {child.last_line()}"
        write(child.folder, seed, crashed(reason, Workdir(str(child.folder / f"seed-{seed}"))))


def _record(config: ConfigDict, workdir: Workdir, data_dir: str, stop: Callable[[], None]) -> dict:
    """Trains and scores one seed."""
    try:
        reason = _train(config, workdir, data_dir)
        stop()
        scores = _evaluate(workdir, config.eval.at_end_num_images, data_dir)
    except (Interrupted, DataUnavailable):
        raise
    except Exception as error:  # An arm's error must not end the other arms. The log has the traceback.
        sys.excepthook(*sys.exc_info())
        return crashed(f"{type(error).__name__}: {error}", workdir)
    run, rows = workdir.run(), read_metrics(workdir.metrics)
    rates = [row["steps_per_second"] for row in rows if row.get("steps_per_second")]
    return {
        "status": run["status"],
        "reason": reason,
        # The step of the failure: when a failure is noticed, the next call has already begun, so run["step"] is later.
        "step": rows[-1]["step"] if reason and rows else run["step"],
        "seconds": run["seconds"],
        "steps_per_second": statistics.median(rates) if rates else None,
        **scores,
        "curves": curves(rows),
        "provenance": records.provenance(run),
    }


def record_path(folder: pathlib.Path, seed: int) -> pathlib.Path:
    """The path of a seed's record."""
    return folder / f"seed-{seed}.json"


def write(folder: pathlib.Path, seed: int, record: dict) -> None:
    write_sealed(record_path(folder, seed), _finite(record))


def read(folder: pathlib.Path, seed: int) -> dict | None:
    """The record of a seed; None if there is none yet."""
    return records.read(record_path(folder, seed))


def work(folder: pathlib.Path, seeds: list[int], data_dir: str, keep: bool, stop: Callable[[], None]) -> None:
    """Trains and scores the seeds, one after the other. stop: raises Interrupted if the runner has asked to stop."""
    shared = records.read_config(folder)
    for seed in seeds:
        stop()
        if (read(folder, seed) or {}).get("status") in ENDED:
            continue  # An earlier process has finished this seed, and died at a later one.
        config = ConfigDict(shared.to_dict())
        config.seed = seed
        workdir = Workdir(str(folder / f"seed-{seed}"))
        record = _record(config.lock(), workdir, data_dir, stop)
        write(folder, seed, record)
        if record["status"] in ENDED and not keep:
            # 40 to 150 MB per seed, for hundreds of seeds. All scores have been computed.
            for checkpoints in (workdir.checkpoints, workdir.best):
                shutil.rmtree(checkpoints, ignore_errors=True)


def _stop_if_requested() -> None:
    """Raises Interrupted if the runner has closed this process's standard input, or has ended."""
    if select.select([sys.stdin], [], [], 0)[0]:
        raise Interrupted("stopped by the runner; the same command continues")


def main() -> None:
    run_parser = parser("ablations", __doc__)
    run_parser.add_argument("--seeds", required=True)
    run_parser.add_argument("--keep_checkpoints", action="store_true")
    arguments = run_parser.parse_args()
    config = records.read_config(arguments.folder)
    with acquire(arguments.folder.parent / ".classifier.lock", stopping=lambda: False):
        # The first process trains the classifier; the other processes read it from the cache.
        dataset = session.load_data(config.data, arguments.data_dir)
        if dataset.num_classes > 1:
            features.classifier(dataset, arguments.data_dir, config.eval.classifier_flips)
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    work(arguments.folder, seeds, arguments.data_dir, arguments.keep_checkpoints, _stop_if_requested)


if __name__ == "__main__":
    cli.execute(main)
