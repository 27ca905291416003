"""Which of the "improved techniques" (Salimans et al. 2016, arXiv 1606.03498) does its part?

The tutorial concluded, from one run each, that minibatch discrimination gives better samples than feature matching,
that feature matching gives the better classifier, and that one-sided smoothing helps. Each arm adds one technique to
one of the two bases that work; the rest of the recipe is fixed. feature_matching replaces the generator's adversarial
loss, as in the paper. Historical averaging is a term of both players. Virtual batch norm replaces the batch norm of the
generator. minibatch_stddev (arXiv 1710.10196) is the later and cheaper form of minibatch discrimination.

    python -m gan_jax.main --config configs/ablations/improved_techniques.py:minibatch_discrimination@tuned
    python -m gan_jax.main --config configs/ablations/improved_techniques.py:feature_matching@cdcgan
"""

from configs import study

BASELINE = {"tuned": "none", "cdcgan": "none"}
ARMS = {
    "none": {},
    "minibatch_discrimination": {"discriminator.minibatch": "discrimination"},
    "minibatch_stddev": {"discriminator.minibatch": "stddev"},
    "feature_matching": {"g_loss.adversarial": 0.0, "g_loss.feature_matching": 1.0},
    "historical_averaging": {"d_loss.historical_averaging": 1e-3, "g_loss.historical_averaging": 1e-3},
    "one_sided": {"targets.real": 0.9},
    "virtual_batch_norm": {"generator.norm": "virtual_batch"},
}
VARIANTS, get_config = study.variants(ARMS, BASELINE)
