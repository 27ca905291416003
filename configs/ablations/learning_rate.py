"""Which learning rate, the same for both players?

The tutorial concluded, from one run each, that too small a rate is slow and too large a rate oscillates. The length is
fixed, so a small rate is scored before it has converged. The study ttur.py has different rates for the two players.

    python -m gan_jax.main --config configs/ablations/learning_rate.py:2e-4
    python -m gan_jax.main --config configs/ablations/learning_rate.py:2e-4@tuned
"""

from configs import study

BASELINE = {"tutorial": "1e-4", "tuned": "5e-4"}
RATES = ("1e-5", "3e-5", "1e-4", "2e-4", "5e-4", "1e-3", "2e-3", "1e-2")
ARMS = {rate: study.optimizers(learning_rate=float(rate)) for rate in RATES}
VARIANTS, get_config = study.variants(ARMS, BASELINE)
