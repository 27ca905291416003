"""Norm before the activation, or after it?

DCGAN has its norms before the activation, the common tutorial's convolutional discriminator after it (configs/dcgan.py
has both). Here the generator has the norm, batch or layer norm, and everything else is fixed. With a norm after the
activation, the inputs of the next layer have mean 0 and variance 1. With a norm before a ReLU, about half of the ReLU's
inputs are below 0, whatever the weights are.

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
