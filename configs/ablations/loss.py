"""Which adversarial loss?

The tutorial concluded, from one run each: least squares avoids early vanishing and explosion, cross-entropy is
unusable, and cross-entropy on logits behaves like least squares early on. The reason for the second is surprising:
PyTorch's CrossEntropyLoss on ONE logit is 0 with a gradient of 0, whatever the logit is, so nothing trains at all (arm
cross_entropy). Over two classes it equals binary cross-entropy on logits. The arm cross_entropy_two_logits takes the
softmax of (logit, 0), keeps the base's head, and must give the same result as bce_logits, up to rounding. So the
difference of these two arms is a measure of noise. --config.discriminator.head=two_logits is a head of two outputs.

The networks, optimizers and updates are fixed, which favours the loss that they were chosen for. wasserstein_gp adds a
gradient penalty of weight 10, which keeps its critic Lipschitz (arXiv 1704.00028) and makes an update slower.

    python -m gan_jax.main --config configs/ablations/loss.py:lsgan
    python -m gan_jax.main --config configs/ablations/loss.py:hinge@tuned
"""

from configs import study

BASELINE = {"tutorial": "bce", "tuned": "bce_logits"}
OBJECTIVES = (
    *("bce", "bce_logits", "saturating", "lsgan", "cross_entropy", "cross_entropy_two_logits", "hinge"),
    "relativistic_average",
)
ARMS = {
    **{objective: {"objective": objective} for objective in OBJECTIVES},
    "wasserstein_gp": {"objective": "wasserstein", "d_loss.gradient_penalty": 10.0},
}
VARIANTS, get_config = study.variants(ARMS, BASELINE)
