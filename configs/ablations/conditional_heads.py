"""How should D learn the classes: by projection, by a classifier, or by comparing images?

projection (arXiv 1802.05637) multiplies features with a vector of the class. The others have a classifier or an
embedding beside the logit: auxiliary (AC-GAN, arXiv 1610.09585), twin (TAC-GAN, arXiv 1907.02690), discriminative
(ADC-GAN, arXiv 2107.10060), contrastive (ContraGAN, arXiv 2006.12681), data_to_data (ReACGAN, arXiv 2111.01118),
multi_hinge (arXiv 1912.04216). All weights are 1, but 0.5 for data_to_data as published.

    python -m gan_jax.main --config configs/ablations/conditional_heads.py:twin@tuned
    python -m gan_jax.main --config configs/ablations/conditional_heads.py:data_to_data@cdcgan
"""

from configs import study

BASELINE = {"tuned": "projection", "cdcgan": "projection"}


def _arm(head: str, **weights: float) -> dict:
    """weights: of d_loss, and of g_loss if the name starts with g_."""
    losses = {f"g_loss.{name[2:]}" if name.startswith("g_") else f"d_loss.{name}": weights[name] for name in weights}
    return {"discriminator.head": head, **losses}


ARMS = {
    "projection": _arm("projection"),
    "auxiliary": _arm("auxiliary", classification=1.0, classification_fake=1.0, g_classification_fake=1.0),
    "twin": _arm(
        "twin", classification=1.0, twin_classification=1.0, g_classification_fake=1.0, g_twin_classification=-1.0
    ),
    "discriminative": _arm(
        "discriminative", discriminative_classification=1.0, g_discriminative_classification_fake=1.0
    ),
    "contrastive": _arm("contrastive", contrastive=1.0, g_contrastive_fake=1.0),
    "data_to_data": _arm("contrastive", data_to_data=0.5, g_data_to_data_fake=0.5),
    "multi_hinge": _arm("auxiliary_fake", multi_hinge=1.0, g_multi_hinge_fake=1.0),
}
VARIANTS, get_config = study.variants(ARMS, BASELINE)
