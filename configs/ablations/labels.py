"""Should the discriminator's targets be softened, flipped or inverted?

The tutorial concluded, from one run each, that soft labels keep the discriminator's loss off zero, that flipping 5% of
them helps, and that one-sided smoothing helps. The first is arithmetic and says nothing about samples: against a
target of 0.9 the cross-entropy of real images cannot fall below 0.325, however good the discriminator. `soft` draws
targets from [0.9, 1] for real and [0, 0.1] for generated images. `inverted` only turns the sign of the logit round, so
the game is the same and what it changes is noise. condition_smoothing smooths the class labels instead, as the
networks get them: the generator's on both bases, the discriminator's where it takes an embedding (the tutorial's). The
generator's own target, 1, is held fixed, but for `inverted`, and so is all else.

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
