"""Which augmentation helps: of the real images as data, or differentiable and of both kinds?

Distortions of real images alone are learned: a generator that is trained on flipped digits generates flipped digits,
and its scores against the unflipped test images get worse. Differentiable augmentation (arXiv 2006.10738) changes real
and generated images alike before the discriminator, so the generator does not copy the distortions. It was made for
few images (--config.data.name=mnist_5k has 5,000). Strengths are the defaults; everything else is fixed.

    python -m gan_jax.main --config configs/ablations/augmentation.py:flip
    python -m gan_jax.main --config configs/ablations/augmentation.py:shift@tuned
    python -m gan_jax.main --config configs/ablations/augmentation.py:translation@cdcgan
"""

from configs import study

BASELINE = {"tutorial": "none", "tuned": "none", "cdcgan": "none"}


def _augmentation(real: str = "", differentiable: str = "") -> dict:
    return {"augmentation.real": real, "augmentation.differentiable": differentiable}


ARMS = {
    "none": _augmentation(),
    **{name: _augmentation(real=name) for name in ("flip", "rotate", "scale", "shift", "brightness", "contrast")},
    **{name: _augmentation(differentiable=name) for name in ("color", "translation", "cutout")},
    "diffaugment": _augmentation(differentiable="color,translation,cutout"),
}
VARIANTS, get_config = study.variants(ARMS, BASELINE)
