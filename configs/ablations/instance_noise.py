"""Does Gaussian noise in the discriminator help: on its images, or in its layers?

The tutorial concluded, from one run each, that noise in the discriminator's layers helps. Noise on real and generated
images alike (instance noise, arXiv 1610.04490) makes the two distributions overlap. In the arms *_fading it falls
linearly to 0 over 5,000 updates of the discriminator: about half of the tutorial's run and a quarter of tuned's. A run
of another length needs another number. Pixels are in [-1, 1]. Everything else is fixed, also the dropout of 0.3.

    python -m gan_jax.main --config configs/ablations/instance_noise.py:input_0.1
    python -m gan_jax.main --config configs/ablations/instance_noise.py:input_0.3_fading@tuned
"""

from configs import study

BASELINE = {"tutorial": "none", "tuned": "none"}


def _noise(images: float = 0.0, layers: float = 0.0, fade: int = 0) -> dict:
    return {
        "discriminator.input_noise": images,
        "discriminator.noise": layers,
        "discriminator.noise_fade_updates": fade,
    }


ARMS = {
    "none": _noise(),
    **{f"input_{stddev:g}": _noise(images=stddev) for stddev in (0.1, 0.3)},
    **{f"input_{stddev:g}_fading": _noise(images=stddev, fade=5000) for stddev in (0.1, 0.3)},
    **{f"layers_{stddev:g}": _noise(layers=stddev) for stddev in (0.1, 0.3)},
}
VARIANTS, get_config = study.variants(ARMS, BASELINE)
