"""Do the two networks want different norms?

The tutorial compared one norm in both networks with one in the generator alone, from one run each, and concluded that
batch norm in the generator is best. Here each network has its own norm; an arm's name is the generator's norm, then the
discriminator's. Instance norm is left out, because on vectors it is layer norm (see normalization.py, which also has
the pairs of equal norms). Everything else is fixed.

    python -m gan_jax.main --config configs/ablations/mixed_norms.py:batch_layer
    python -m gan_jax.main --config configs/ablations/mixed_norms.py:batch_layer@tuned
"""

from configs import study

BASELINE = {"tutorial": "none_none", "tuned": "batch_none"}
NORMS = ("batch", "layer", "group")
ARMS = {
    "none_none": study.norms(),
    "batch_none": study.norms("batch", "none"),
    **{f"{g}_{d}": study.norms(g, d) for g in NORMS for d in NORMS if g != d},
}
VARIANTS, get_config = study.variants(ARMS, BASELINE)
