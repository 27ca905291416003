"""Which optimizer, the same for both players?

The tutorial concluded, from one run each, that RAdam is steadier than AdamW and AdamW than Adam, that Adamax is worst,
and that Adam beats SGD. The learning rate is held fixed, which suits Adam and those whose steps are about as long as
the rate. The steps of SGD and of momentum are the rate times the gradient, so at Adam's rate they hardly move: what
that comparison shows is the rate. sgd_1e-1 and momentum_1e-2 have rates of their own. beta1 of the base is kept by all
that have one. Decays: of adam_l2 1e-4 in the gradient, of adamw 1e-2 (PyTorch's default), see weight_decay.py.

    python -m gan_jax.main --config configs/ablations/optimizer.py:radam
    python -m gan_jax.main --config configs/ablations/optimizer.py:radam@tuned
"""

from configs import study

BASELINE = {"tutorial": "adam", "tuned": "adam"}
ARMS = {
    **{name: study.optimizers(name=name) for name in ("adam", "adamax", "radam", "nadam")},
    "adam_l2": study.optimizers(name="adam", weight_decay=1e-4),
    "adamw": study.optimizers(name="adamw", weight_decay=1e-2),
    # Without a first moment of Adam's kind, beta1 is refused.
    **{name: study.optimizers(name=name, b1=None) for name in ("sgd", "momentum", "rmsprop")},
    "sgd_1e-1": study.optimizers(name="sgd", b1=None, learning_rate=1e-1),
    "momentum_1e-2": study.optimizers(name="momentum", b1=None, learning_rate=1e-2),
}
VARIANTS, get_config = study.variants(ARMS, BASELINE)
