"""Which activation in the generator?

The tutorial concluded, from one run each, that PReLU converges fastest, in the order PReLU, ReLU, ELU, LeakyReLU,
SiLU, GELU, and that SiLU and GELU produce some inverted images. The discriminator's LeakyReLU of slope 0.2 is fixed.
The arm prelu learns one slope per channel, prelu_shared one slope per layer (PyTorch's default). Both start at 0.25, as
in PyTorch.

    python -m gan_jax.main --config configs/ablations/activation.py:prelu
    python -m gan_jax.main --config configs/ablations/activation.py:prelu@tuned
"""

from configs import study

BASELINE = {"tutorial": "leaky_relu", "tuned": "relu"}
ARMS = {
    **{name: {"generator.activation": name} for name in ("relu", "leaky_relu", "elu", "silu", "gelu")},
    **{name: {"generator.activation": name, "generator.slope": 0.25} for name in ("prelu", "prelu_shared")},
}
VARIANTS, get_config = study.variants(ARMS, BASELINE)
