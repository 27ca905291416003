"""Layer norm in every hidden layer, or in fewer?

The tutorial concluded, from one run each, that fewer layer-norm layers converge faster. The same layers of both
networks have layer norm: all hidden layers, the first, the last, or the inner ones (all except the first). The arms
none and batch_g are the norms of the two bases. Everything else is fixed.

    python -m gan_jax.main --config configs/ablations/layer_norm_places.py:last
    python -m gan_jax.main --config configs/ablations/layer_norm_places.py:last@tuned
"""

from configs import study

BASELINE = {"tutorial": "none", "tuned": "batch_g"}
ARMS = {
    "none": study.norms(),
    "batch_g": study.norms(generator="batch"),
    **{
        layers: {**study.norms("layer", "layer"), **study.networks(norm_layers=layers)}
        for layers in ("all", "first", "inner", "last")
    },
}
VARIANTS, get_config = study.variants(ARMS, BASELINE)
