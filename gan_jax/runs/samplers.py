"""How images are sampled from a trained run: --sampler=prior, drs or ddls, with settings as in drs:percentile=90."""

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from gan_jax.build import is_conditional
from gan_jax.devices import compiler
from gan_jax.evaluation.generate import generate
from gan_jax.evaluation.rejection import generate_by_rejection
from gan_jax.gan.sampling import candidates, langevin
from gan_jax.gan.step import Gan
from gan_jax.gan.types import GanState
from gan_jax.losses.adversarial import OBJECTIVES
from gan_jax.losses.targets import PLAIN
from gan_jax.losses.term import Knob
from gan_jax.system.config import choose
from gan_jax.system.errors import UserError

Sample = Callable[[GanState, np.ndarray, int], np.ndarray]  # (state, labels int [N], seed) -> uint8 [N, H, W, C]


class Sampler(NamedTuple):
    """A way to sample. make: (gan, config, **settings) -> Sample.

    knobs: the settings, by name. needs: checks (config) -> what is missing; "" if nothing is missing.
    """

    make: Callable[..., Sample]
    knobs: Mapping[str, Knob] = {}
    needs: tuple[Callable[[ConfigDict], str], ...] = ()


def _log_ratio(config: ConfigDict) -> str:
    """D's logit must estimate log p_data(x) / p_G(x), from one image.

    A trained D estimates it roughly. A penalty, a bound on D's kernels, an augmentation or an EMA of G, whose images D
    did not see in training, make the estimate worse; they are not refused.
    """
    fitting = [name for name, objective in OBJECTIVES.items() if objective.logit_is_log_ratio]
    section, targets = config.discriminator, config.targets
    changed = [name for name, plain in PLAIN.items() if name != "generator" and targets[name] != plain]
    if config.objective not in fitting:
        return f"a D whose logit is a log density ratio (objective {' or '.join(fitting)}), not {config.objective}"
    if changed:
        return f"a D whose logit is a log density ratio, not one with targets.{changed[0]}={targets[changed[0]]}"
    if not config.d_loss.adversarial:
        return "a D that learnt to tell real from generated images, not one with d_loss.adversarial=0"
    if section.minibatch != "none":
        return f"a D that reads one image, not one with discriminator.minibatch={section.minibatch}"
    return ""


def _normal_prior(config: ConfigDict) -> str:
    """Other priors have another density, or none at all points of z."""
    return "" if config.prior.name == "normal" else f"the prior normal, not {config.prior.name}"


def _from_prior(gan: Gan, config: ConfigDict) -> Sample:
    del config
    return functools.partial(generate, compiler.jit(gan.sample))


def _by_rejection(gan: Gan, config: ConfigDict, **settings: Any) -> Sample:
    if len({"percentile", "gamma"} & settings.keys()) == 2:
        raise UserError("sampler=drs: percentile and gamma: give one of them, because the percentile sets gamma")
    program = compiler.jit(functools.partial(candidates, gan))
    networks = (config.generator, config.discriminator)
    has_labels = any(map(is_conditional, networks)) or config.discriminator.head == "projection"

    def sample(state: GanState, labels: np.ndarray, seed: int = 0) -> np.ndarray:
        # Without labels, all images are of one series, with one burn-in.
        series = labels if has_labels else np.zeros_like(labels)
        return generate_by_rejection(program, state, series, seed, **settings)

    return sample


def _by_langevin(gan: Gan, config: ConfigDict, *, steps: int = 100, step_size: float = 0.01) -> Sample:
    del config
    program = compiler.jit(functools.partial(langevin, gan, steps=steps, step_size=step_size))

    def images(state: GanState, key: jax.Array, labels: np.ndarray) -> jax.Array:
        drawn = program(state, key, labels)
        if not jnp.isfinite(drawn).all():
            raise UserError("sampler=ddls: z grew without end; set a smaller step_size")
        return drawn

    return functools.partial(generate, images)


def _settings(text: str, knobs: Mapping[str, Knob]) -> dict[str, float]:
    """The settings in a text such as steps=50,step_size=0.01; UserError for an unknown name or a wrong value."""
    settings = {}
    for setting in filter(None, text.split(",")):
        name, _, value = setting.partition("=")
        knob = choose(knobs, name, "the setting of the sampler")
        try:
            settings[name] = type(knob.default)(value)
        except ValueError as error:
            raise UserError(f"{name}={value}: must be {knob.range}") from error
        knob.check(settings[name], name)
    return settings


def make_sampler(text: str, gan: Gan, config: ConfigDict) -> Sample:
    """The sampler that a text names: "prior", "drs", "drs:percentile=90", "ddls:steps=50,step_size=0.01".

    UserError for an unknown name or setting, and for a config for which the sampler is not valid.
    """
    name, _, settings = text.partition(":")
    sampler = choose(SAMPLERS, name, "sampler")
    for missing_need in sampler.needs:
        if missing := missing_need(config):
            raise UserError(f"sampler={name} needs {missing}; leave the sampler out")
    return sampler.make(gan, config, **_settings(settings, sampler.knobs))


SAMPLERS = {
    # G(z), z from the prior.
    "prior": Sampler(_from_prior),
    # Discriminator rejection sampling (arXiv 1810.06758), evaluation/rejection.py.
    "drs": Sampler(
        _by_rejection,
        {
            "percentile": Knob(80.0, "at least 0 and less than 100", lambda value: 0 <= value < 100),
            "gamma": Knob(0.0, "a number", math.isfinite),
            "burn_in": Knob(1000, "a whole number of images, at least 1", lambda value: value >= 1),
        },
        (_log_ratio,),
    ),
    # Discriminator driven latent sampling (arXiv 2003.06060), gan/sampling.py. With a step of 4 or more, |z| would
    # grow without end.
    "ddls": Sampler(
        _by_langevin,
        {
            "steps": Knob(100, "a whole number, at least 1", lambda value: value >= 1),
            "step_size": Knob(0.01, "more than 0 and less than 4", lambda value: 0 < value < 4),
        },
        (_log_ratio, _normal_prior),
    ),
}
