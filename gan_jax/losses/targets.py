"""Real and fake targets: what a discriminator's outputs are compared with."""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from gan_jax.gan.types import Targets
from gan_jax.system.errors import UserError


def constant(key: jax.Array, num_images: int, *, real: float, fake: float, generator: float) -> Targets:
    """The same target for every image. real=1, fake=0, generator=1 is the plain game.

    real=0.9 alone is one-sided label smoothing (arXiv 1606.03498, section 3.4), real=0.9 with fake=0.1 two-sided; the
    generator's own target is a value of its own, so that smoothing D's targets leaves G's loss as it was.
    """
    del key
    return Targets(*(jnp.full((num_images,), value) for value in (real, fake, generator)))


def make_targets(
    real: float, fake: float, generator: float, soft: float, flip_rate: float, inverted: bool
) -> Callable[[jax.Array, int], Targets]:
    """(key, num_images) -> Targets [B] each. Only D's targets are ever random; G's is `generator` for every image.

    soft: width w >= 0 of a uniform draw per image: real targets from [real - w, real], fake ones from [fake, fake + w].
        0.1 around 1 and 0 gives [0.9, 1] and [0, 0.1]; the list of tricks at github.com/soumith/ganhacks (item 6)
        takes [0.7, 1.2] and [0, 0.3]. 0: no draw.
    flip_rate: the probability, in [0, 1], that an image in D's update gets a target of the other kind, drawn for every
        real and every fake image by itself (the same list, item 6). 0.05 is common.
    inverted: at the end every target t becomes 1 - t: D learns 0 for real and 1 for fake, and G aims at 0.
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
    key: jax.Array, num_images: int, own: tuple[float, float], other: tuple[float, float], flip_rate: float
) -> jax.Array:
    """[num_images] draws from U(own), each with probability flip_rate from U(other) in its place."""
    own_key, other_key, flip_key = jax.random.split(key, 3)
    flipped = jax.random.bernoulli(flip_key, flip_rate, (num_images,))
    return jnp.where(
        flipped,
        jax.random.uniform(other_key, (num_images,), minval=other[0], maxval=other[1]),
        jax.random.uniform(own_key, (num_images,), minval=own[0], maxval=own[1]),
    )


def require_plain(objective: str, knobs: Mapping[str, float | bool]) -> None:
    """UserError unless `knobs` are those of PLAIN. For an objective that compares its logits with no targets."""
    changed = [name for name, plain in PLAIN.items() if knobs[name] != plain]
    if changed:
        resets = " ".join(f"--config.targets.{name}={str(PLAIN[name]).lower()}" for name in changed)
        raise UserError(f"config.targets: objective='{objective}' has no targets to change; set {resets}")


# The knobs of the plain game: 1 for real, 0 for fake, and G aims at 1.
PLAIN = {"real": 1.0, "fake": 0.0, "generator": 1.0, "soft": 0.0, "flip_rate": 0.0, "inverted": False}
