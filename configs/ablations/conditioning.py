"""How should the label enter the two networks?

The common tutorial appends an embedding of 10 entries to the input of both networks. The arms:

- no label at all (conditional accuracy is then that of a guess);
- embeddings of other lengths, the one-hot label itself, or the input multiplied by an embedding;
- the projection discriminator (arXiv 1802.05637);
- batch norm in the generator with a gain and offset that depend on the label (arXiv 1610.07629), and a projection
  discriminator;
- an auxiliary classifier instead of a label for the discriminator (AC-GAN, arXiv 1610.09585).

Everything else is fixed. conditional_norm includes batch norm, which only `tuned` has already: on the tutorial's base,
also compare it with normalization.py:batch_g.

    python -m gan_jax.main --config configs/ablations/conditioning.py:projection
    python -m gan_jax.main --config configs/ablations/conditioning.py:concat_10@tuned
"""

from configs import study

BASELINE = {"tutorial": "concat_10", "tuned": "projection"}


def _labels(generator: str, discriminator: str, head: str = "binary", features: int = 10, classification: float = 0.0):
    """How labels enter both networks, and the weights of the losses that classify."""
    return {
        "generator.conditioning": generator,
        "discriminator.conditioning": discriminator,
        "discriminator.head": head,
        **study.networks(embedding_features=features),
        "d_loss.classification": classification,
        "d_loss.classification_fake": classification,
        "g_loss.classification_fake": classification,
    }


ARMS = {
    "none": _labels("none", "none"),
    **{f"concat_{features}": _labels("concat", "concat", features=features) for features in (2, 10, 50)},
    "one_hot": _labels("one_hot", "one_hot"),
    "multiply": _labels("multiply", "multiply"),
    "projection": _labels("concat", "none", "projection"),
    "conditional_norm": {**_labels("none", "none", "projection"), "generator.norm": "conditional_batch"},
    "auxiliary": _labels("concat", "none", "auxiliary", classification=1.0),
}
VARIANTS, get_config = study.variants(ARMS, BASELINE)
