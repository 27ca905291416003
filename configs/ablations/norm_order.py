"""Norm before the activation, or after it?

DCGAN has its norms before the activation, the common tutorial's convolutional discriminator behind it
(configs/dcgan.py has both). Here the norm stands in the generator; batch and layer norm are both tried, and all else
is held fixed. Behind the activation the next layer sees inputs of mean 0 and variance 1; before it, about half of a
ReLU's inputs are below 0 whatever the weights are.

    python -m gan_jax.main --config configs/ablations/norm_order.py:batch_activation_norm
    python -m gan_jax.main --config configs/ablations/norm_order.py:batch_activation_norm@tuned
"""

from configs import study

BASELINE = {"tutorial": "none", "tuned": "batch_norm_activation"}
ARMS = {
    "none": study.norms(),
    **{
        f"{norm}_{order}": {**study.norms(generator=norm), "generator.norm_order": order}
        for norm in ("batch", "layer")
        for order in ("norm_activation", "activation_norm")
    },
}
VARIANTS, get_config = study.variants(ARMS, BASELINE)
