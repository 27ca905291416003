"""Should the discriminator's targets be softened, flipped or inverted?

The tutorial concluded, from one run each, that soft labels keep the discriminator's loss above zero, that flipping 5%
of them helps, and that one-sided smoothing helps. The first conclusion is arithmetic and says nothing about samples:
with a target of 0.9 the cross-entropy of real images cannot fall below 0.325, however good the discriminator is.

`soft` draws targets from [0.9, 1] for real and [0, 0.1] for generated images. `inverted` only changes the sign of the
logit, so the game is the same, and any difference is noise. condition_smoothing instead smooths the class labels that
the networks get: the generator's on both bases, and the discriminator's on the tutorial's base, which embeds them. The
generator's own target is fixed at 1, except in `inverted`. Everything else is fixed too.

    python -m gan_jax.main --config configs/ablations/labels.py:one_sided
    python -m gan_jax.main --config configs/ablations/labels.py:flips@tuned
"""

from configs import study

BASELINE = {"tutorial": "hard", "tuned": "hard"}
ARMS = {
    "hard": {"targets.real": 1.0, "targets.fake": 0.0},
    "one_sided": {"targets.real": 0.9},
    "two_sided": {"targets.real": 0.9, "targets.fake": 0.1},
    "soft": {"targets.soft": 0.1},
    "flips": {"targets.flip_rate": 0.05},
    "inverted": {"targets.inverted": True},
    "condition_smoothing": study.networks(condition_smoothing=0.1),
}
VARIANTS, get_config = study.variants(ARMS, BASELINE)
