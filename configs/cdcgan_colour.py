"""Conditional GAN for small colour photographs: configs/cdcgan.py for 32 x 32 pixels, with mirrored images.

The recipe is that for digits: a projection discriminator, batch norm in both networks, Adam at 1e-3, samples from an
EMA of G. Half of the real images are mirrored, which suits photographs and does not suit letters or digits. The
networks have half of the channels of DCGAN's for its time on a small machine.

    python -m gan_jax.main --config configs/cdcgan_colour.py --config.data.name=folder --config.data.dir=PATH

Measured on CIFAR-10 (JPEG), so not comparable with published distances: 5,000 steps on one thread took 32 minutes on a
busy machine. It then had a Frechet distance of 4.34 (held-out real images: 0.03) and a conditional accuracy of 47.0%
(real test images: 85.7%), 10,000 images with the 10,000 test images (seed 0, commit 8470c85).
experiments/results/colour.md shows the samples, and a run with spectral norm, the hinge loss, a learning rate of 2e-4
and twice the channels.
"""

from ml_collections import ConfigDict

from configs import cdcgan


def get_config() -> ConfigDict:
    """The differences from the conditional DCGAN for digits."""
    config = cdcgan.get_config()
    config.num_steps = 5_000
    config.data.image_size = 32
    config.generator.widths = (128, 64, 32)
    config.discriminator.widths = (32, 64, 128)
    config.augmentation.real = "flip"
    return config
