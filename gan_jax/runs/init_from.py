"""Starts a new run from the last state of another one (--init_from).

The new run takes the parameters, the statistics (of batch norm, ...), their EMA and the moments of the optimizers. Its
step is 0, so learning rates, ramps and the order of the images start again. A copy of this state is in init/ of the new
workdir: the run no longer needs the other one.
"""

import contextlib
import hashlib
import pathlib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from gan_jax.gan.step import Gan
from gan_jax.gan.types import GanState, Player
from gan_jax.runs.checkpoint import Checkpoints, saved_steps
from gan_jax.runs.initial_state import abstract_state, restore
from gan_jax.runs.load import LoadedRun, load_run
from gan_jax.runs.seeds import seed_workdirs, seeds_of
from gan_jax.runs.workdir import Workdir
from gan_jax.system import config as configs
from gan_jax.system.errors import UserError

_NAME = "init_from"  # the key of run.json
_FOLDER = "init"  # the folder in the workdir of a seed with the state that it starts from


class Origin(NamedTuple):
    """The state that a seed starts from, and the entry of run.json that describes it."""

    state: GanState
    record: dict


def read_origins(
    source: str, folder: Workdir, config: ConfigDict, gan: Gan, image_shape: tuple[int, ...]
) -> dict[int, Origin]:
    """The Origin of each seed that has not stored it yet; {} for a run that starts untrained.

    source: the workdir of --init_from; "": that of run.json, if the run in `folder` has started from another one.
    UserError if the run has started from another workdir, or if the networks do not fit.
    """
    recorded = folder.run().get(_NAME)
    if source and folder.run() and not recorded:
        raise UserError(
            f"--workdir={folder.path} holds a run that did not start from another one; leave out --init_from, or "
            "choose another workdir"
        )
    if not source and not recorded:
        return {}
    path = source or recorded["path"]
    seeds = seeds_of(config)
    workdirs = dict(zip(seeds, seed_workdirs(seeds, folder), strict=True))
    if _resolved(path) in map(_resolved, (folder.path, *(workdir.path for workdir in workdirs.values()))):
        raise UserError(f"--init_from={path} is the workdir of this run; to continue it, leave out --init_from")
    try:
        if recorded and _resolved(path) != recorded["path"] and _identity(path, seeds[0]) != recorded["sha256"]:
            raise UserError(
                f"--workdir={folder.path} holds a run that started from {recorded['path']}, step {recorded['step']}; "
                "leave out --init_from, or choose another workdir"
            )
        missing = [seed for seed, workdir in workdirs.items() if not saved_steps(workdir.path / _FOLDER)]
        origins = {seed: _origin(path, seed, config, gan, image_shape) for seed in missing}
    except UserError as error:
        raise type(error)(str(error).replace(f"--workdir={path}", f"--init_from={path}")) from error
    moved = [
        origin.record["step"] for origin in origins.values() if recorded and origin.record["step"] != recorded["step"]
    ]
    if moved:
        raise UserError(
            f"--init_from={path} is at step {moved[0]} now, and the run in {folder.path} started from step "
            f"{recorded['step']}; choose another workdir"
        )
    return origins


def store_origins(origins: dict[int, Origin], folder: Workdir, workdirs: dict[int, Workdir]) -> None:
    """Writes the origins to the workdirs of their seeds. folder: the workdir of the run."""
    for seed, origin in origins.items():
        if _NAME not in folder.run():
            folder.update_run(**{_NAME: origin.record})
        workdirs[seed].update_run(**{_NAME: origin.record})
        with contextlib.closing(Checkpoints(workdirs[seed].path / _FOLDER, 1)) as checkpoints:
            checkpoints.save(0, origin.state)


def stored_state(workdir: Workdir, like: GanState) -> GanState | None:
    """The state that a seed starts from; None if it starts untrained. like: shapes and types of the state."""
    folder = workdir.path / _FOLDER
    if not saved_steps(folder):  # Most runs: Orbax is not needed.
        return None
    with contextlib.closing(Checkpoints(folder, 1)) as checkpoints:
        return restore(checkpoints, like)[1]


def _resolved(path: str | pathlib.Path) -> str:
    return str(Workdir(str(path)).path.resolve())


def _source_workdir(path: str, seed: int) -> str:
    """The workdir that a seed starts from: `path`, or that of the same seed if `path` has several."""
    folder = Workdir(path)
    seeds = seeds_of(folder.config())
    if len(seeds) == 1:
        return path
    if seed not in seeds:
        raise UserError(
            f"--init_from={path} holds seeds {seeds[0]} to {seeds[-1]}, and this run trains seed {seed}; give the "
            f"folder of one seed: --init_from={path}/seed-{seeds[0]}"
        )
    return str(folder.path / f"seed-{seed}")


def _identity(path: str, seed: int) -> str:
    """The sha256 of the newest checkpoint's manifest, which contains the sha256 of all its files; "" without one."""
    folder = Workdir(_source_workdir(path, seed)).checkpoints
    steps = saved_steps(folder)
    return hashlib.sha256((folder / str(steps[-1]) / "manifest.json").read_bytes()).hexdigest() if steps else ""


def _origin(path: str, seed: int, config: ConfigDict, gan: Gan, image_shape: tuple[int, ...]) -> Origin:
    run = load_run(_source_workdir(path, seed))
    like = abstract_state(gan, config.init_batch_size, image_shape)
    _check_fit(path, run, config, like, image_shape)
    players, keeps_moments = {}, {}
    for name, optimizer in (("generator", gan.g_optimizer), ("discriminator", gan.d_optimizer)):
        old, new, section = getattr(run.state, name), getattr(like, name), f"{name[0]}_optimizer"
        keeps_moments[name] = run.config[section].name == config[section].name and _same_moments(old, new)
        players[name] = _player(old, new, optimizer, keeps_moments[name])
    state = GanState(jnp.zeros((), jnp.int32), **players)
    identity = _identity(path, seed)
    return Origin(
        state, {"path": _resolved(path), "step": run.step, "sha256": identity, "optimizer_moments": keeps_moments}
    )


def _check_fit(path: str, run: LoadedRun, config: ConfigDict, like: GanState, image_shape: tuple[int, ...]) -> None:
    """UserError if the images or the networks of a run have other shapes than those of this config."""
    if run.image_shape != tuple(image_shape):
        there, here = ("x".join(map(str, shape)) for shape in (run.image_shape, image_shape))
        raise UserError(f"--init_from={path} was trained on images of {there}, and these have {here}")
    for name in ("generator", "discriminator"):
        old, new = (_shapes(getattr(state, name)) for state in (run.state, like))
        different = sorted(leaf for leaf in {*old, *new} if old.get(leaf) != new.get(leaf))
        if different:
            sections = (f"{name}.", "prior.")
            changes = [line for line in configs.differences(run.config, config) if line.startswith(sections)]
            leaf = different[0]
            raise UserError(
                f"--init_from={path}: its {name} is another network; undo: {'; '.join(changes)}"
                if changes
                else f"--init_from={path}: its {name} is another network: {leaf} is {old.get(leaf, 'absent')} there "
                f"and {new.get(leaf, 'absent')} here"
            )


def _shapes(player: Player) -> dict[str, tuple[int, ...]]:
    """The shape of every parameter and statistic, by its name."""
    leaves = jax.tree_util.tree_leaves_with_path({"params": player.params, "stats": player.stats})
    return {jax.tree_util.keystr(path): leaf.shape for path, leaf in leaves}


def _same_moments(old: Player, like: Player) -> bool:
    """Whether the states of two optimizers have the same arrays. Clipping and weight decay have none."""
    shapes = [[leaf.shape for leaf in jax.tree.leaves(player.opt_state)] for player in (old, like)]
    return shapes[0] == shapes[1]


def _player(old: Player, like: Player, optimizer: optax.GradientTransformation, keeps_moments: bool) -> Player:
    """A player with the parameters of `old` and everything that `like` has."""
    current = {"params": old.params, "stats": old.stats}
    mean = old.param_mean or {"mean": old.params, "count": jnp.ones((), jnp.int32)}
    return Player(
        old.params,
        old.stats,
        _moments(old.opt_state, like.opt_state) if keeps_moments else optimizer.init(old.params),
        (old.ema or current) if like.ema else {},
        mean if like.param_mean else {},
        old.tracked if old.tracked.keys() == like.tracked.keys() else like.tracked,
    )


def _moments(old: Any, like: Any) -> Any:
    """The state of an optimizer with the moments of `old`, and with schedules at their start."""
    leaves, structure = jax.tree.leaves(old), jax.tree.structure(like)
    state = jax.tree.unflatten(structure, leaves)
    is_schedule = lambda part: isinstance(part, optax.ScaleByScheduleState)  # noqa: E731
    return jax.tree.map(
        lambda part: part._replace(count=jnp.zeros_like(part.count)) if is_schedule(part) else part,
        state,
        is_leaf=is_schedule,
    )
