"""Searches config leaves for the best validation score: python -m experiments.search --config C KEY=VALUES ...

    python -m experiments.search --config configs/cgan.py:tuned --trials 30 \\
        'g_optimizer.learning_rate=1e-4..3e-3:log' 'generator.activation=relu|prelu|leaky_relu'

KEY=a|b|c tries a list, KEY=low..high a range, :log by its logarithm; keys with commas get the same value. The score is
the Frechet distance of the last state to held-out training images; the test split is not looked at. Trials that do
worse than the median of the others at the same step are stopped. What is not searched is changed by --config.key=value.
The same command continues. Given several times at once it shares the work: on one machine in one --workdir, on several
with --workdir and --storage=journal:FILE on a folder that all of them see, or with the URL of a database server.
"""

import argparse
import hashlib
import os
import pathlib
import warnings

import optuna
from ml_collections import ConfigDict

from experiments.jobs.arguments import check_at_least, data_dir_arguments
from experiments.search import one_trial, report, space, storage, together
from experiments.search.samplers import PRUNERS, SAMPLERS, ByNumber
from gan_jax import cli
from gan_jax.system import config as configs
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
    parser.add_argument("--trials", type=int, default=20, help="so many in all, earlier ones included (default 20)")
    parser.add_argument("--sampler", default="tpe", help=f"{', '.join(SAMPLERS)} (default tpe)")
    parser.add_argument("--pruner", default="median", help=f"{', '.join(PRUNERS)} (default median)")
    parser.add_argument("--seed", type=int, default=0, help="of the sampler; the training's is --config.seed")
    parser.add_argument("--workdir", default="runs/search", help="folder of the trials and of the report")
    parser.add_argument(
        "--storage",
        default="",
        help="where Optuna keeps the trials: journal:FILE or a URL (default SQLite in the workdir)",
    )
    parser.add_argument("--data_dir", default="", help="where prepared data lies (default: the user's cache folder)")
    return parser.parse_known_args()


def _split(rest: list[str]) -> tuple[list[str], list[str]]:
    """The words of the space, and the overrides."""
    return [word for word in rest if not word.startswith("--")], [word for word in rest if word.startswith("--")]


def _base(arguments: argparse.Namespace, overrides: list[str]) -> ConfigDict:
    """The config that the search starts from: it needs scores on the way, and none of the test split."""
    config = cli.parse_config(arguments.config, overrides)
    if not config.eval.every_steps:
        raise UserError("a search needs validation scores: set --config.eval.every_steps=200, or another number")
    if "eval.at_end" in (word.removeprefix("--config.").partition("=")[0] for word in overrides):
        raise UserError("--config.eval.at_end would score trials on the test split; leave it out")
    check_at_least(1, trials=arguments.trials)
    return config


def _study(arguments: argparse.Namespace, config: ConfigDict, leaves: list[space.Leaf], workdir: pathlib.Path):
    """The study in the storage; refused where its trials are of something else."""
    sampler = choose(SAMPLERS, arguments.sampler, "--sampler")
    address = arguments.storage or f"sqlite:///{workdir / 'search.db'}"
    study = optuna.create_study(
        study_name="search",
        pruner=choose(PRUNERS, arguments.pruner, "--pruner")(),
        sampler=ByNumber(lambda seed: sampler(seed, leaves), arguments.seed),
        storage=storage.open_storage(address),
        load_if_exists=True,
    )
    about = {"config": configs.to_json(config), "space": [leaf.text for leaf in leaves]}
    for name, value in about.items():
        if study.user_attrs.setdefault(name, value) != value:
            raise UserError(
                f"{f'--storage={address}' if arguments.storage else f'--workdir={workdir}'} holds a search of another "
                f"{name}; choose another"
                + (f", or search {'; '.join(study.user_attrs[name])}" if name == "space" else "")
            )
        study.set_user_attr(name, value)
    return study


class _Search:
    """What the trials of a search share."""

    def __init__(self, arguments: argparse.Namespace, config: ConfigDict, overrides: list[str], interrupts: Interrupts):
        self._config, self._interrupts = config, interrupts
        self._words = [f"--config={arguments.config}", *overrides, "--config.eval.at_end=false"]
        self._words += data_dir_arguments(arguments.data_dir)
        self._trials = pathlib.Path(arguments.workdir) / "trials"

    def run(self, changes: dict[str, str], hears=lambda step, score: True) -> one_trial.Outcome:
        """Trains with `changes` in the folder that they name: the same ones are never trained twice."""
        words = [*self._words, *(f"--config.{key}={text}" for key, text in sorted(changes.items()))]
        config = ConfigDict(self._config.to_dict()).lock()
        configs.override(config, changes | {"eval.at_end": "false"}, parse=True)
        folder = self._trials / hashlib.sha256(configs.to_json(config).encode()).hexdigest()[:12]
        return one_trial.run(words, config, folder, hears, lambda: bool(self._interrupts.received))

    def objective(self, trial: optuna.Trial, leaves: list[space.Leaf]) -> float:
        """The last validation score of a trial; one that failed or is refused counts as pruned: worse than any."""
        changes = space.suggest(trial, leaves)

        def hears(step: int, score: float) -> bool:
            trial.report(score, step)
            return not trial.should_prune()

        outcome = self.run(changes, hears)
        for name, value in (("changes", changes), ("outcome", outcome._replace(scores={})._asdict())):
            trial.set_user_attr(name, value)
        print(report.progress_line(trial.number, outcome, changes), flush=True)
        if outcome.end != "completed":
            raise optuna.TrialPruned
        return list(outcome.scores.values())[-1]


def _optimize(search: _Search, study: optuna.Study, leaves: list[space.Leaf], trials: int, interrupts) -> None:
    together.optimize(study, lambda trial: search.objective(trial, leaves), trials, interrupts)


def main() -> None:
    arguments, rest = _parse()
    words, overrides = _split(rest)
    config = _base(arguments, overrides)
    leaves = [space.parse(word, config) for word in words]
    space.check(leaves)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    workdir = pathlib.Path(arguments.workdir)
    with writing(f"--workdir={workdir}"):
        workdir.mkdir(parents=True, exist_ok=True)
    study = _study(arguments, config, leaves, workdir)
    trials = min(arguments.trials, space.size(leaves)) if arguments.sampler == "grid" else arguments.trials
    with Interrupts() as interrupts:
        search = _Search(arguments, config, overrides, interrupts)
        print(f"{arguments.config} as it is, then {trials} trials of " + "; ".join(leaf.text for leaf in leaves))
        untuned = search.run({})
        print(report.progress_line(None, untuned, {}), flush=True)
        _optimize(search, study, leaves, trials, interrupts)
    print(report.write(study, untuned, arguments.config, overrides, workdir))


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    cli.execute(main)
