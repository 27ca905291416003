"""Did a change matter? python -m experiments.compare --config configs/cdcgan.py objective=lsgan

Trains seeds of the base and of each change until it knows: better, worse, no difference larger than the margin, fails
more often, or until the budget is spent. An arm is a change (several in quotes), a config file, or NAME: and a change.
Ctrl-C saves and stops; the same command continues, also with a larger budget. Writes compare.html and compare.json.
"""

import argparse
import math
import pathlib
import re
import sys

if not __package__:  # Started as a file: python experiments/compare
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[2])

from experiments.compare import arms as arms_of
from experiments.compare import finished, page, planning, sequential
from experiments.compare.rounds import Budget, Rounds
from experiments.compare.sequential import BASE, UNDECIDED, ArmLook, Rule
from experiments.compare.workdir import Workdir, data_of
from experiments.jobs import backends
from experiments.jobs.arguments import check_at_least, data_dir_arguments
from experiments.reporting.measures import METRICS
from gan_jax import cli
from gan_jax.system.config import choose
from gan_jax.system.errors import Interrupted, UserError
from gan_jax.system.interrupts import Interrupts
from gan_jax.training import session

SCORES = {"frechet_distance": True, "conditional_accuracy": False, "recall": False}  # name -> lower is better
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text: str) -> float:
    """Seconds of "90m" or "2h"."""
    if not (match := re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text)):
        raise UserError(f"--budget={text}: a number and a unit, such as 90m, 2h or 1d")
    return float(match[1]) * _UNITS[match[2]]


def margin(text: str, score: str) -> float:
    """The margin on the scale of the analysis, of "10%"; of a share, 2% are two points."""
    if not text:
        return METRICS[score].margin_on_scale
    match = re.fullmatch(r"(\d+(?:\.\d+)?)%", text)
    if not match or not 0 < float(match[1]) < 1000:
        raise UserError(f"--margin={text}: the smallest difference that matters, such as 10%")
    share = float(match[1]) / 100
    return math.log1p(share) if METRICS[score].scale == "log" else share


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m experiments.compare", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "arms", nargs="*", metavar="ARM", help='key=value, "key=value key=value", NAME:key=value, file.py'
    )
    parser.add_argument("--config", default="", help="the base")
    parser.add_argument(
        "--runs", nargs="+", default=[], help="workdirs of finished runs of the base: nothing is trained"
    )
    parser.add_argument("--against", nargs="+", default=[], help="workdirs of finished runs of the change")
    parser.add_argument(
        "--shared", default="", help='overrides of the base and of every arm: "num_steps=500 data.dir=P"'
    )
    parser.add_argument("--score", default="frechet_distance", help=f"{', '.join(SCORES)} (default frechet_distance)")
    parser.add_argument("--margin", default="", help="smallest difference that matters, such as 10%% (the default)")
    parser.add_argument("--error_rate", type=float, default=0.05, help="of the whole comparison (default 0.05)")
    parser.add_argument("--budget", default="", help="time, such as 2h; without it, until decided or --max_seeds")
    parser.add_argument("--max_seeds", type=int, default=42, help="of one arm (default 42)")
    parser.add_argument("--plan", action="store_true", help="print what a budget can decide, and train nothing")
    parser.add_argument("--sd", type=float, default=planning.TYPICAL_SD, help="for --plan: noise of a seed (0.07)")
    parser.add_argument("--workdir", default="runs/compare", help="folder of the runs and the page (runs/compare)")
    parser.add_argument("--data_dir", default="", help="folder of prepared data (default: the user's cache folder)")
    backends.add_arguments(parser)
    arguments = parser.parse_args()
    choose(SCORES, arguments.score, "--score")
    check_at_least(3, max_seeds=arguments.max_seeds)
    if not 0 < arguments.error_rate < 0.5:
        raise UserError(f"--error_rate={arguments.error_rate}: must be between 0 and 0.5")
    if bool(arguments.runs) != bool(arguments.against) or bool(arguments.runs) == bool(arguments.config):
        raise UserError("give --config BASE and arms, or finished runs: --runs FOLDER ... --against FOLDER ...")
    if bool(arguments.config) != bool(arguments.arms):
        raise UserError("give an arm to compare with the base, such as objective=lsgan (and no arms with --runs)")
    backends.check(arguments)
    return arguments


def _show(rule: Rule, looks: list[dict[str, ArmLook]]) -> None:
    """The verdicts as a table in the terminal."""
    table = page.verdict_table(rule, looks)
    rows = [[cell if isinstance(cell, str) else cell.text for cell in row] for row in [table.head, *table.rows]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    print(f"look {len(looks)}")
    for row in rows:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip(), flush=True)


def _report(comparison: page.Comparison) -> None:
    """Writes the page and prints its sentences."""
    written = page.write(comparison)
    for name, look in comparison.looks[-1].items():
        print(page.sentence(name, look, comparison.rule))
    print(f"page {written} (open it in a browser), data {written.with_name('compare.json')}")


def _compare_finished(rule: Rule, arguments: argparse.Namespace) -> None:
    """One look at finished runs."""
    folders = {
        BASE: finished.folders(arguments.runs, "--runs"),
        "changed": finished.folders(arguments.against, "--against"),
    }
    study = finished.study_of(folders)
    looks = [sequential.look(1, rule, data_of(study, rule.score), {})]
    _show(rule, looks)
    runs = {name: pathlib.Path(paths[0]) for name, paths in folders.items()}
    _report(page.Comparison(rule, finished.arms_of(folders), looks, study, runs, pathlib.Path(arguments.workdir)))


def _train_and_compare(rule: Rule, arguments: argparse.Namespace) -> None:
    """Rounds of runs and looks, until all arms are decided or the budget is spent."""
    budget = Budget(seconds(arguments.budget) if arguments.budget else None, arguments.max_seeds)
    arms = arms_of.parse(arguments.config, arguments.shared, arguments.arms)
    arms = arms_of.checked(arms, session.load_data(arms[0].config.data, arguments.data_dir))
    if arguments.plan:
        planning.show(rule, arms, budget, arguments.sd, arguments.jobs or 1, arguments.data_dir)
        return
    workdir = Workdir(pathlib.Path(arguments.workdir), rule, arms)
    workdir.start()
    extra = data_dir_arguments(arguments.data_dir)
    with backends.open_backend(arguments) as backend, Interrupts() as interrupts:
        rounds = Rounds(workdir, budget, backend, extra, lambda: bool(interrupts.received))
        looks = rounds.run(lambda looks: _show(rule, looks))
    if looks:
        runs = {arm.name: workdir.path / arm.hash / "seed-0" for arm in workdir.arms}
        _report(page.Comparison(rule, arms, looks, workdir.study(), runs, workdir.path))
    if interrupts.received:
        raise Interrupted(f"stopped, all saved; the same command with --workdir={workdir.path} continues")
    if not looks or any(look.verdict == UNDECIDED for look in looks[-1].values()):
        print("undecided: budget spent. The same command with a larger --budget or --max_seeds continues")


def main() -> None:
    arguments = _parse()
    lower_is_better = SCORES[arguments.score]
    rule = Rule(arguments.score, lower_is_better, margin(arguments.margin, arguments.score), arguments.error_rate)
    (_compare_finished if arguments.runs else _train_and_compare)(rule, arguments)


if __name__ == "__main__":
    cli.execute(main)
