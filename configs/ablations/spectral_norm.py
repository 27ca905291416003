"""Does a reparametrisation of the kernels steady the game: spectral norm, weight norm?

The tutorial concluded, from one run each, that spectral norm stabilises. Spectral norm divides every kernel by its
largest singular value, so that this value is 1 (arXiv 1802.05957). Weight norm only separates length from direction
(arXiv 1602.07868). As in the papers, a kernel norm replaces the layers' norm in the discriminator, because batch norm
after a kernel would undo the kernel's scale. On `tutorial` and `tuned` this changes nothing: their discriminators have
no norm. On `cdcgan` the control without batch norm is normalization.py:batch_g@cdcgan. The generator's norm, the loss
and everything else are fixed; the papers combine spectral norm with the hinge loss.

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
