"""Test errors with few labels over several label subsets: python -m experiments.semi_supervised --labels 100 --seeds 10

Ctrl-C saves and stops. The same command continues, and skips the networks that have ended. --recipes list prints all
recipes.
"""

import argparse
import pathlib
import sys
import time

if not __package__:  # Started as a file: python experiments/semi_supervised
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[2])

from experiments.jobs import backends
from experiments.jobs.arguments import add_folders, check_at_least, data_dir_arguments, idx_source
from experiments.jobs.clock import format_duration
from experiments.jobs.pool import Backend, Child, run_all
from experiments.semi_supervised import one_run, plan, recipes, report, results
from gan_jax import cli
from gan_jax.data.dataset import Dataset
from gan_jax.runs.records import read_metrics
from gan_jax.system.errors import Interrupted, TrainingFailed, UserError
from gan_jax.system.interrupts import Interrupts
from gan_jax.training import session

OUTPUT = "experiments/results/semi_supervised"
_LINE_SECONDS = 60.0
# If many seeds train in one program on a GPU, scoring each of them can take longer than the steps in between.
_INTERVALS = ("eval.every_steps", "sample_every_steps", "checkpoint_every_steps")


def whole_numbers(text: str) -> tuple[int, ...]:
    """Parses numbers of labels with commas; `all` is 0."""
    try:
        return tuple(0 if word == "all" else int(word) for word in text.split(","))
    except ValueError:
        raise UserError(f"--labels={text}: whole numbers with commas, or all: --labels 20,50,100,200") from None


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.semi_supervised", description=__doc__, allow_abbrev=False
    )
    parser.add_argument("--recipes", default="improved", help="names with commas, or list (default improved)")
    parser.add_argument("--labels", default="20,50,100,200", help="numbers of labelled images with commas, or all")
    parser.add_argument("--seeds", type=int, default=10, help="label subsets (default 10)")
    parser.add_argument(
        "--members", type=int, default=1, help="networks per label subset; 10 for the paper's ensembles"
    )
    parser.add_argument("--epochs", type=int, default=0, help="replaces each recipe's own number")
    parser.add_argument(
        "--score_every", type=int, default=0, help="steps between scores, grids and checkpoints; 0: each recipe's own"
    )
    parser.add_argument(
        "--dtype", default="float32", help="of matrix products (config.dtype): float32 (default) or bfloat16"
    )
    backends.add_arguments(parser)
    parser.add_argument("--at_once", type=int, default=1, help="seeds trained in one program: 10 pays on a GPU")
    add_folders(parser, OUTPUT, "runs/semi_supervised")
    arguments = parser.parse_args()
    backends.check(arguments)
    return arguments


def _shared(arguments: argparse.Namespace) -> dict:
    """Config overrides of every recipe: the source of the images, and the interval between scores."""
    check_at_least(0, score_every=arguments.score_every)
    intervals = dict.fromkeys(_INTERVALS, arguments.score_every) if arguments.score_every else {}
    return idx_source(arguments.idx) | intervals


def _task(arguments: argparse.Namespace) -> plan.Task:
    task = plan.Task(
        names=tuple(arguments.recipes.split(",")),
        labels=whole_numbers(arguments.labels),
        draws=arguments.seeds,
        members=arguments.members,
        epochs=arguments.epochs,
        dtype=arguments.dtype,
        at_once=arguments.at_once,
        shared=_shared(arguments),
        workdir=pathlib.Path(arguments.workdir),
        output=pathlib.Path(arguments.output),
    )
    plan.check(task)
    return task


class _Progress:
    """Prints one line per minute: the share of the steps that are done, and the remaining time at the pace so far."""

    def __init__(self, waiting: dict[str, list[int]], steps: dict[str, int]):
        """steps: folder -> steps of a seed."""
        self._steps = {folder: steps[folder] * len(group) for folder, group in waiting.items()}
        self._total, self._done = sum(self._steps.values()), 0
        self._last_line_time, self._first = time.monotonic(), None

    def _steps_done(self, child: Child) -> int:
        """Steps that all seeds of a child have made together."""
        metrics = map(read_metrics, child.folder.glob("run/**/metrics.jsonl"))
        return sum(rows[-1]["step"] for rows in metrics if rows)

    def poll(self, children: list[Child]) -> None:
        now = time.monotonic()
        if now - self._last_line_time < _LINE_SECONDS:
            return
        self._last_line_time, done = now, self._done + sum(map(self._steps_done, children))
        if self._first is None:
            # Steps of earlier processes do not count for the pace of this process.
            self._first = now, done
        new_steps, remaining = done - self._first[1], self._total - done
        seconds = (now - self._first[0]) * remaining / new_steps if new_steps else None
        time_left = "measuring the pace" if seconds is None else f"{format_duration(seconds)} left"
        names = ", ".join(child.name for child in children)
        print(f"{done / self._total:6.1%}  {time_left}  {names}", flush=True)

    def ended(self, child: Child) -> None:
        self._done += self._steps[child.name]


def _run(task: plan.Task, arguments: argparse.Namespace, backend: Backend, interrupts: Interrupts) -> None:
    """Trains the missing networks, and writes the results again after every group."""
    dataset = session.load_data(task.config(*task.cells[0]).data, arguments.data_dir)
    waiting = plan.groups(task)
    steps = plan.write_configs(task, waiting, len(dataset.train.labels))
    progress = _Progress(waiting, steps)
    count = sum(map(len, waiting.values()))
    print(f"{count} networks to train in {len(waiting)} runs; results go to {task.output}", flush=True)

    def ended(child: Child, code: int) -> None:
        progress.ended(child)
        if code == 0:
            for seed in waiting[child.name]:
                record = one_run.record_of(child.folder.parent, seed)
                print(
                    f"{child.name}: seed {seed} {record['status']}, {record['test_errors']} errors of "
                    f"{record['num_test']}; {record['validation_errors']} of {record['num_validation']} held out",
                    flush=True,
                )
        elif code != Interrupted.exit_code:
            print(f"{child.name} failed: {child.last_line()}", flush=True)
        _write(task, dataset)

    stopping = lambda: bool(interrupts.received)  # noqa: E731
    further_arguments = dict.fromkeys(waiting, data_dir_arguments(arguments.data_dir))
    run_all(one_run.__name__, further_arguments, task.workdir, backend, progress.poll, ended, stopping)
    _write(task, dataset)


def _write(task: plan.Task, dataset: Dataset) -> None:
    results.write(task, dataset)
    report.write(task.output)


def main() -> None:
    arguments = _parse()
    if arguments.recipes == "list":
        for name, recipe in recipes.RECIPES.items():
            print(f"{name:<20} {recipe.title} ({recipe.spec})")
        print(f"Recorded in {recipes.RECORDS}: {', '.join(recipes.records())}")
        return
    task = _task(arguments)
    with backends.open_backend(arguments) as backend, Interrupts() as interrupts:
        _run(task, arguments, backend, interrupts)
    missing = sum(map(len, plan.groups(task).values()))
    if interrupts.received:
        raise Interrupted(f"stopped with {missing} networks to go, all saved; the same command continues")
    if missing:
        raise TrainingFailed(f"{missing} networks left no record; the same command tries them again")
    print(f"all done: {task.output / report.PAGE}")


if __name__ == "__main__":
    cli.execute(main)
