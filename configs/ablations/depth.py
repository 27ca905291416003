"""How many hidden layers?

An arm of n layers has widths 256, then n - 2 times 512, then 1024 in the generator, and the reverse in the
discriminator. A deeper arm also has more parameters. Initialisation and learning rate are fixed, which makes training
harder for the deep arms, especially without a norm.

    python -m gan_jax.main --config configs/ablations/depth.py:5
    python -m gan_jax.main --config configs/ablations/depth.py:5@tuned
"""

from configs import study

BASELINE = {"tutorial": "3", "tuned": "3"}


def _widths(layers: int) -> dict:
    widths = (256, *[512] * (layers - 2), 1024)
    return {"generator.widths": widths, "discriminator.widths": widths[::-1]}


ARMS = {str(layers): _widths(layers) for layers in (2, 3, 4, 5, 6)}
VARIANTS, get_config = study.variants(ARMS, BASELINE)
