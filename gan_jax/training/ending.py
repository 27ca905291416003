"""After the last training step: the printed report, the origin of a divergence, and the outcome of the command."""

import contextlib
import pathlib
from collections.abc import Sequence

from gan_jax.data.batches import BatchPlan
from gan_jax.gan.step import Gan
from gan_jax.gan.types import Batch
from gan_jax.system.errors import Interrupted, TrainingFailed
from gan_jax.system.progress import say
from gan_jax.training import diagnosis
from gan_jax.training.programs import SequentialSeeds, step_key
from gan_jax.training.seed_runs import SeedRuns


def report(runs: SeedRuns, waited: float) -> None:
    """Prints a summary of the validation scores. waited: seconds that the steps waited for images, also printed."""
    if waited and runs.recorders:
        say(f"data: {waited:.1f} s of {runs.seconds:.1f} s were spent waiting for images")
    for recorder in runs.recorders:
        validation, status = recorder.validation, recorder.status
        if validation and validation.any:
            name = f"seed {status.seed}: " if len(runs.seeds) > 1 else ""
            say(name + validation.summary(runs.seconds))
        if status.stopped_early and status.step < status.total:
            say(f"stopped early at step {status.step}: validation was best at step {validation.best_step}")


def explain_divergence(gan: Gan, plan: BatchPlan, data: Sequence[Batch], runs: SeedRuns) -> None:
    """Adds the origin of the first bad number to the failure of every diverged seed (guard.debug)."""
    for i, recorder in enumerate(runs.recorders):
        if recorder.failed_step and recorder.failure.status == "diverged":
            origin = _first_bad_number(gan, plan, data[i], runs, i)
            recorder.failure = type(recorder.failure)(f"{recorder.failure}. {origin}")


def _first_bad_number(gan: Gan, plan: BatchPlan, data: Batch, runs: SeedRuns, i: int) -> str:
    """Repeats the steps after the last checkpoint, and returns the origin of the first bad number in words."""
    recorder, seed = runs.recorders[i], runs.statuses[i].seed
    step = max(recorder.checkpoints.steps(), default=0)
    program = SequentialSeeds(gan, plan, [seed], [data], [runs.state_at(step, i, data)])
    with contextlib.closing(program):
        steps = range(step, recorder.failed_step)
        return diagnosis.repeat(gan.step, program, step_key(seed, plan), steps, plan.steps_per_call)


def outcome(runs: SeedRuns) -> pathlib.Path | None:
    """The last grid of the first seed that has completed; None on processes other than 0.

    Raises Interrupted if a signal ended training, TrainingFailed if all seeds have failed.
    """
    if runs.stopped_by and runs.live:
        step = max(runs.statuses[i].step for i in runs.live)
        message = f"{runs.stopped_by}: {'' if runs.workdirs else 'process 0 '}saved at step {step} of {runs.total}"
        if not runs.workdirs:
            raise Interrupted(message)
        raise Interrupted(f"{message}; run the same command with --workdir={runs.path} to continue")
    if not runs.workdirs:
        if runs.num_seeds == 1 and runs.statuses[0].failed:
            raise TrainingFailed("training has failed; process 0 says how")
        return None
    failed = [recorder for recorder in runs.recorders if recorder.failure]
    completed = [workdir for workdir in runs.workdirs if workdir.run()["status"] == "completed"]
    if not completed:
        raise failed[0].failure if failed else TrainingFailed(f"every seed in {runs.path} failed")
    for recorder in failed:
        say(f"seed {recorder.status.seed}: {recorder.failure}")
    return completed[0].last_grid()
