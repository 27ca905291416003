"""Conditional GAN for small colour photographs: DCGAN's layers with a spectrally normalised projection discriminator.

It differs from `configs/cdcgan.py` where photographs need it: spectral norm and no batch norm in D (arXiv 1802.05957),
the hinge loss, a learning rate of 2e-4, and networks for 32 x 32 pixels with twice the channels. Half of the real
images are mirrored, which suits photographs and does not suit letters or digits.

    python -m gan_jax.main --config configs/cdcgan_colour.py --config.data.name=folder --config.data.dir=PATH

Measured on CIFAR-10 (JPEG), so not comparable with published distances: half of the run, 4,000 steps on one thread
took 91 minutes on a busy machine. It then had a Frechet distance of 15.04 (held-out real images: 0.03) and a
conditional accuracy of 22.0% (real test images: 85.7%), 10,000 images with the 10,000 test images (seed 0, commit
1e0956d). experiments/results/colour.md shows the samples.
"""

from ml_collections import ConfigDict

from configs import cdcgan


def get_config() -> ConfigDict:
    """The differences from the conditional DCGAN for digits."""
    config = cdcgan.get_config()
    config.num_steps = 8_000
    config.data.image_size = 32
    config.objective = "hinge"
    config.generator.widths = (256, 128, 64)
    config.discriminator.widths = (64, 128, 256)
    config.discriminator.norm = "none"
    config.discriminator.kernel_norm = "spectral"
    config.augmentation.real = "flip"
    for optimizer in (config.d_optimizer, config.g_optimizer):
        optimizer.learning_rate = 2e-4
    return config
