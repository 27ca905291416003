"""Runs ablation studies, a few seeds for each arm: python -m experiments.ablations [--preset full] [--studies loss]

Ctrl-C saves and stops. The same command continues, and skips the seeds that have ended.
"""

import argparse
import pathlib
import sys
import time
from collections import Counter

if not __package__:  # Started as a file: python experiments/ablations
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[2])

from experiments.ablations import finished, one_run, plan, results, until_decided
from experiments.ablations.presets import PRESETS
from experiments.ablations.progress import Progress
from experiments.compare import options
from experiments.compare.session import BUDGET_SPENT
from experiments.jobs import backends, records
from experiments.jobs.arguments import add_folders, check_at_least, data_dir_arguments, idx_source
from experiments.jobs.clock import format_duration
from experiments.jobs.pool import Backend, Child, run_all
from gan_jax import cli
from gan_jax.system import config as configs
from gan_jax.system.errors import Interrupted, UserError
from gan_jax.system.interrupts import Interrupts

OUTPUT = "experiments/results/ablations"
_QUICK = "QUICK preset: not for conclusions"


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m experiments.ablations", description=__doc__, allow_abbrev=False)
    parser.add_argument("--preset", default="quick", help=f"{', '.join(PRESETS)} (default quick)")
    parser.add_argument(
        "--studies", help="with commas: names of configs/ablations, or paths of your own files (default: the preset's)"
    )
    parser.add_argument("--bases", help="tutorial,tuned,cdcgan (default: the preset's, as far as a study has them)")
    parser.add_argument("--seeds", type=int, help="number of seeds: 0, 1, ... (default: the preset's)")
    parser.add_argument(
        "--baseline_seeds",
        type=int,
        help="of the arm that the others are compared with (default: --seeds; full preset: times sqrt(other arms))",
    )
    parser.add_argument(
        "--until",
        default="",
        metavar="decided",
        help="decided: add seeds until every arm has a verdict, as experiments.compare does",
    )
    options.add_arguments(parser)
    parser.add_argument("--steps", type=int, help="generator updates of the bases (default: the preset's)")
    backends.add_arguments(parser)
    add_folders(parser, OUTPUT, "runs/ablations")
    parser.set_defaults(output="")  # output_folder chooses, so that quick results never replace the full preset's.
    parser.add_argument(
        "--keep_checkpoints", action="store_true", help="about 0.15 GB a seed; by default only its scores are kept"
    )
    parser.add_argument(
        "--list", action="store_true", help="print the studies, their arms and the number of runs, and run nothing"
    )
    arguments = parser.parse_args()
    preset = configs.choose(PRESETS, arguments.preset, "--preset")
    _check_until(parser, arguments)
    for name in ("seeds", "steps"):
        if getattr(arguments, name) is None:
            setattr(arguments, name, getattr(preset, name))
    check_at_least(1, seeds=arguments.seeds, steps=arguments.steps)
    if arguments.baseline_seeds is not None:
        check_at_least(arguments.seeds, baseline_seeds=arguments.baseline_seeds)
    for name in ("studies", "bases"):
        text = getattr(arguments, name)
        setattr(arguments, name, tuple(text.split(",")) if text else ())
    plan.check(arguments.studies, arguments.bases)
    backends.check(arguments)
    return arguments


def _check_until(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """UserError for arguments that only one of the two ways to choose the seeds has."""
    if arguments.until:
        configs.choose(["decided"], arguments.until, "--until")
        for name in ("seeds", "baseline_seeds"):
            if getattr(arguments, name) is not None:
                raise UserError(f"--{name} is a fixed number of seeds; leave it out with --until decided (--max_seeds)")
        options.rule_and_budget(arguments)
        return
    for name in options.NAMES:
        if getattr(arguments, name) != parser.get_default(name):
            raise UserError(f"--{name} is for seeds until a verdict; add --until decided, or leave it out")


def _shared(arguments: argparse.Namespace) -> dict:
    """Config overrides of every run."""
    preset = PRESETS[arguments.preset]
    data = idx_source(arguments.idx) or preset.data
    return data | {"eval.num_images": preset.validation_images, "eval.at_end_num_images": preset.num_images}


def _list(arguments: argparse.Namespace) -> None:
    """Prints the named studies (all if none was named), and the runs of every preset."""
    studies, bases = arguments.studies or plan.STUDIES, arguments.bases or PRESETS["full"].bases
    arms = plan.plan(studies, bases, arguments.steps, _shared(arguments))
    for study in sorted({arm.study for arm in arms}):
        counts = Counter(arm.base for arm in arms if arm.study == study)
        number = ", ".join(f"{base} {count}" for base, count in counts.items())
        print(f"{plan.title(study):<20} {number:<36} {plan.module(study).__doc__.strip().splitlines()[0]}")
    print(f"{len(arms)} arms, {len(plan.distinct(arms))} distinct runs")
    for name, preset in PRESETS.items():
        runs = len(plan.distinct(plan.plan(preset.studies, preset.bases, arguments.steps, _shared(arguments))))
        which = "all studies" if preset.studies == plan.STUDIES else ", ".join(preset.studies)
        print(f"--preset {name}: {which} on {', '.join(preset.bases)}; {runs} runs x {preset.seeds} seeds")


def _prepare(campaign: results.Campaign, runs: dict[str, plan.Arm], missing: dict[str, list[int]]) -> None:
    """Makes the folders of the runs to train, and deletes the records of crashed seeds that are tried again."""
    for name, seeds in missing.items():
        records.write_config(campaign.workdir / name, runs[name].config)
        for seed in seeds:
            one_run.record_path(campaign.workdir / name, seed).unlink(missing_ok=True)


def _run(campaign: results.Campaign, arguments: argparse.Namespace, backend: Backend, interrupts: Interrupts) -> None:
    """Trains the missing seeds, and writes the files of results again after every run."""
    runs, missing = plan.distinct(campaign.arms), results.missing(campaign)
    extra = data_dir_arguments(arguments.data_dir)
    extra += ["--keep_checkpoints"] if arguments.keep_checkpoints else []
    waiting = {name: ["--seeds", ",".join(map(str, seeds)), *extra] for name, seeds in missing.items()}
    # What only files of results have stays as it is.
    if done := [name for name in set(runs) - set(missing) if (campaign.workdir / name).is_dir()]:
        results.write(campaign, done)
    progress = Progress(runs, missing, campaign.steps, backend.jobs)
    size = f"{len(campaign.arms)} arms, {len(runs)} distinct runs x {_seeds(campaign)}"
    seeds = sum(map(len, missing.values()))
    estimate = f"{format_duration(progress.clock.seconds_left())} by a rough model of two free cores"
    print(f"{size}; to train {seeds}, {estimate}" if seeds else f"{size}, all done", flush=True)

    def ended(child: Child, code: int) -> None:
        seeds = progress.unwritten(child)
        if code not in (0, Interrupted.exit_code) and not interrupts.received:
            one_run.write_crashed(child, code, seeds)
        results.write(campaign, [child.name])

    _prepare(campaign, runs, missing)
    stopping = lambda: bool(interrupts.received)  # noqa: E731
    run_all(one_run.__name__, waiting, campaign.workdir, backend, progress.poll, ended, stopping)


def _decide(
    campaign: results.Campaign, arguments: argparse.Namespace, backend: Backend, interrupts: Interrupts
) -> None:
    """Trains seeds until every arm has a verdict, and writes the files of results with all of them."""
    extra, stopping = data_dir_arguments(arguments.data_dir), lambda: bool(interrupts.received)
    decided = until_decided.run(campaign.arms, campaign.workdir, arguments, backend, extra, stopping)
    results.write(campaign, plan.distinct(campaign.arms))
    if interrupts.received:
        raise Interrupted("stopped, all saved; the same command continues")
    done = sum(decided.values())
    print(f"{done} of {len(decided)} studies have a verdict on every arm. Results in {campaign.output}")
    if done < len(decided):
        print(BUDGET_SPENT)


def _seeds(campaign: results.Campaign) -> str:
    more = f" ({campaign.baseline_seeds} of a baseline)" if campaign.baseline_seeds != campaign.seeds else ""
    return f"{campaign.seeds} seeds{more}"


def _baseline_seeds(arguments: argparse.Namespace, arms: list[plan.Arm]) -> int:
    """Seeds of every baseline: as named, or by the preset for the study with the most arms."""
    if arguments.baseline_seeds is not None:
        return arguments.baseline_seeds
    most = max(Counter((arm.study, arm.base) for arm in arms if not arm.is_baseline).values(), default=1)
    return PRESETS[arguments.preset].baseline_seeds(arguments.seeds, most)


def _summary(campaign: results.Campaign, seconds: float) -> None:
    """Prints how the seeds ended; Interrupted if some seeds have no record."""
    runs, failed, missing = plan.distinct(campaign.arms), Counter(), 0
    for name in runs:
        for seed in campaign.seeds_of(name):
            record = campaign.record(name, seed)
            missing += record is None
            failed[record["status"] if record else "completed"] += 1
    del failed["completed"]
    if missing:
        raise Interrupted(f"stopped with {missing} seeds to go, all saved; the same command continues")
    ends = ", ".join(f"{count} {status}" for status, count in sorted(failed.items())) or "none failed"
    print(f"{len(runs)} runs x {_seeds(campaign)}, {ends}; {format_duration(seconds)}. Results in {campaign.output}")


def main() -> None:
    arguments = _parse()
    if arguments.list:
        _list(arguments)
        return
    preset, workdir, start_time = PRESETS[arguments.preset], pathlib.Path(arguments.workdir), time.monotonic()
    names = arguments.studies or preset.studies
    arms = plan.plan(names, arguments.bases or preset.bases, arguments.steps, _shared(arguments))
    output = results.output_folder(arguments.output, OUTPUT, workdir, arguments.preset, arms)
    already = finished.find(arms, workdir, output, arguments.preset)
    campaign = results.Campaign(
        already.arms,
        arguments.preset,
        arguments.steps,
        arguments.seeds,
        workdir,
        output,
        _baseline_seeds(arguments, arms),
        already.seeds,
        bool(arguments.until),
    )
    to_train = plan.distinct(already.arms) if arguments.until else results.missing(campaign)
    finished.check_versions(already, to_train, output)
    notice = f"{_QUICK}; " if arguments.preset == "quick" else ""
    print(f"{notice}{arguments.steps} updates, {preset.num_images} images a score; results go to {output}")
    with backends.open_backend(arguments) as backend, Interrupts() as interrupts:
        if arguments.until:
            _decide(campaign, arguments, backend, interrupts)
        else:
            _run(campaign, arguments, backend, interrupts)
            _summary(campaign, time.monotonic() - start_time)
    if notice:
        print(_QUICK)


if __name__ == "__main__":
    cli.execute(main)
