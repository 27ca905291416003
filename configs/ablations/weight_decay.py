"""Does weight decay help, and which kind?

The tutorial concluded, from one run each, that L2 inside Adam does not help and costs time, and that AdamW converges
faster. `l2_*` adds the decay to the gradient, and Adam divides it by the gradient's own size (coupled). `adamw_*`
shrinks the parameters by rate times decay in each update (decoupled, arXiv 1711.05101). So the same number is not the
same strength: at a rate of 1e-4, a decay of 1e-2 makes AdamW shrink a parameter by a millionth of its value per update.
The rate is fixed. Biases and the gains of norms do not decay. 1e-2 is PyTorch's default for AdamW.

    python -m gan_jax.main --config configs/ablations/weight_decay.py:l2_1e-3
    python -m gan_jax.main --config configs/ablations/weight_decay.py:adamw_1e-2@tuned
"""

from configs import study

BASELINE = {"tutorial": "none", "tuned": "none"}
DECAYS = ("1e-4", "1e-3", "1e-2")
ARMS = {
    "none": study.optimizers(name="adam", weight_decay=0.0),
    **{f"l2_{decay}": study.optimizers(name="adam", weight_decay=float(decay)) for decay in DECAYS},
    **{f"adamw_{decay}": study.optimizers(name="adamw", weight_decay=float(decay)) for decay in DECAYS},
}
VARIANTS, get_config = study.variants(ARMS, BASELINE)
