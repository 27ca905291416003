"""Should D's output stay the same if the image or z changes a little, and should G learn from its best images only?

cr penalises a change of D's output if a real image is shifted (arXiv 1910.12027); bcr also that of generated images;
zcr that of small changes of z, and rewards G for other images (arXiv 2002.04724); icr is bcr and zcr. top_k averages
G's loss over the images with the highest outputs of D: at first all, at the end the best half (arXiv 2002.06224).

    python -m gan_jax.main --config configs/ablations/consistency.py:bcr@tuned
    python -m gan_jax.main --config configs/ablations/consistency.py:top_k@cdcgan
"""

from configs import study

BASELINE = {"tuned": "none", "cdcgan": "none"}


def _arm(real: float = 0.0, fake: float = 0.0, latent: bool = False, top_share: str | None = None) -> dict:
    return {
        "augmentation.consistency": "shift" if real else "flip,shift",
        "d_loss.consistency": real,
        "d_loss.consistency_fake": fake,
        "d_loss.latent_consistency": 5.0 if latent else 0.0,
        "g_loss.latent_diversity": 0.5 if latent else 0.0,
        "g_top_share": top_share,
    }


ARMS = {
    "none": _arm(),
    "cr": _arm(10.0),
    "bcr": _arm(10.0, 10.0),
    "zcr": _arm(latent=True),
    "icr": _arm(10.0, 10.0, latent=True),
    "top_k": _arm(top_share="linear:1:0.5"),
}
VARIANTS, get_config = study.variants(ARMS, BASELINE)
