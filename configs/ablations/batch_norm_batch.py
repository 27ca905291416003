"""Does batch norm in the generator need a batch of a certain size?

The tutorial concluded, from one run each, that batch norm wants a batch that is neither small nor large. The batch size
also changes the number of updates, because the number of images is fixed. So every size also runs without the norm: the
effect of batch norm is the difference between the arms with and without it at the same size.

    python -m gan_jax.main --config configs/ablations/batch_norm_batch.py:batch_32
    python -m gan_jax.main --config configs/ablations/batch_norm_batch.py:none_32@tuned
"""

from configs import study

BASELINE = {"tutorial": "none_128", "tuned": "batch_64"}
ARMS = {
    f"{norm}_{size}": {**study.norms(generator=norm), "batch_size": size}
    for norm in ("none", "batch")
    for size in (32, 64, 128)
}
VARIANTS, get_config = study.variants(ARMS, BASELINE)
