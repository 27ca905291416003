"""Is a real image better compared with a fake than with a number?

Relativistic losses compare D's outputs of real and generated images with each other: relativistic_average with the mean
of the batch (arXiv 1807.00734), relativistic_pairing in pairs of one label. R3GAN (arXiv 2501.05441) is the latter with
both zero-centred gradient penalties of one weight, without which its authors prove that it need not converge. The
penalties make an update of D two to three times as slow, so arms with them are also slower at equal updates.

    python -m gan_jax.main --config configs/ablations/relativistic.py:pairing
    python -m gan_jax.main --config configs/ablations/relativistic.py:pairing_r1_r2@tuned
"""

from configs import study

BASELINE = {"tutorial": "bce", "tuned": "bce_logits"}
_PENALTIES = {"d_loss.r1": 1.0, "d_loss.r2": 1.0}
ARMS = {
    **{objective: {"objective": objective} for objective in ("bce", "bce_logits")},
    "average": {"objective": "relativistic_average"},
    "pairing": {"objective": "relativistic_pairing"},
    "r1_r2": {"objective": "bce_logits", **_PENALTIES},
    "pairing_r1_r2": {"objective": "relativistic_pairing", **_PENALTIES},
}
VARIANTS, get_config = study.variants(ARMS, BASELINE)
