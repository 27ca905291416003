"""How much dropout, and in which network?

The common tutorial has 0.3 in the discriminator, without which the discriminator wins at once. An arm's name has the
discriminator's rate, and the generator's rate if it is not 0. The generator's rates are tried with a rate of 0.3 in the
discriminator. Everything else is fixed. Dropout is on in training only; samples are generated without it.

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
