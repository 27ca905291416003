"""How a run in a workdir may grow: more training steps, more seeds.

A longer run is the run that would have had this length from the start. So its steps must not depend on its length.
"""

from ml_collections import ConfigDict

from gan_jax.runs.checkpoint import saved_steps
from gan_jax.runs.records import METRICS, SAMPLES, SCORES
from gan_jax.runs.seeds import has_ended, seed_workdirs, seeds_of
from gan_jax.runs.workdir import Workdir
from gan_jax.system import config as configs
from gan_jax.system.errors import UserError
from gan_jax.training.calls import calls

# Settings that change at which steps a call of several steps ends.
_ENDS_OF_CALLS = ("checkpoint_every_steps: ", "eval.every_steps: ")


def check_extension(folder: Workdir, config: ConfigDict, total: int) -> None:
    """UserError if the run in `folder` cannot become a run of `config`, which has `total` training steps."""
    recorded = folder.config()
    changes = [line for line in configs.differences(recorded, config) if line.startswith(_ENDS_OF_CALLS)]
    if config.d_loss.codistillation and changes:
        raise UserError(
            f"--workdir={folder.path}: networks teach each other once a call (d_loss.codistillation), and these "
            f"settings change the calls; choose another workdir or undo: {'; '.join(changes)}"
        )
    if config.num_seeds != recorded.num_seeds:
        _check_seeds(folder, recorded, config, total)
    for workdir in seed_workdirs(seeds_of(recorded), folder):
        _check_length(folder, workdir, config, total)


def _check_seeds(folder: Workdir, recorded: ConfigDict, config: ConfigDict, total: int) -> None:
    """UserError if the run cannot have another number of seeds."""
    before, now = recorded.num_seeds, config.num_seeds
    start = f"--workdir={folder.path} holds {before} seed{'s' if before > 1 else ''}"
    undo = f"set --config.num_seeds={before}"
    if before == 1:
        raise UserError(f"{start}, and a run of {now} has a folder for each; choose another workdir, or {undo}")
    if now < before:
        raise UserError(f"{start}; {undo}. Each seed is a run of its own, for example {folder.path}/seed-{config.seed}")
    if config.d_loss.codistillation:
        raise UserError(
            f"{start} that teach each other (d_loss.codistillation), so more seeds are another run; choose another "
            f"workdir, or {undo}"
        )
    for workdir in seed_workdirs(seeds_of(recorded), folder):
        if (step := _newest_step(workdir)) and not has_ended(workdir, config, total):
            raise UserError(
                f"{start}, and {workdir.path.name} is at step {step} of {total}, where a new seed starts at 0; finish "
                f"these seeds first ({undo}), then set --config.num_seeds={now}"
            )


def _check_length(folder: Workdir, workdir: Workdir, config: ConfigDict, total: int) -> None:
    """UserError if the run of a seed cannot have another length."""
    step, old_total = _newest_step(workdir), workdir.run().get("num_steps", total)
    if not step or total == old_total:
        return
    start = f"--workdir={folder.path} has made {step} of {old_total} steps"
    if total <= step:
        raise UserError(f"{start}, and this config has {total}; set more steps, or choose another workdir")
    sections = ("d_optimizer", "g_optimizer")
    scheduled = [f"{name}.schedule={config[name].schedule}" for name in sections if config[name].schedule != "constant"]
    scheduled += [f"{key}={value}" for key, value in configs.scheduled_leaves(config).items()]
    if scheduled:
        raise UserError(
            f"{start}, and with {' and '.join(scheduled)} the steps of a run of {total} would have been others; undo "
            f"the change, or start a new run from this one: --workdir=ANOTHER --init_from={folder.path}"
        )
    if config.d_loss.codistillation and all(call.end != step for call in calls(config, 0, total)):
        raise UserError(
            f"{start}, and networks teach each other once a call (d_loss.codistillation): with {total} steps, no "
            f"call ends at step {step}; undo the change, or choose another workdir"
        )


def _newest_step(workdir: Workdir) -> int:
    """The step of the newest checkpoint; 0 without one."""
    return max(saved_steps(workdir.checkpoints), default=0)


def records_not_due(config: ConfigDict, step: int, old_total: int, total: int) -> set[str]:
    """The kinds of records of `step` that exist only because the run of `old_total` steps ended there.

    The run of `total` steps continues from `step`.
    """
    if not step == old_total < total:
        return set()
    intervals = {METRICS: config.log_every_steps, SAMPLES: config.sample_every_steps}
    if config.eval.every_steps:  # Without more scores, that of the last step is kept.
        intervals[SCORES] = config.eval.every_steps
    return {kind for kind, every in intervals.items() if not every or step % every}
