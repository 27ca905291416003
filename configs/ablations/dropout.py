"""How much dropout, and in which network?

The common tutorial has 0.3 in the discriminator, which keeps it from winning at once. An arm is named by the
discriminator's rate, and by the generator's where it is not 0; that one is tried beside the discriminator's 0.3. All
else is held fixed. Dropout acts in training only; samples are drawn without it.

    python -m gan_jax.main --config configs/ablations/dropout.py:d_0
    python -m gan_jax.main --config configs/ablations/dropout.py:d_0.3_g_0.1@tuned
"""

from configs import study

BASELINE = {"tutorial": "d_0.3", "tuned": "d_0.3"}


def _dropout(discriminator: float, generator: float) -> dict:
    return {"discriminator.dropout": discriminator, "generator.dropout": generator}


ARMS = {
    **{f"d_{rate:g}": _dropout(rate, 0.0) for rate in (0.0, 0.1, 0.3, 0.5)},
    **{f"d_0.3_g_{rate:g}": _dropout(0.3, rate) for rate in (0.1, 0.3, 0.5)},
}
VARIANTS, get_config = study.variants(ARMS, BASELINE)
