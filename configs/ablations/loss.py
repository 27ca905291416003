"""Which adversarial loss?

The tutorial concluded, from one run each: least squares avoids early vanishing and explosion, cross-entropy is
unusable, and cross-entropy on logits behaves like least squares early on. What surprises is why cross-entropy was
unusable: PyTorch's CrossEntropyLoss on ONE logit is 0 with a gradient of 0, whatever the logit, so nothing trains at
all (arm cross_entropy). Over two classes it is binary cross-entropy on logits exactly: cross_entropy_two_logits takes
the softmax of (logit, 0), keeps the base's head, and must come out as bce_logits does, up to rounding. The difference
of the two arms is therefore a measure of noise. A head of two outputs is --config.discriminator.head=two_logits.

The networks, optimizers and updates are held fixed, which favours the loss that they were chosen for; wasserstein_gp
adds the gradient penalty of weight 10 that keeps its critic Lipschitz (arXiv 1704.00028) and takes longer an update.

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
