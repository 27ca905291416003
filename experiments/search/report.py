"""The results of a search: a page and a chart."""

import pathlib
import shlex

import matplotlib
import optuna
from optuna.trial import FrozenTrial, TrialState

from experiments.reporting.markdown import commit, escape
from experiments.search.one_trial import Outcome
from gan_jax.runs.provenance import provenance
from gan_jax.system.files import atomic_write, write_text

matplotlib.use("Agg")  # Needs no display, which most machines that train do not have.
import matplotlib.pyplot as plt

# With fewer different scores, the importances mean nothing.
_LEAST_FOR_IMPORTANCE = 5

_METHOD = """The score is the Frechet distance of a trial's last state to held-out training images, in the features of
the digit classifier (a mean over the seeds if there are several); lower is better. The test split was not used. A trial
that was worse than the median of the other trials at the same step was stopped (pruned). A trial that collapsed,
diverged or was refused counts as worse than all others."""

_CAUTION = """The lowest score of many trials is too good, because it was chosen for being low. Compare the two configs
on new seeds, and score the test split once:"""


def _changes(changes: dict[str, str]) -> str:
    return " ".join(f"{key}={text}" for key, text in sorted(changes.items())) or "as it is"


def progress_line(number: int | None, outcome: Outcome, changes: dict[str, str]) -> str:
    """The line that is printed when a trial ends."""
    name = "untuned" if number is None else f"trial {number}"
    score = f" {list(outcome.scores.values())[-1]:.2f}" if outcome.scores else ""
    reason = f" ({outcome.reason})" if outcome.reason else ""
    return f"{name}: {outcome.end}{score}, {outcome.seconds:.0f} s: {_changes(changes)}{reason}"


def _row(name: str, end: str, score: float | None, accuracy: float | None, changes: str) -> str:
    cells = [name, end, "" if score is None else f"{score:.2f}", "" if accuracy is None else f"{accuracy:.1%}", changes]
    return "| " + " | ".join(map(escape, cells)) + " |"


def _table(rows: list[str]) -> str:
    return "\n".join(["| trial | end | score | conditional accuracy | changes |", "| --- " * 5 + "|", *rows])


def _trial_row(trial: FrozenTrial) -> str:
    outcome = trial.user_attrs.get("outcome", {})
    score = trial.value if trial.value is not None else (list(trial.intermediate_values.values()) or [None])[-1]
    changes = _changes(trial.user_attrs.get("changes", {}))
    return _row(str(trial.number), outcome.get("end", "interrupted"), score, outcome.get("accuracy"), changes)


def importances(study: optuna.Study) -> dict[str, float]:
    """Leaf -> its share of the variance of the scores (fANOVA); {} if there are too few different scores."""
    values = {trial.value for trial in study.get_trials(states=(TrialState.COMPLETE,))}
    if len(values) < _LEAST_FOR_IMPORTANCE:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    return optuna.importance.get_param_importances(study, evaluator=evaluator)


def _importance_section(shares: dict[str, float]) -> str:
    if not shares:
        return f"Fewer than {_LEAST_FOR_IMPORTANCE} trials were completed: too few to say which leaf mattered."
    rows = "\n".join(f"| {escape(name)} | {share:.0%} |" for name, share in shares.items())
    return (
        "Share of the variance of the scores that each leaf explains (functional ANOVA over a random forest; of "
        f"completed trials only).\n\n| leaf | importance |\n| --- | --- |\n{rows}"
    )


def _commands(spec: str, overrides: list[str], changes: dict[str, str]) -> str:
    base = ["python", "-m", "gan_jax.main", "--config", spec, *overrides]
    new_seeds = ["--config.seed=1000", "--config.num_seeds=3"]
    tuned = [*base, *(f"--config.{key}={text}" for key, text in sorted(changes.items()))]
    return "\n".join(f"    {shlex.join([*command, *new_seeds])}" for command in (base, tuned))


def _chart(path: pathlib.Path, trials: list[FrozenTrial], untuned: float | None, shares: dict[str, float]) -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 0.4 * max(len(shares), 6) + 1.6), layout="constrained")
    completed = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    pruned = [trial for trial in trials if trial.state == TrialState.PRUNED and trial.intermediate_values]
    left.plot([t.number for t in completed], [t.value for t in completed], "o", label="completed")
    left.plot(
        [t.number for t in pruned], [list(t.intermediate_values.values())[-1] for t in pruned], "x", label="pruned"
    )
    if untuned is not None:
        left.axhline(untuned, color="gray", linestyle="--", label="untuned")
    left.set(xlabel="trial", ylabel="validation Frechet distance (lower is better)", yscale="log")
    left.legend()
    right.barh(list(shares)[::-1], list(shares.values())[::-1])
    right.set(xlabel="importance" if shares else "importance: too few trials")
    with atomic_write(path) as partial:
        figure.savefig(partial, dpi=110)
    plt.close(figure)


def write(study: optuna.Study, untuned: Outcome, spec: str, overrides: list[str], workdir: pathlib.Path) -> str:
    """Writes search.md and search.png; returns the text to print."""
    trials = study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED))
    completed = sorted((t for t in trials if t.state == TrialState.COMPLETE), key=lambda trial: trial.value)
    pruned = [trial for trial in trials if trial.state == TrialState.PRUNED]
    shares, score = importances(study), (list(untuned.scores.values()) or [None])[-1]
    run_info = provenance()
    parts = [
        f"# Search over `{' '.join([spec, *overrides])}`",
        f"Written by `python -m experiments.search`, commit {commit(run_info['commit'])}, "
        f"{run_info['device']['kind']}, jax {run_info['versions']['jax']}. {len(trials)} trials, {len(pruned)} of them "
        "stopped early or failed. Searched: " + "; ".join(escape(text) for text in study.user_attrs["space"]) + ".",
        _METHOD,
        "![trials and importance](search.png)",
        "## Untuned: the config as it is",
        _table([_row("", untuned.end, score, untuned.accuracy, "as it is")]),
        "## Tuned: the trials",
        _table([_trial_row(trial) for trial in [*completed, *pruned]]),
        "## Which leaf mattered",
        _importance_section(shares),
    ]
    if completed:
        changes = completed[0].user_attrs["changes"]
        parts += ["## Did it help?", _CAUTION, _commands(spec, overrides, changes)]
    _chart(workdir / "search.png", trials, score, shares)
    write_text(workdir / "search.md", "\n\n".join(parts) + "\n")
    best = (
        f"best {completed[0].value:.2f}: {_changes(completed[0].user_attrs['changes'])}"
        if completed
        else "none completed"
    )
    return f"{best}\nresults     {workdir / 'search.md'}"
