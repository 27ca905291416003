"""Searches config leaves for the best validation score: python -m experiments.search --config C KEY=VALUES ...

    python -m experiments.search --config configs/cgan.py:tuned --trials 30 \\
        'g_optimizer.learning_rate=1e-4..3e-3:log' 'generator.activation=relu|prelu|leaky_relu'

KEY=a|b|c tries the values of a list, KEY=low..high a range, and KEY=low..high:log a range by its logarithm. Keys joined
by commas get the same value. The score is the Frechet distance of the last state to held-out training images; the test
split is not used. A trial stops if it is worse than the median of the other trials at the same step. Other leaves are
changed by --config.key=value.

The same command continues a search. Several processes can share a search: on one machine, run the command several times
with the same --workdir; on several machines, also use --storage=journal:FILE (with --workdir and FILE on a shared
folder) or the URL of a database server.
"""

import argparse
import os
import pathlib
import sys
import warnings

if not __package__:  # Started as a file: python experiments/search
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[2])

import optuna
from ml_collections import ConfigDict

from experiments.jobs.arguments import check_at_least, data_dir_arguments
from experiments.jobs.folders import Folders
from experiments.search import one_trial, report, space, storage, together
from experiments.search.samplers import PRUNERS, SAMPLERS, ByNumber
from gan_jax import cli
from gan_jax.system import config as configs
from gan_jax.system import recorded
from gan_jax.system.config import choose
from gan_jax.system.errors import UserError
from gan_jax.system.files import writing
from gan_jax.system.interrupts import Interrupts


def _parse() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.search",
        description=__doc__,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", required=True, help="config file, or file:variant")
    parser.add_argument(
        "--trials", type=int, default=20, help="number of trials, with those of earlier commands (default 20)"
    )
    parser.add_argument("--sampler", default="tpe", help=f"{', '.join(SAMPLERS)} (default tpe)")
    parser.add_argument("--pruner", default="median", help=f"{', '.join(PRUNERS)} (default median)")
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the sampler; the seed of training is --config.seed"
    )
    parser.add_argument("--workdir", default="runs/search", help="folder of the trials and of the report")
    parser.add_argument(
        "--storage",
        default="",
        help="Optuna's storage of the trials: journal:FILE or a URL (default SQLite in the workdir)",
    )
    parser.add_argument("--data_dir", default="", help="folder of prepared data (default: the user's cache folder)")
    return parser.parse_known_args()


def _split(unparsed: list[str]) -> tuple[list[str], list[str]]:
    """(arguments of the search space, overrides of the config)."""
    space_arguments = [argument for argument in unparsed if not argument.startswith("--")]
    return space_arguments, [argument for argument in unparsed if argument.startswith("--")]


def _base(arguments: argparse.Namespace, overrides: list[str]) -> ConfigDict:
    """The config that the search changes; UserError if it has no validation scores, or has scores of the test split."""
    config = cli.parse_config(arguments.config, overrides)
    if not config.eval.every_steps:
        raise UserError("a search needs validation scores: set --config.eval.every_steps=200, or another number")
    if "eval.at_end" in (word.removeprefix("--config.").partition("=")[0] for word in overrides):
        raise UserError("--config.eval.at_end would score trials on the test split; leave it out")
    check_at_least(1, trials=arguments.trials)
    return config


def _study(
    arguments: argparse.Namespace, config: ConfigDict, leaves: list[space.Leaf], kept: optuna.storages.BaseStorage
) -> optuna.Study:
    """The study in a storage; UserError if the study is of another config or another space."""
    sampler = choose(SAMPLERS, arguments.sampler, "--sampler")
    study = optuna.create_study(
        study_name="search",
        pruner=choose(PRUNERS, arguments.pruner, "--pruner")(),
        sampler=ByNumber(lambda seed: sampler(seed, leaves), arguments.seed),
        storage=kept,
        load_if_exists=True,
    )
    searched = {"config": configs.to_json(config), "space": [leaf.text for leaf in leaves]}
    for name, value in searched.items():
        before = study.user_attrs.get(name, value)
        is_same = before == value or (name == "config" and not configs.differences(recorded.from_json(before), config))
        if not is_same:
            flag = "storage" if arguments.storage else "workdir"
            raise UserError(
                f"--{flag}={getattr(arguments, flag)} holds a search of another {name}; choose another"
                + (f", or search {'; '.join(study.user_attrs[name])}" if name == "space" else "")
            )
        study.set_user_attr(name, value)
    return study


class _Search:
    """Runs the trials of a search."""

    def __init__(self, arguments: argparse.Namespace, config: ConfigDict, overrides: list[str], interrupts: Interrupts):
        self._config, self._interrupts = config, interrupts
        self._arguments = [f"--config={arguments.config}", *overrides, "--config.eval.at_end=false"]
        self._arguments += data_dir_arguments(arguments.data_dir)
        self._trials = pathlib.Path(arguments.workdir) / "trials"
        self._folders = Folders(self._trials, 12, ignored=())

    def run(self, changes: dict[str, str], report_score=lambda step, score: True) -> one_trial.Outcome:
        """Trains with `changes`. The folder is found by its config, so no config is trained twice."""
        training_arguments = [*self._arguments, *(f"--config.{key}={text}" for key, text in sorted(changes.items()))]
        config = ConfigDict(self._config.to_dict()).lock()
        configs.override(config, changes | {"eval.at_end": "false"}, parse=True)
        folder = self._trials / self._folders.name(config)
        return one_trial.run(training_arguments, config, folder, report_score, lambda: bool(self._interrupts.received))

    def objective(self, trial: optuna.Trial, leaves: list[space.Leaf]) -> float:
        """The last validation score of a trial. A failed or refused trial counts as pruned: worse than all others."""
        changes = space.suggest(trial, leaves)

        def report_score(step: int, score: float) -> bool:
            trial.report(score, step)
            return not trial.should_prune()

        outcome = self.run(changes, report_score)
        for name, value in (("changes", changes), ("outcome", outcome._replace(scores={})._asdict())):
            trial.set_user_attr(name, value)
        print(report.progress_line(trial.number, outcome, changes), flush=True)
        if outcome.end != "completed":
            raise optuna.TrialPruned
        return list(outcome.scores.values())[-1]


def _optimize(search: _Search, study: optuna.Study, leaves: list[space.Leaf], trials: int, interrupts) -> None:
    together.optimize(study, lambda trial: search.objective(trial, leaves), trials, interrupts)


def main() -> None:
    arguments, unparsed = _parse()
    space_arguments, overrides = _split(unparsed)
    config = _base(arguments, overrides)
    leaves = [space.parse(argument, config) for argument in space_arguments]
    space.check(leaves)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    workdir = pathlib.Path(arguments.workdir)
    with writing(f"--workdir={workdir}"):
        workdir.mkdir(parents=True, exist_ok=True)
    trials = min(arguments.trials, space.size(leaves)) if arguments.sampler == "grid" else arguments.trials
    address = arguments.storage or f"sqlite:///{workdir / 'search.db'}"
    with storage.opened(address) as kept, Interrupts() as interrupts:
        study = _study(arguments, config, leaves, kept)
        search = _Search(arguments, config, overrides, interrupts)
        print(f"{arguments.config} as it is, then {trials} trials of " + "; ".join(leaf.text for leaf in leaves))
        untuned = search.run({})
        print(report.progress_line(None, untuned, {}), flush=True)
        _optimize(search, study, leaves, trials, interrupts)
        print(report.write(study, untuned, arguments.config, overrides, workdir))


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    cli.execute(main)
