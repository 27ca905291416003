"""How much first moment for Adam?

The tutorial concluded, from one run each, that beta1 0.9 is unstable and 0.5 is not, as DCGAN's authors had found
(arXiv 1511.06434). The tutorial's conditional GAN nevertheless has 0.9, Adam's own default. The learning rate is fixed.

    python -m gan_jax.main --config configs/ablations/beta1.py:0.5
    python -m gan_jax.main --config configs/ablations/beta1.py:0.9@tuned
"""

from configs import study

BASELINE = {"tutorial": "0.9", "tuned": "0.5"}
ARMS = {
    "0": study.optimizers(b1=0.0),
    "0.5": study.optimizers(b1=0.5),
    "0.9": study.optimizers(b1=None),  # the optimizer's own default
}
VARIANTS, get_config = study.variants(ARMS, BASELINE)
