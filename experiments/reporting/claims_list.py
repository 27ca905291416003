"""The conclusions of the common GAN tutorial, which drew each from one run. The sentences are not quotations."""

from experiments.reporting.claim import (
    DISTANCE,
    OSCILLATION,
    SALIMANS,
    STEPS,
    Claim,
    Comparison,
    above,
    below,
    chain,
    each,
)
from experiments.reporting.claims_of_norms import NORMS

_FINAL_ARMS = ("none", "prelu", "adamw", "prelu_adamw", "batch_norm", "batch_norm_prelu", "batch_norm_adamw")
_WORKING_BASES = ("tuned", "cdcgan")
_NO_IDLE_MACHINE = (
    "Seconds need an idle machine and several measurements of each arm. These runs shared their machines with other "
    "programs, so their seconds are no evidence; python -m experiments.benchmarks measures times."
)

_BATCHES_AND_RATES = [
    Claim(
        "batch-steadier",
        "Larger batches make training steadier.",
        "batch_size",
        (Comparison("256", "32", OSCILLATION, "lower"), Comparison("512", "64", OSCILLATION, "lower")),
    ),
    Claim(
        "batch-cheaper",
        "Larger batches take less time for the same number of images.",
        "batch_size",
        not_measured=_NO_IDLE_MACHINE,
    ),
    Claim(
        "rate-small-slow",
        "Too small a learning rate converges slowly.",
        "learning_rate",
        each(("1e-5",), "", STEPS, "higher"),
    ),
    Claim(
        "rate-large-oscillates",
        "Too large a learning rate oscillates.",
        "learning_rate",
        each(("1e-2",), "", OSCILLATION, "higher"),
    ),
    Claim(
        "critic-fewer-steps",
        "More discriminator updates to one of the generator converge in fewer steps.",
        "n_critic",
        (Comparison("5", "1", STEPS, "lower"),),
        note="Steps are generator updates. The number of D's updates is fixed, so n_critic 5 has a fifth of the steps.",
    ),
    Claim(
        "critic-slower",
        "More discriminator updates to one of the generator take longer a step.",
        "n_critic",
        not_measured=_NO_IDLE_MACHINE,
    ),
    Claim(
        "beta1-unstable",
        "Adam is unstable with beta1 0.9 and stable with 0.5.",
        "beta1",
        (Comparison("0.9", "0.5", OSCILLATION, "higher"),),
    ),
]

_OPTIMIZERS = [
    Claim(
        "l2-no-help",
        "L2 inside Adam does not help.",
        "weight_decay",
        each(("l2_1e-4", "l2_1e-3", "l2_1e-2"), "none", DISTANCE, "no_lower"),
    ),
    Claim(
        "l2-costs-time",
        "L2 inside Adam costs time.",
        "weight_decay",
        not_measured=_NO_IDLE_MACHINE,
    ),
    Claim(
        "adamw-faster",
        "AdamW converges faster than Adam.",
        "weight_decay",
        each(("adamw_1e-2",), "none", STEPS, "lower"),
    ),
    Claim(
        "optimizer-stability",
        "RAdam is steadier than AdamW, and AdamW than Adam.",
        "optimizer",
        chain(("radam", "adamw", "adam"), OSCILLATION),
    ),
    Claim(
        "adamax-worst",
        "Of Adam's relatives, Adamax is the worst.",
        "optimizer",
        above("adamax", ("adam", "adamw", "radam")),
    ),
    Claim(
        "adam-beats-sgd",
        "Adam beats SGD.",
        "optimizer",
        below("adam", ("sgd", "sgd_1e-1")),
        note="At Adam's rate SGD hardly moves; sgd_1e-1 has a rate of its own.",
    ),
]

_LOSSES_AND_TARGETS = [
    Claim(
        "lsgan-no-vanishing",
        "With least squares, gradients do not vanish early.",
        "loss",
        each(("lsgan",), "bce", "g_gradient_growth", "higher"),
        note="Measured inside each run: its gradients in the last fifth against those in the first fifth.",
    ),
    Claim(
        "lsgan-no-explosion",
        "With least squares, gradients do not explode.",
        "loss",
        each(("lsgan",), "bce", "peak_gradient", "lower"),
        note="Measured inside each run: its largest gradient against its median.",
    ),
    Claim(
        "cross-entropy-unusable",
        "Cross-entropy is unusable as an adversarial loss.",
        "loss",
        each(("cross_entropy",), "bce_logits", DISTANCE, "higher"),
        note="The softmax of one logit is always 1, so loss and gradient are 0 and nothing trains. Over two classes, "
        "cross-entropy equals binary cross-entropy on logits and works as well.",
    ),
    Claim(
        "bce-logits-like-lsgan",
        "Cross-entropy on logits behaves like least squares early on.",
        "loss",
        each(("bce_logits",), "lsgan", "early_frechet_distance", "same"),
    ),
    Claim(
        "soft-labels",
        "Soft labels keep the discriminator's loss above zero.",
        "labels",
        each(("soft",), "hard", "late_d_loss", "higher"),
        note="This is arithmetic: with soft targets the cross-entropy cannot reach 0. It says nothing about samples.",
    ),
    Claim("flips-help", "Flipping 5% of the labels helps.", "labels", each(("flips",), "hard", DISTANCE, "lower")),
    Claim(
        "one-sided-helps",
        "One-sided label smoothing helps.",
        "labels",
        each(("one_sided",), "hard", DISTANCE, "lower"),
        source=SALIMANS,
    ),
    Claim(
        "one-sided-helps-improved",
        "One-sided label smoothing helps a system that works.",
        "improved_techniques",
        each(("one_sided",), "none", DISTANCE, "lower"),
        bases=_WORKING_BASES,
        source=SALIMANS,
    ),
    Claim(
        "minibatch-samples",
        "Minibatch discrimination gives better samples than feature matching.",
        "improved_techniques",
        below("minibatch_discrimination", ("feature_matching",)),
        bases=_WORKING_BASES,
        source=SALIMANS,
    ),
    Claim(
        "feature-matching-classifier",
        "Feature matching gives the better classifier.",
        "improved_techniques",
        bases=_WORKING_BASES,
        source=SALIMANS,
        not_measured="The discriminators of this study classify nothing; the claim is about semi-supervised training.",
    ),
]

_NETWORKS_AND_NOISE = [
    Claim(
        "activation-order",
        "In the generator PReLU converges fastest, then ReLU, ELU, LeakyReLU, SiLU and GELU, in this order.",
        "activation",
        chain(("prelu", "relu", "elu", "leaky_relu", "silu", "gelu"), STEPS),
    ),
    Claim(
        "prelu-fastest",
        "PReLU in the generator converges faster than every other activation.",
        "activation",
        below("prelu", ("relu", "elu", "leaky_relu", "silu", "gelu"), STEPS),
    ),
    Claim(
        "inverted-images",
        "SiLU and GELU in the generator produce some inverted images.",
        "activation",
        not_measured="No score counts inverted images. The sample grids of the section show if there are any.",
    ),
    Claim(
        "uniform-unsuitable", "Uniform noise is unsuitable.", "noise", each(("uniform",), "normal", DISTANCE, "higher")
    ),
    Claim(
        "laplace-equal", "Laplace noise equals normal noise.", "noise", each(("laplace",), "normal", DISTANCE, "same")
    ),
    Claim(
        "dimension-no-matter",
        "The dimension of the noise does not matter (32 to 512).",
        "noise_dimension",
        each(("32", "256", "512"), "100", DISTANCE, "same"),
    ),
    Claim(
        "dimension-no-matter-small",
        "The dimension of the noise does not matter (2 and 8).",
        "noise_dimension",
        each(("2", "8"), "100", DISTANCE, "same"),
        note="This is stricter than the tutorial's claim: the tutorial may not have tried such small dimensions.",
    ),
    Claim(
        "layer-noise-helps",
        "Noise in the discriminator's layers helps.",
        "instance_noise",
        each(("layers_0.1", "layers_0.3"), "none", DISTANCE, "lower"),
        needs="any",
    ),
    Claim(
        "final-best",
        "Batch norm in G, PReLU and AdamW together are better than any part of them.",
        "final",
        below("batch_norm_prelu_adamw", _FINAL_ARMS),
    ),
]

CLAIMS = [*_BATCHES_AND_RATES, *_OPTIMIZERS, *NORMS, *_LOSSES_AND_TARGETS, *_NETWORKS_AND_NOISE]
