"""Does a reparametrisation of the kernels steady the game: spectral norm, weight norm?

The tutorial concluded, from one run each, that spectral norm stabilises. Spectral norm holds the largest singular
value of every kernel at 1 (arXiv 1802.05957); weight norm only separates length from direction (arXiv 1602.07868). As
in the papers they stand in place of a norm in the discriminator, because batch norm behind a kernel would undo its
scale: that changes nothing on `tutorial` and `tuned`, whose discriminators have none, and on `cdcgan` the control
without batch norm is normalization.py:batch_g@cdcgan. The generator's norm, the loss and all else are held fixed; the
papers pair spectral norm with the hinge loss.

    python -m gan_jax.main --config configs/ablations/spectral_norm.py:spectral_d
    python -m gan_jax.main --config configs/ablations/spectral_norm.py:spectral_both@tuned
    python -m gan_jax.main --config configs/ablations/spectral_norm.py:weight_d@cdcgan
"""

from configs import study

BASELINE = {"tutorial": "none", "tuned": "none", "cdcgan": "none"}


def _kernel_norm(discriminator: str, generator: str = "none") -> dict:
    return {
        "discriminator.kernel_norm": discriminator,
        "generator.kernel_norm": generator,
        "discriminator.norm": "none",
    }


ARMS = {
    "none": study.networks(kernel_norm="none"),
    "spectral_d": _kernel_norm("spectral"),
    "spectral_both": _kernel_norm("spectral", "spectral"),
    "weight_d": _kernel_norm("weight"),
}
VARIANTS, get_config = study.variants(ARMS, BASELINE)
