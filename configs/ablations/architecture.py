"""Fully connected or convolutional layers, and in which of the two networks?

The recipe is the base's: loss, optimizer, norms, activations, conditioning and length. Only the layers differ: those of
configs/cgan.py or those of configs/cdcgan.py, each with its published initialisation. `dcgan_g` has a convolutional
generator and a fully connected discriminator, `dcgan_d` the reverse. Two published systems differ in many things at
once; here they differ in one. But a recipe is tuned for certain layers, so each of the three bases favours its own
layers.

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
