"""Is the tutorial's last recipe more than the sum of its parts?

The tutorial concluded, from one run each, that batch norm in the generator, PReLU in both networks and AdamW with
decay 1e-2 together are best. The eight arms are every combination of the three, so they show the effect of each with
and without the other two. All three together on the tutorial's base are configs/cgan_final.py. Everything else is
fixed. `tuned` has batch norm already, so its baseline is the arm batch_norm, and the arm none removes batch norm.

    python -m gan_jax.main --config configs/ablations/final.py:batch_norm_prelu_adamw
    python -m gan_jax.main --config configs/ablations/final.py:prelu@tuned
"""

from configs import study

BASELINE = {"tutorial": "none", "tuned": "batch_norm"}
NORMS = {"": {"generator.norm": "none"}, "batch_norm": {"generator.norm": "batch"}}
ACTIVATIONS = {"": {}, "prelu": study.networks(activation="prelu", slope=0.25)}
OPTIMIZERS = {"": study.optimizers(name="adam"), "adamw": study.optimizers(name="adamw", weight_decay=1e-2)}
ARMS = {
    "_".join(filter(None, (norm, activation, optimizer))) or "none": {
        **NORMS[norm],
        **ACTIVATIONS[activation],
        **OPTIMIZERS[optimizer],
    }
    for norm in NORMS
    for activation in ACTIVATIONS
    for optimizer in OPTIMIZERS
}
VARIANTS, get_config = study.variants(ARMS, BASELINE)
