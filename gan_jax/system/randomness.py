"""The sources of randomness of a run, and which of them are the same for all seeds (config.fixed_randomness)."""

from gan_jax.system.config import choose
from gan_jax.system.errors import UserError

# init: the initial parameters. order: the order of the real images. draws: z, dropout, noise, augmentation, targets.
SOURCES = ("init", "order", "draws")


def check(fixed: str) -> None:
    """UserError if config.fixed_randomness names something else, or every source."""
    names = {choose(SOURCES, name, "fixed_randomness") for name in _names(fixed)}
    if len(names) == len(SOURCES):
        raise UserError(f"fixed_randomness={fixed}: all seeds would be the same run; leave out one source")


def seed_of(source: str, seed: int, fixed: str) -> int:
    """The seed of a source in the run of `seed`: 0 if the source is among those in `fixed`."""
    return 0 if source in _names(fixed) else seed


def _names(fixed: str) -> list[str]:
    return [name.strip() for name in fixed.split(",")] if fixed else []
