"""Targets of the discriminator's outputs for real and fake images."""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from gan_jax.gan.types import Targets
from gan_jax.system.errors import UserError


def constant(key: jax.Array, num_images: int, *, real: float, fake: float, generator: float) -> Targets:
    """The same targets for every image. Plain targets are real=1, fake=0, generator=1.

    real=0.9 alone is one-sided label smoothing (arXiv 1606.03498, section 3.4). real=0.9 with fake=0.1 is two-sided.
    The generator's target is a separate value, so smoothing D's targets does not change G's loss.
    """
    del key
    return Targets(*(jnp.full((num_images,), value) for value in (real, fake, generator)))


def make_targets(
    real: float, fake: float, generator: float, soft: float, flip_rate: float, inverted: bool
) -> Callable[[jax.Array, int], Targets]:
    """(key, num_images) -> Targets [B] each. Only D's targets can be random; G's is `generator` for every image.

    soft: width w >= 0 of a uniform draw per image: real targets from [real - w, real], fake ones from [fake, fake + w].
        For example, 0.1 with plain targets: [0.9, 1] and [0, 0.1]. The list of tricks at github.com/soumith/ganhacks
        (item 6) has [0.7, 1.2] and [0, 0.3]. 0: no draw.
    flip_rate: the probability, in [0, 1], that a real image gets a fake target in D's update, or a fake image a real
        one. Drawn for every image (the same list, item 6). 0.05 is common.
    inverted: every target t becomes 1 - t, after the draws: D learns 0 for real and 1 for fake, and G's target is 0.
    """
    if not soft >= 0.0:
        raise UserError(f"config.targets.soft={soft}: a width cannot be negative; try --config.targets.soft=0.1")
    if not 0.0 <= flip_rate <= 1.0:
        raise UserError(f"config.targets.flip_rate={flip_rate}: not in [0, 1]; try --config.targets.flip_rate=0.05")
    real_range, fake_range = (real - soft, real), (fake, fake + soft)

    def targets(key: jax.Array, num_images: int) -> Targets:
        drawn = constant(key, num_images, real=real, fake=fake, generator=generator)
        if soft or flip_rate:
            real_key, fake_key = jax.random.split(key)
            drawn = drawn._replace(
                real=_mixed(real_key, num_images, real_range, fake_range, flip_rate),
                fake=_mixed(fake_key, num_images, fake_range, real_range, flip_rate),
            )
        return Targets(*(1.0 - target for target in drawn)) if inverted else drawn

    return targets


def _mixed(
    key: jax.Array, num_images: int, usual: tuple[float, float], flipped: tuple[float, float], flip_rate: float
) -> jax.Array:
    """[num_images] draws: from U(flipped) with probability `flip_rate`, else from U(usual)."""
    usual_key, flipped_key, flip_key = jax.random.split(key, 3)
    is_flipped = jax.random.bernoulli(flip_key, flip_rate, (num_images,))
    return jnp.where(
        is_flipped,
        jax.random.uniform(flipped_key, (num_images,), minval=flipped[0], maxval=flipped[1]),
        jax.random.uniform(usual_key, (num_images,), minval=usual[0], maxval=usual[1]),
    )


def require_plain(objective: str, knobs: Mapping[str, float | bool]) -> None:
    """UserError if the knobs differ from PLAIN. For objectives that do not use targets."""
    changed = [name for name, plain in PLAIN.items() if knobs[name] != plain]
    if changed:
        resets = " ".join(f"--config.targets.{name}={str(PLAIN[name]).lower()}" for name in changed)
        raise UserError(f"config.targets: objective='{objective}' has no targets to change; set {resets}")


# Plain targets: 1 for real images, 0 for fakes, and 1 in G's update.
PLAIN = {"real": 1.0, "fake": 0.0, "generator": 1.0, "soft": 0.0, "flip_rate": 0.0, "inverted": False}
