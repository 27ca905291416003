"""Layer norm in every hidden layer, or in fewer?

The tutorial concluded, from one run each, that fewer layer-norm layers converge faster. Layer norm stands in both
networks, at the same places: all hidden layers, the first, the last, or the inner ones (all but the first). The arms
none and batch_g are what the two bases have; all else is held fixed.

    python -m gan_jax.main --config configs/ablations/layer_norm_places.py:last
    python -m gan_jax.main --config configs/ablations/layer_norm_places.py:last@tuned
"""

from configs import study

BASELINE = {"tutorial": "none", "tuned": "batch_g"}
ARMS = {
    "none": study.norms(),
    "batch_g": study.norms(generator="batch"),
    **{
        places: {**study.norms("layer", "layer"), **study.networks(norm_layers=places)}
        for places in ("all", "first", "inner", "last")
    },
}
VARIANTS, get_config = study.variants(ARMS, BASELINE)
