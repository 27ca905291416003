"""Does instance norm depend on the size of the batch?

The tutorial concluded, from one run each, that instance norm in both networks explodes at batches of 128 and
oscillates at 32. Its moments are of one example, so the batch can reach it only through the noise of the gradient and
the number of updates (the images seen are held fixed). The arms base_*, which have the norms of the base, say what the
batch does without it; what the tutorial saw would have to be more than that. On the vectors of `tutorial` and `tuned`
instance norm is layer norm (see normalization.py); on the feature maps of `cdcgan`, whose length is in updates, it is
not.

    python -m gan_jax.main --config configs/ablations/instance_norm_batch.py:instance_32
    python -m gan_jax.main --config configs/ablations/instance_norm_batch.py:instance_128@cdcgan
"""

from configs import study

BASELINE = {"tutorial": "base_128", "tuned": "base_64", "cdcgan": "base_64"}
ARMS = {
    f"{name}_{size}": {**norms, "batch_size": size}
    for name, norms in (("base", {}), ("instance", study.norms("instance", "instance")))
    for size in (32, 64, 128)
}
VARIANTS, get_config = study.variants(ARMS, BASELINE)
