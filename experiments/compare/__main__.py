"""Did a change matter? python -m experiments.compare --config configs/cdcgan.py objective=lsgan

Trains seeds of the base and of each change until it knows: better, worse, no difference larger than the margin, fails
more often, or until the budget is spent. An arm is a change (several in quotes), a config file, or NAME: and a change.
Ctrl-C saves and stops; the same command continues, also with a larger budget. Writes compare.html and compare.json.
"""

import argparse
import pathlib
import sys

if not __package__:  # Started as a file: python experiments/compare
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[2])

from experiments.compare import arms as arms_of
from experiments.compare import finished, options, page, planning, prior, sequential, session
from experiments.compare.rounds import Budget, Rounds
from experiments.compare.sequential import BASE, Rule
from experiments.compare.workdir import Workdir, data_of
from experiments.jobs import backends
from experiments.jobs.arguments import data_dir_arguments
from gan_jax import cli
from gan_jax.runs.dataset import load_data
from gan_jax.system.errors import Interrupted, UserError
from gan_jax.system.interrupts import Interrupts


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
    options.add_arguments(parser)
    parser.add_argument(
        "--prior",
        action="append",
        default=[],
        metavar="FOLDER",
        help="earlier runs or results on the same data, which say how much a seed moves the score (may be repeated)",
    )
    parser.add_argument("--plan", action="store_true", help="print what a budget can decide, and train nothing")
    parser.add_argument("--sd", type=float, default=planning.TYPICAL_SD, help="for --plan: noise of a seed (0.07)")
    parser.add_argument("--workdir", default="runs/compare", help="folder of the runs and the page (runs/compare)")
    parser.add_argument("--data_dir", default="", help="folder of prepared data (default: the user's cache folder)")
    backends.add_arguments(parser)
    arguments = parser.parse_args()
    if bool(arguments.runs) != bool(arguments.against) or bool(arguments.runs) == bool(arguments.config):
        raise UserError("give --config BASE and arms, or finished runs: --runs FOLDER ... --against FOLDER ...")
    if bool(arguments.config) != bool(arguments.arms):
        raise UserError("give an arm to compare with the base, such as objective=lsgan (and no arms with --runs)")
    backends.check(arguments)
    return arguments


def _compare_finished(rule: Rule, arguments: argparse.Namespace) -> None:
    """One look at finished runs, which spends the whole error rate."""
    rule = rule._replace(one_look=True)
    folders = {
        BASE: finished.folders(arguments.runs, "--runs"),
        "changed": finished.folders(arguments.against, "--against"),
    }
    study = finished.study_of(folders)
    looks = [sequential.look(1, rule, data_of(study, rule.score), {})]
    session.show(rule, looks)
    runs, path = {name: pathlib.Path(paths[0]) for name, paths in folders.items()}, pathlib.Path(arguments.workdir)
    session.report(page.Comparison(rule, prior.NONE, finished.arms_of(folders), looks, study, runs, path))


def _train_and_compare(rule: Rule, budget: Budget, arguments: argparse.Namespace) -> None:
    """Rounds of runs and looks, until all arms are decided or the budget is spent."""
    arms = arms_of.parse(arguments.config, arguments.shared, arguments.arms)
    dataset = load_data(arms[0].config.data, arguments.data_dir)
    arms = arms_of.checked(arms, dataset)
    earlier = prior.NONE
    if arguments.prior:
        earlier = prior.read_prior(arguments.prior, rule, arms[0], dataset, arguments.data_dir)
    if arguments.plan:
        sd = earlier.describe().get("sd", arguments.sd)
        planning.show(rule, arms, budget, sd, arguments.jobs or 1, arguments.data_dir)
        return
    workdir = Workdir(pathlib.Path(arguments.workdir), rule, arms)
    extra = data_dir_arguments(arguments.data_dir)
    with backends.open_backend(arguments) as backend, Interrupts() as interrupts:
        rounds = Rounds(workdir, budget, earlier, backend, extra, lambda: bool(interrupts.received))
        all_decided = session.decide(rounds)
    if interrupts.received:
        raise Interrupted(f"stopped, all saved; the same command with --workdir={workdir.path} continues")
    if not all_decided:
        print(session.BUDGET_SPENT)


def main() -> None:
    arguments = _parse()
    rule, budget = options.rule_and_budget(arguments)
    if arguments.runs:
        _compare_finished(rule, arguments)
    else:
        _train_and_compare(rule, budget, arguments)


if __name__ == "__main__":
    cli.execute(main)
