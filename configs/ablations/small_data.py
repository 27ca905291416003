"""Which technique for few images helps: adaptive augmentation, pseudo augmentation, or a penalty?

All of them weaken a discriminator that learns the few real images by heart. diffaugment changes every image before D
(arXiv 2006.10738); ada does the same with a probability that follows D's outputs (arXiv 2006.06676); apa shows D
generated images as real ones with such a probability (arXiv 2111.06849); lecam penalises outputs of D that separate
(arXiv 2104.03310). The speed of the adaptive ones is set for short runs: 20,000 images from 0 to 1. They were made for
few images, such as --config.data.name=mnist_5k (5,000).

    python -m gan_jax.main --config configs/ablations/small_data.py:ada@tuned --config.data.name=mnist_5k
    python -m gan_jax.main --config configs/ablations/small_data.py:lecam@cdcgan
"""

from configs import study

BASELINE = {"tuned": "none", "cdcgan": "none"}


def _arm(
    changes: str = "", probability: str | None = None, pseudo: str | None = None, lecam: float | str = 0.0
) -> dict:
    return {
        "augmentation.differentiable": changes,
        "augmentation.probability": probability,
        "augmentation.pseudo": pseudo,
        "d_loss.lecam": lecam,
    }


_CHANGES, _ADAPTIVE = "color,translation,cutout", "adaptive:0.6:20000"
ARMS = {
    "none": _arm(),
    "diffaugment": _arm(_CHANGES),
    "ada": _arm(_CHANGES, _ADAPTIVE),
    "apa": _arm(pseudo=_ADAPTIVE),
    "lecam": _arm(lecam="linear:0:0.3:0.1"),
    "ada_lecam": _arm(_CHANGES, _ADAPTIVE, lecam="linear:0:0.3:0.1"),
}
VARIANTS, get_config = study.variants(ARMS, BASELINE)
