"""Does batch norm in the generator need a batch of a certain size?

The tutorial concluded, from one run each, that batch norm wants a batch that is neither small nor large. A batch of
another size also changes the number of updates (the images seen are held fixed), so every size is run without the norm
as well: what batch norm needs is what differs between the two columns, not within one.

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
