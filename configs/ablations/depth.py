"""How many hidden layers?

An arm of n layers has widths 256, then 512 as often as it takes, then 1024 in the generator, and their mirror in the
discriminator: one more layer of 512 each time, nothing else. Depth brings parameters with it; initial weights and
learning rate are held fixed, which is harder on the deep arms, the more so without a norm.

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
