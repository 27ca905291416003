"""Should the two players have learning rates of their own (two time scales, arXiv 1706.08500)?

A grid of three rates of the discriminator by three of the generator; its diagonal is part of learning_rate.py, and
only against that can a gain be put down to the ratio and not to one of the rates. The number of updates of both
players is held fixed: on the tutorial's base the discriminator makes five to one already, which is a second time
scale.

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
