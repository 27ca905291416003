"""Tiny ablation studies, whose networks train in a second: config, arms, and arguments of the command."""

from configs import cgan, study
from experiments.ablations import plan
from gan_jax.system import config as configs

TINY = {
    **study.networks(widths=(8, 8)),
    "batch_size": 4,
    "d_steps": 1,
    "steps_per_call": 2,
    "data.num_validation": 15,
    "generator.ema_decay": 0.9,
}


def base():
    """The config that replaces the base `tuned`."""
    config = cgan.get_config()
    configs.override(config, TINY)
    return config


def arguments(folders, *more_arguments):
    """The command's arguments for the fixture `folders`."""
    paths = {"workdir": folders.work, "output": folders.out, "idx": folders.data, "data_dir": folders.cache}
    return [*(f"--{name}={path}" for name, path in paths.items()), *more_arguments]


def arms(folders, name="rates"):
    """name -> Arm of one of the two studies of the fixture `folders`."""
    shared = {"data.name": "idx", "data.dir": str(folders.data), "eval.num_images": 12, "eval.at_end_num_images": 20}
    return {arm.name: arm for arm in plan.plan((name,), ("tuned",), 20, shared)}
