"""How much of the difference between seeds is due to the initial parameters, to the order of the images, to z?

The arms are one recipe. In `all`, everything depends on the seed, as usual. In each other arm one source of randomness
depends on the seed, and the others are those of seed 0: `init` (the initial parameters of both players), `order` (the
order of the real images), `draws` (z, dropout). The arms differ in the spread of their scores, not in the mean.

    python -m experiments.ablations --studies lottery --bases tuned --seeds 50
    python -m gan_jax.main --config configs/ablations/lottery.py:init@tuned --config.num_seeds=5
"""

from configs import study

BASELINE = {"tuned": "all", "cdcgan": "all"}
ARMS = {
    arm: {"fixed_randomness": fixed}
    for arm, fixed in {"all": "", "init": "order,draws", "order": "init,draws", "draws": "init,order"}.items()
}
VARIANTS, get_config = study.variants(ARMS, BASELINE)
