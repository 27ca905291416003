"""Which normalization, and in which network?

The tutorial concluded, from one run each: with a norm in both networks only layer norm helps and instance norm is
worst; batch norm in both gives noisy edges and a discriminator that collapses; batch norm in the generator alone is
best, and group and layer norm there are slower than none. The number of groups (8) and all else are held fixed; every
hidden layer of the network has the norm, except that cdcgan's discriminator has none in its first, as DCGAN's.

A vector has one position only, so instance norm in a fully connected network takes its moments over the vector's
entries and IS layer norm: on `tutorial` and `tuned` the arms instance_* and layer_* are one computation, and where
their results part, that is the machine's rounding. (PyTorch's InstanceNorm1d on [B, F] does the same, without gain and
offset unless they are asked for.) On the feature maps of `cdcgan` they are two norms. In a discriminator, batch norm
sees real and generated images in batches of their own.

    python -m gan_jax.main --config configs/ablations/normalization.py:batch_both
    python -m gan_jax.main --config configs/ablations/normalization.py:layer_d@tuned
    python -m gan_jax.main --config configs/ablations/normalization.py:instance_g@cdcgan
"""

from configs import study

BASELINE = {"tutorial": "none", "tuned": "batch_g", "cdcgan": "batch_both"}
NORMS = ("batch", "layer", "instance", "group")
ARMS = {
    "none": study.norms(),
    **{f"{norm}_g": study.norms(generator=norm) for norm in NORMS},
    **{f"{norm}_d": study.norms(discriminator=norm) for norm in NORMS},
    **{f"{norm}_both": study.norms(norm, norm) for norm in NORMS},
}
VARIANTS, get_config = study.variants(ARMS, BASELINE)
