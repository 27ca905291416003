"""Fully connected or convolutional layers, and in which of the two networks?

The recipe is held fixed: loss, optimizer, norms, activations, conditioning and length are the base's, and only the
layers are exchanged, those of configs/cgan.py for those of configs/cdcgan.py with the start of the weights that each
was published with. `dcgan_g` has a convolutional generator against a fully connected discriminator, `dcgan_d` the
other way round. Two published systems differ in everything at once, and here in one thing; but a recipe belongs to the
layers that it was tuned for, so each of the three bases favours its own.

    python -m gan_jax.main --config configs/ablations/architecture.py:dcgan
    python -m gan_jax.main --config configs/ablations/architecture.py:dcgan_d@tuned
    python -m gan_jax.main --config configs/ablations/architecture.py:mlp@cdcgan
"""

from configs import study

BASELINE = {"tutorial": "mlp", "tuned": "mlp", "cdcgan": "dcgan"}
KERNEL_INIT = {"mlp": "torch_uniform", "dcgan": "normal"}
WIDTHS = {"mlp": (256, 512, 1024), "dcgan": (128, 64)}


def _layers(generator: str, discriminator: str) -> dict:
    return {
        "generator.family": generator,
        "generator.widths": WIDTHS[generator],
        "generator.kernel_init": KERNEL_INIT[generator],
        "discriminator.family": discriminator,
        "discriminator.widths": WIDTHS[discriminator][::-1],
        "discriminator.kernel_init": KERNEL_INIT[discriminator],
    }


ARMS = {
    "mlp": _layers("mlp", "mlp"),
    "dcgan_g": _layers("dcgan", "mlp"),
    "dcgan_d": _layers("mlp", "dcgan"),
    "dcgan": _layers("dcgan", "dcgan"),
}
VARIANTS, get_config = study.variants(ARMS, BASELINE)
