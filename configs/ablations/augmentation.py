"""Which augmentation helps: of the real images as data, or differentiable and of both kinds?

Distortions of real images alone are learned: a generator trained on flipped digits draws flipped digits, and the
scores against the true test images must pay for it. The differentiable ones (arXiv 2006.10738) change real and
generated images alike before the discriminator, so the generator need not copy them; they were made for few images
(--config.data.name=mnist_5k has 5,000). Strengths are the defaults; all else is held fixed.

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
