"""How large a batch?

The tutorial concluded, from one run each, that larger batches are steadier and take less time. The number of images
that the discriminator is trained on is fixed, so a batch twice as large means half as many updates of both players. The
arms compare batch sizes at equal data, not at equal updates. The learning rate is not scaled with the batch.

    python -m gan_jax.main --config configs/ablations/batch_size.py:256
    python -m gan_jax.main --config configs/ablations/batch_size.py:256@tuned
"""

from configs import study

BASELINE = {"tutorial": "128", "tuned": "64"}
ARMS = {str(size): {"batch_size": size} for size in (32, 64, 128, 256, 512)}
VARIANTS, get_config = study.variants(ARMS, BASELINE)
