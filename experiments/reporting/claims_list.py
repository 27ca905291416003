"""What the common GAN tutorial concluded, from one run each, as data; and how each conclusion would show in numbers.

The sentences are ours. A comparison's direction is what the claim says of `arm` minus `against`; verdicts.py has the
rule.
"""

from typing import NamedTuple

TUTORIAL, SALIMANS = "tutorial", "Salimans et al. 2016"
DISTANCE, ACCURACY, STEPS, SECONDS = "frechet_distance", "conditional_accuracy", "steps_to_threshold", "seconds"
OSCILLATION, LOST = "d_loss_oscillation", "lost_runs"
DIRECTIONS = ("lower", "higher", "same", "no_lower", "no_higher")


class Comparison(NamedTuple):
    """`arm` against `against`, "" for the baseline of the base. controls (a, b): (arm - a) against (against - b)."""

    arm: str
    against: str
    metric: str
    direction: str
    controls: tuple[str, str] | None = None


class Claim(NamedTuple):
    """needs: whether all comparisons have to hold, or any. not_measured: why no result file can say."""

    id: str
    sentence: str
    study: str
    comparisons: tuple[Comparison, ...] = ()
    bases: tuple[str, ...] = ("tutorial", "tuned")
    source: str = TUTORIAL
    needs: str = "all"
    note: str = ""
    not_measured: str = ""


def _each(arms: tuple[str, ...], against: str, metric: str, direction: str) -> tuple[Comparison, ...]:
    return tuple(Comparison(arm, against, metric, direction) for arm in arms)


def _below(arm: str, others: tuple[str, ...], metric: str = DISTANCE) -> tuple[Comparison, ...]:
    """The arm is lower than each of the others."""
    return tuple(Comparison(arm, other, metric, "lower") for other in others)


def _above(arm: str, others: tuple[str, ...], metric: str = DISTANCE) -> tuple[Comparison, ...]:
    return tuple(Comparison(arm, other, metric, "higher") for other in others)


def _chain(arms: tuple[str, ...], metric: str) -> tuple[Comparison, ...]:
    """Each arm is lower than the next."""
    return tuple(Comparison(one, other, metric, "lower") for one, other in zip(arms, arms[1:], strict=False))


_NORMS_BOTH = ("batch_both", "instance_both", "group_both")
_NORM_ARMS = ("none", "layer_g", "instance_g", "group_g", "batch_both", "layer_both", "instance_both", "group_both")
_FINAL_ARMS = ("none", "prelu", "adamw", "prelu_adamw", "batch_norm", "batch_norm_prelu", "batch_norm_adamw")
_VECTORS = "On vectors instance norm is layer norm: where the claim sets them apart, it cannot hold on these bases."
_TRIED = ("tuned", "cdcgan")

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
        (Comparison("256", "32", SECONDS, "lower"), Comparison("512", "64", SECONDS, "lower")),
    ),
    Claim(
        "rate-small-slow",
        "Too small a learning rate converges slowly.",
        "learning_rate",
        _each(("1e-5",), "", STEPS, "higher"),
    ),
    Claim(
        "rate-large-oscillates",
        "Too large a learning rate oscillates.",
        "learning_rate",
        _each(("1e-2",), "", OSCILLATION, "higher"),
    ),
    Claim(
        "critic-fewer-steps",
        "More discriminator updates to one of the generator converge in fewer steps.",
        "n_critic",
        (Comparison("5", "1", STEPS, "lower"),),
        note="Steps are generator updates; D's updates in all are held fixed, so n_critic 5 has a fifth of them.",
    ),
    Claim(
        "critic-slower",
        "More discriminator updates to one of the generator take longer a step.",
        "n_critic",
        (Comparison("5", "1", "seconds_per_update", "higher"),),
    ),
    Claim(
        "beta1-unstable",
        "Adam with beta1 0.9 is unstable where 0.5 is not.",
        "beta1",
        (Comparison("0.9", "0.5", OSCILLATION, "higher"),),
    ),
]

_OPTIMIZERS = [
    Claim(
        "l2-no-help",
        "L2 inside Adam does not help.",
        "weight_decay",
        _each(("l2_1e-4", "l2_1e-3", "l2_1e-2"), "none", DISTANCE, "no_lower"),
    ),
    Claim(
        "l2-costs-time",
        "L2 inside Adam costs time.",
        "weight_decay",
        _each(("l2_1e-4", "l2_1e-3", "l2_1e-2"), "none", SECONDS, "higher"),
    ),
    Claim(
        "adamw-faster",
        "AdamW converges faster than Adam.",
        "weight_decay",
        _each(("adamw_1e-2",), "none", STEPS, "lower"),
    ),
    Claim(
        "optimizer-stability",
        "RAdam is steadier than AdamW, and AdamW than Adam.",
        "optimizer",
        _chain(("radam", "adamw", "adam"), OSCILLATION),
    ),
    Claim(
        "adamax-worst",
        "Of Adam's relatives, Adamax is the worst.",
        "optimizer",
        _above("adamax", ("adam", "adamw", "radam")),
    ),
    Claim(
        "adam-beats-sgd",
        "Adam beats SGD.",
        "optimizer",
        _below("adam", ("sgd", "sgd_1e-1")),
        note="At Adam's rate SGD hardly moves; sgd_1e-1 has a rate of its own.",
    ),
]

_NORMS = [
    Claim(
        "both-only-layer-helps",
        "With one norm in both networks, only layer norm helps.",
        "normalization",
        (Comparison("layer_both", "none", DISTANCE, "lower"), *_each(_NORMS_BOTH, "none", DISTANCE, "no_lower")),
        note=_VECTORS,
    ),
    Claim(
        "both-instance-worst",
        "With one norm in both networks, instance norm is the worst.",
        "normalization",
        _above("instance_both", ("batch_both", "layer_both", "group_both")),
        note=_VECTORS,
    ),
    Claim(
        "batch-g-best",
        "Batch norm in the generator alone is better than no norm and than any other norm tried, in G or in both.",
        "normalization",
        _below("batch_g", _NORM_ARMS),
    ),
    Claim(
        "group-layer-g-slower",
        "Group norm and layer norm in the generator alone are slower than no norm.",
        "normalization",
        _each(("group_g", "layer_g"), "none", STEPS, "higher"),
    ),
    Claim(
        "batch-both-noisy-edges",
        "Batch norm in both networks gives noisy edges.",
        "normalization",
        not_measured="No score of the result files looks at edges; gan_jax.analyze draws spectra of single runs.",
    ),
    Claim(
        "batch-both-collapses",
        "Batch norm in both networks makes the discriminator collapse.",
        "normalization",
        _each(("batch_both",), "none", LOST, "higher"),
        note="Taken as: more runs fail or end degenerate.",
    ),
    Claim(
        "batch-both-oscillates",
        "Batch norm in all layers of both networks oscillates.",
        "normalization",
        _each(("batch_both",), "none", OSCILLATION, "higher"),
    ),
    Claim(
        "batch-norm-batch",
        "Batch norm wants a batch that is neither small nor large.",
        "batch_norm_batch",
        (
            Comparison("batch_64", "batch_32", DISTANCE, "lower", ("none_64", "none_32")),
            Comparison("batch_64", "batch_128", DISTANCE, "lower", ("none_64", "none_128")),
        ),
        note="Less what the same change of the batch does without the norm.",
    ),
    Claim(
        "fewer-layer-norms",
        "Layer norm in fewer layers converges faster than in all.",
        "layer_norm_places",
        _each(("first", "last", "inner"), "all", STEPS, "lower"),
    ),
    Claim(
        "instance-explodes-128",
        "Instance norm in both networks explodes at batches of 128.",
        "instance_norm_batch",
        (Comparison("instance_128", "base_128", "peak_gradient", "higher"),),
        bases=("tutorial", "tuned", "cdcgan"),
    ),
    Claim(
        "instance-oscillates-32",
        "Instance norm in both networks oscillates at batches of 32.",
        "instance_norm_batch",
        (Comparison("instance_32", "base_32", OSCILLATION, "higher"),),
        bases=("tutorial", "tuned", "cdcgan"),
    ),
    Claim(
        "group-like-batch",
        "Group norm with well-chosen groups comes close to batch norm.",
        "group_count",
        _each(("2", "4", "8", "16", "32"), "batch", DISTANCE, "same"),
        needs="any",
    ),
    Claim(
        "spectral-steadies",
        "Spectral norm in the discriminator stabilises training.",
        "spectral_norm",
        _each(("spectral_d",), "none", OSCILLATION, "lower"),
        bases=("tutorial", "tuned", "cdcgan"),
    ),
]

_LOSSES_AND_TARGETS = [
    Claim(
        "lsgan-no-vanishing",
        "Least squares avoids that gradients vanish early.",
        "loss",
        _each(("lsgan",), "bce", "early_g_gradient", "higher"),
    ),
    Claim(
        "lsgan-no-explosion",
        "Least squares avoids that gradients explode.",
        "loss",
        _each(("lsgan",), "bce", "peak_gradient", "lower"),
    ),
    Claim(
        "cross-entropy-unusable",
        "Cross-entropy is unusable as an adversarial loss.",
        "loss",
        _each(("cross_entropy",), "bce_logits", DISTANCE, "higher"),
        note="On one logit the softmax is 1 whatever the logit, so loss and gradient are 0 and nothing trains; over "
        "two classes it is binary cross-entropy on logits, and as usable.",
    ),
    Claim(
        "bce-logits-like-lsgan",
        "Cross-entropy on logits behaves like least squares early on.",
        "loss",
        _each(("bce_logits",), "lsgan", "early_frechet_distance", "same"),
    ),
    Claim(
        "soft-labels",
        "Soft labels keep the discriminator's loss off zero.",
        "labels",
        _each(("soft",), "hard", "late_d_loss", "higher"),
        note="Arithmetic: against soft targets the cross-entropy cannot reach 0. It says nothing about samples.",
    ),
    Claim("flips-help", "Flipping 5% of the labels helps.", "labels", _each(("flips",), "hard", DISTANCE, "lower")),
    Claim(
        "one-sided-helps",
        "One-sided label smoothing helps.",
        "labels",
        _each(("one_sided",), "hard", DISTANCE, "lower"),
        source=SALIMANS,
    ),
    Claim(
        "one-sided-helps-improved",
        "One-sided label smoothing helps a system that works.",
        "improved_techniques",
        _each(("one_sided",), "none", DISTANCE, "lower"),
        bases=_TRIED,
        source=SALIMANS,
    ),
    Claim(
        "minibatch-samples",
        "Minibatch discrimination gives better samples than feature matching.",
        "improved_techniques",
        _below("minibatch_discrimination", ("feature_matching",)),
        bases=_TRIED,
        source=SALIMANS,
    ),
    Claim(
        "feature-matching-classifier",
        "Feature matching gives the better classifier.",
        "improved_techniques",
        bases=_TRIED,
        source=SALIMANS,
        not_measured="The discriminators of this study classify nothing; the claim is about semi-supervised training.",
    ),
]

_NETWORKS_AND_NOISE = [
    Claim(
        "activation-order",
        "In the generator PReLU converges fastest, then ReLU, ELU, LeakyReLU, SiLU and GELU, in this order.",
        "activation",
        _chain(("prelu", "relu", "elu", "leaky_relu", "silu", "gelu"), STEPS),
    ),
    Claim(
        "prelu-fastest",
        "PReLU in the generator converges faster than every other activation.",
        "activation",
        _below("prelu", ("relu", "elu", "leaky_relu", "silu", "gelu"), STEPS),
    ),
    Claim(
        "inverted-images",
        "SiLU and GELU in the generator produce some inverted images.",
        "activation",
        not_measured="No score counts inverted images; the sample grids of the section show whether there are any.",
    ),
    Claim(
        "uniform-unsuitable", "Uniform noise is unsuitable.", "noise", _each(("uniform",), "normal", DISTANCE, "higher")
    ),
    Claim(
        "laplace-equal", "Laplace noise equals normal noise.", "noise", _each(("laplace",), "normal", DISTANCE, "same")
    ),
    Claim(
        "dimension-no-matter",
        "The dimension of the noise does not matter (32 to 512).",
        "noise_dimension",
        _each(("32", "256", "512"), "100", DISTANCE, "same"),
    ),
    Claim(
        "dimension-no-matter-small",
        "The dimension of the noise does not matter (2 and 8).",
        "noise_dimension",
        _each(("2", "8"), "100", DISTANCE, "same"),
        note="A stricter reading than the tutorial's: it may not have gone so low.",
    ),
    Claim(
        "layer-noise-helps",
        "Noise in the discriminator's layers helps.",
        "instance_noise",
        _each(("layers_0.1", "layers_0.3"), "none", DISTANCE, "lower"),
        needs="any",
    ),
    Claim(
        "final-best",
        "Batch norm in G, PReLU and AdamW together are better than any part of them.",
        "final",
        _below("batch_norm_prelu_adamw", _FINAL_ARMS),
    ),
]

CLAIMS = [*_BATCHES_AND_RATES, *_OPTIMIZERS, *_NORMS, *_LOSSES_AND_TARGETS, *_NETWORKS_AND_NOISE]
