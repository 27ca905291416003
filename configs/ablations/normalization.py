"""Which normalization, and in which network?

The tutorial concluded, from one run each: with a norm in both networks only layer norm helps and instance norm is
worst; batch norm in both gives noisy edges and a discriminator that collapses; batch norm in the generator alone is
best, and group and layer norm there are slower than none. The number of groups (8) and everything else are fixed. Every
hidden layer of the network has the norm, except the first layer of cdcgan's discriminator, as in DCGAN.

A vector has only one position, so instance norm in a fully connected network computes its moments over the vector's
entries and IS layer norm. On `tutorial` and `tuned` the arms instance_* and layer_* are the same computation; if their
results differ, the reason is the machine's rounding. (PyTorch's InstanceNorm1d on [B, F] does the same, by default
without gain and offset.) On the feature maps of `cdcgan` they are two different norms. Batch norm in a discriminator
normalizes real and generated images in separate batches.

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
