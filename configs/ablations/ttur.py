"""Should the two players have learning rates of their own (two time scales, arXiv 1706.08500)?

A grid of three rates of the discriminator and three of the generator. Its diagonal is part of learning_rate.py. A gain
is due to the ratio of the rates only if it is a gain against the diagonal too. The number of updates of both players
is fixed. On the tutorial's base the discriminator already makes five updates to one of the generator, which is also a
second time scale.

    python -m gan_jax.main --config configs/ablations/ttur.py:d_5e-4_g_1e-4
    python -m gan_jax.main --config configs/ablations/ttur.py:d_2e-3_g_5e-4@tuned
"""

from configs import study

BASELINE = {"tutorial": "d_1e-4_g_1e-4", "tuned": "d_5e-4_g_5e-4"}
RATES = ("1e-4", "5e-4", "2e-3")
ARMS = {
    f"d_{d}_g_{g}": {"d_optimizer.learning_rate": float(d), "g_optimizer.learning_rate": float(g)}
    for d in RATES
    for g in RATES
}
VARIANTS, get_config = study.variants(ARMS, BASELINE)
