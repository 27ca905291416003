"""Does instance norm depend on the size of the batch?

The tutorial concluded, from one run each, that instance norm in both networks explodes at batches of 128 and
oscillates at 32. Instance norm's moments are of one example, so the batch size can act only through the noise of the
gradient and the number of updates (the number of images is fixed). The arms base_* have the norms of the base and show
the effect of the batch size without instance norm. The tutorial's conclusion needs a larger effect than theirs. On the
vectors of `tutorial` and `tuned`, instance norm is layer norm (see normalization.py). On the feature maps of `cdcgan`
it is not; the length of `cdcgan` is fixed in updates.

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
