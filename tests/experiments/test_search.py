"""The search: the syntax of a space, trials in real processes, pruning, resuming, the report, wrong arguments."""

import contextlib
import importlib
import json
import sys

import optuna
import pytest

from experiments.search import one_trial, report, space, storage
from gan_jax.system import config as configs
from gan_jax.system.errors import Interrupted, UserError
from tests.experiments import stand_in_training
from tests.tiny import run

search = importlib.import_module("experiments.search.__main__")


@pytest.fixture
def fake_training(monkeypatch):
    """Trials start stand_in_training.py instead of a training."""
    monkeypatch.setattr(one_trial, "COMMAND", (sys.executable, stand_in_training.__file__))
    monkeypatch.setattr(one_trial, "_POLL_SECONDS", 0.02)


def base():
    return configs.load("configs/cgan.py:tuned")


ARGUMENTS = ["--config", "configs/cgan.py:tuned", "g_optimizer.learning_rate=1e-5|1e-4|1e-3|1e-2"]


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("g_optimizer.learning_rate=1e-4..1e-2:log", {"low": 1e-4, "high": 1e-2, "log": True, "whole": False}),
        ("batch_size=32..128", {"low": 32, "high": 128, "log": False, "whole": True}),
        ("g_optimizer.b1=0..0.9", {"low": 0, "high": 0.9}),
        ("generator.activation=relu|prelu", {"choices": ("relu", "prelu")}),
        ("generator.widths=64,64|128,128", {"choices": ("64,64", "128,128")}),
    ],
)
def test_arguments_of_a_space(argument, expected):
    leaf = space.parse(argument, base())
    assert {name: getattr(leaf, name) for name in expected} == expected


def test_keys_with_commas_share_a_value():
    leaf = space.parse("d_optimizer.b1,g_optimizer.b1=0.0|0.5", base())
    trial = optuna.trial.FixedTrial({leaf.name: "0.5"})
    assert space.suggest(trial, [leaf]) == {"d_optimizer.b1": "0.5", "g_optimizer.b1": "0.5"}


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("g_optimizer.learning_rat=1..2", "did you mean g_optimizer.learning_rate"),
        ("g_optimizer.learning_rate", "KEY=a|b|c"),
        ("g_optimizer.learning_rate=2..1", "low < high"),
        ("g_optimizer.learning_rate=0..1:log", "above 0"),
        ("batch_size=1.5..3", "whole numbers"),
        ("batch_size=8|many", "a whole number"),
        ("generator.activation=relu|relu", "different values"),
        ("generator.activation=relu", "two or more"),
        ("generator.activation=1..2", "expected"),
        ("g_optimizer.learning_rate=1e..2", "low..high"),
    ],
)
def test_wrong_spaces_are_named(argument, message):
    with pytest.raises(UserError, match=message.replace("|", r"\|")):
        space.parse(argument, base())


@pytest.fixture
def load_study():
    """The study of a search's workdir; its database is closed at the end of the test."""
    with contextlib.ExitStack() as stack:
        yield lambda workdir: optuna.load_study(
            study_name="search", storage=stack.enter_context(storage.opened(f"sqlite:///{workdir / 'search.db'}"))
        )


def test_a_search_finds_the_best_value_resumes_and_reports(fake_training, load_study, tmp_path, capsys):
    arguments = [*ARGUMENTS, "--sampler", "grid", "--workdir", tmp_path / "w", "--pruner", "none"]
    assert run(search, *arguments, "--trials", 2) == 0
    assert run(search, *arguments, "--trials", 4) == 0
    starts = [path.read_text().count("start") for path in (tmp_path / "w" / "trials").glob("*/starts.txt")]
    # Four values and the unchanged config. Each trial is trained once; both commands start the unchanged config.
    assert sorted(starts) == [1, 1, 1, 1, 2]
    study = load_study(tmp_path / "w")
    assert study.best_trial.user_attrs["changes"] == {"g_optimizer.learning_rate": "1e-3"}
    assert study.best_value == pytest.approx(1.25)
    page = (tmp_path / "w" / "search.md").read_text()
    assert "## Untuned" in page
    assert "## Tuned" in page
    assert "--config.g_optimizer.learning_rate=1e-3 --config.seed=1000" in page
    assert (tmp_path / "w" / "search.png").stat().st_size > 5000
    assert "best 1.25: g_optimizer.learning_rate=1e-3" in capsys.readouterr().out


@pytest.mark.thorough
def test_a_search_continues_after_the_default_config_has_got_a_key(fake_training, tmp_path, add_key):
    arguments = [*ARGUMENTS, "--sampler", "grid", "--workdir", tmp_path / "w", "--pruner", "none"]
    assert run(search, *arguments, "--trials", 2) == 0
    add_key()
    assert run(search, *arguments, "--trials", 4) == 0
    starts = [path.read_text().count("start") for path in (tmp_path / "w" / "trials").glob("*/starts.txt")]
    assert sorted(starts) == [1, 1, 1, 1, 2]
    assert run(search, *arguments, "--trials", 4, "--config.made_up=2") == 2


@pytest.mark.thorough
def test_a_trial_worse_than_the_median_is_stopped(fake_training, load_study, tmp_path):
    arguments = ["--config", "configs/cgan.py:tuned", "g_optimizer.learning_rate=1e-3|1.1e-3|1.2e-3|1.3e-3|1|2"]
    assert run(search, *arguments, "--sampler=grid", "--trials", 6, "--seed", 3, "--workdir", tmp_path / "w") == 0
    study = load_study(tmp_path / "w")
    pruned = [trial for trial in study.trials if trial.state == optuna.trial.TrialState.PRUNED]
    assert study.best_value < 1.3
    assert {trial.user_attrs["changes"]["g_optimizer.learning_rate"] for trial in pruned} <= {"1", "2"}


@pytest.mark.parametrize(("rate", "end"), [("10.0", "refused"), ("100.0", "crashed")])
def test_a_failed_trial_is_recorded_and_the_search_continues(fake_training, tmp_path, rate, end, capsys):
    arguments = ["--config", "configs/cgan.py:tuned", f"g_optimizer.learning_rate=1e-3|{rate}"]
    assert run(search, *arguments, "--sampler=grid", "--trials", 2, "--workdir", tmp_path / "w") == 0
    assert end in (tmp_path / "w" / "search.md").read_text()
    assert "error" not in capsys.readouterr().err


def test_an_interrupted_trial_continues_with_the_same_values(fake_training, tmp_path):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    leaf = space.parse("g_optimizer.learning_rate=1e-4..1e-2:log", base())
    folder, calls = tmp_path / "trial", []

    def stopping():
        calls.append(True)
        return len(calls) > 2

    with pytest.raises(Interrupted):
        one_trial.run(["--config.g_optimizer.b1=9"], base(), folder, lambda *_: True, stopping)
    before = (folder / "metrics.jsonl").read_text() if (folder / "metrics.jsonl").exists() else ""
    outcome = one_trial.run([], base(), folder, lambda *_: True, lambda: False)
    assert (folder / "metrics.jsonl").read_text().startswith(before)
    assert (outcome.end, list(outcome.scores)) == ("completed", [1, 2, 3, 4])

    objects = iter([Interrupted("stopped"), 1.0])

    class Search:
        def objective(self, trial, leaves):
            space.suggest(trial, leaves)
            answer = next(objects)
            if isinstance(answer, Exception):
                raise answer
            return answer

    with pytest.raises(Interrupted):
        search._optimize(Search(), study, [leaf], 1, None)
    search._optimize(Search(), study, [leaf], 1, None)
    first, second = study.trials
    assert first.params == second.params


def test_scores_of_several_seeds_are_their_mean(tmp_path):
    config = base().unlock()
    config.num_seeds = 2
    for seed, score in ((0, 1.0), (1, 3.0)):
        folder = tmp_path / "w" / f"seed-{seed}"
        folder.mkdir(parents=True)
        rows = [{"step": step, "validation_frechet_distance": score} for step in range(1, 3 + seed)]
        (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert one_trial.scores(config, tmp_path / "w") == {1: 2.0, 2: 2.0}


def test_importance_names_the_leaf_that_matters():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    assert report.importances(study) == {}
    study.optimize(lambda t: t.suggest_float("a", 0, 1) ** 2 + 0.01 * t.suggest_float("b", 0, 1), n_trials=30)
    importances = report.importances(study)
    assert importances["a"] > 0.9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config", "configs/cgan.py:tuned"], "at least one leaf"),
        ([*ARGUMENTS, "g_optimizer.learning_rate=1e-3|2e-3"], "given twice"),
        ([*ARGUMENTS, "--sampler=best"], "--sampler='best' is unknown"),
        ([*ARGUMENTS, "--pruner=hard"], "--pruner='hard' is unknown"),
        ([*ARGUMENTS, "--trials=0"], "at least 1"),
        ([*ARGUMENTS, "--config.eval.every_steps=0"], "needs validation scores"),
        ([*ARGUMENTS, "--config.eval.at_end=true"], "test split"),
        ([*ARGUMENTS, "--storage=nonsense"], "cannot be opened"),
        (["--config", "configs/cgan.py:tuned", "batch_size=8..16", "--sampler=grid"], "needs lists"),
    ],
)
def test_wrong_commands_get_one_line(arguments, message, tmp_path, capsys):
    assert run(search, *arguments, "--workdir", tmp_path / "w") == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.thorough
def test_a_workdir_of_another_search_is_refused(fake_training, tmp_path, capsys):
    assert run(search, *ARGUMENTS, "--trials", 1, "--workdir", tmp_path / "w") == 0
    other = ["--config", "configs/cgan.py:tuned", "g_optimizer.b1=0.0|0.5"]
    assert run(search, *other, "--trials", 1, "--workdir", tmp_path / "w") == 2
    assert "holds a search of another space" in capsys.readouterr().err
