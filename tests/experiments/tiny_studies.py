"""Ablation studies of a network of a second: its config, a study's arms, the words of the command."""

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
    """The config that stands for the base `tuned`."""
    config = cgan.get_config()
    configs.override(config, TINY)
    return config


def words(places, *more):
    """The command's words for the folders of the fixture `places`."""
    paths = {"workdir": places.work, "output": places.out, "idx": places.data, "data_dir": places.cache}
    return [*(f"--{name}={path}" for name, path in paths.items()), *more]


def arms(places, name="rates"):
    """name -> Arm of one of the two studies of the fixture `places`."""
    shared = {"data.name": "idx", "data.dir": str(places.data), "eval.num_images": 12, "eval.at_end_num_images": 20}
    return {arm.name: arm for arm in plan.plan((name,), ("tuned",), 20, shared)}
