"""Which optimizer, the same for both players?

The tutorial concluded, from one run each, that RAdam is steadier than AdamW and AdamW than Adam, that Adamax is worst,
and that Adam beats SGD. The learning rate is fixed, which suits Adam and the optimizers with steps about as long as the
rate. A step of SGD or momentum is the rate times the gradient, so at Adam's rate these two hardly move, and the
comparison only shows the effect of the rate. sgd_1e-1 and momentum_1e-2 have their own rates. All optimizers with a
beta1 keep the base's. Weight decay is 1e-4 in the gradient for adam_l2 and 1e-2 for adamw (PyTorch's default); see
weight_decay.py.

    python -m gan_jax.main --config configs/ablations/optimizer.py:radam
    python -m gan_jax.main --config configs/ablations/optimizer.py:radam@tuned
"""

from configs import study

BASELINE = {"tutorial": "adam", "tuned": "adam"}
ARMS = {
    **{name: study.optimizers(name=name) for name in ("adam", "adamax", "radam", "nadam")},
    "adam_l2": study.optimizers(name="adam", weight_decay=1e-4),
    "adamw": study.optimizers(name="adamw", weight_decay=1e-2),
    # These have no first moment of Adam's kind, so a config with a beta1 is an error.
    **{name: study.optimizers(name=name, b1=None) for name in ("sgd", "momentum", "rmsprop")},
    "sgd_1e-1": study.optimizers(name="sgd", b1=None, learning_rate=1e-1),
    "momentum_1e-2": study.optimizers(name="momentum", b1=None, learning_rate=1e-2),
}
VARIANTS, get_config = study.variants(ARMS, BASELINE)
