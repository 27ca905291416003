"""The tutorial's conclusions about normalization; claims_list.py has the other conclusions."""

from experiments.reporting.claim import DISTANCE, LOST, OSCILLATION, STEPS, Claim, Comparison, above, below, each

_NORMS_BOTH = ("batch_both", "instance_both", "group_both")
_NORM_ARMS = ("none", "layer_g", "instance_g", "group_g", "batch_both", "layer_both", "instance_both", "group_both")
_VECTORS = "On vectors, instance norm is layer norm, so a claim that the two differ cannot be true on these bases."

NORMS = [
    Claim(
        "both-only-layer-helps",
        "With one norm in both networks, only layer norm helps.",
        "normalization",
        (Comparison("layer_both", "none", DISTANCE, "lower"), *each(_NORMS_BOTH, "none", DISTANCE, "no_lower")),
        note=_VECTORS,
    ),
    Claim(
        "both-instance-worst",
        "With one norm in both networks, instance norm is the worst.",
        "normalization",
        above("instance_both", ("batch_both", "layer_both", "group_both")),
        note=_VECTORS,
    ),
    Claim(
        "batch-g-best",
        "Batch norm in the generator alone is better than no norm and than any other norm tried, in G or in both.",
        "normalization",
        below("batch_g", _NORM_ARMS),
    ),
    Claim(
        "group-layer-g-slower",
        "Group norm and layer norm in the generator alone are slower than no norm.",
        "normalization",
        each(("group_g", "layer_g"), "none", STEPS, "higher"),
    ),
    Claim(
        "batch-both-noisy-edges",
        "Batch norm in both networks gives noisy edges.",
        "normalization",
        not_measured="No score of the result files measures edges; gan_jax.analyze plots the spectra of single runs.",
    ),
    Claim(
        "batch-both-collapses",
        "Batch norm in both networks makes the discriminator collapse.",
        "normalization",
        each(("batch_both",), "none", LOST, "higher"),
        note="Measured as: more runs fail or end degenerate.",
    ),
    Claim(
        "batch-both-oscillates",
        "Batch norm in all layers of both networks oscillates.",
        "normalization",
        each(("batch_both",), "none", OSCILLATION, "higher"),
    ),
    Claim(
        "batch-norm-batch",
        "Batch norm wants a batch that is neither small nor large.",
        "batch_norm_batch",
        (
            Comparison("batch_64", "batch_32", DISTANCE, "lower", ("none_64", "none_32")),
            Comparison("batch_64", "batch_128", DISTANCE, "lower", ("none_64", "none_128")),
        ),
        note="Minus the effect of the same change of the batch size without the norm.",
    ),
    Claim(
        "fewer-layer-norms",
        "Layer norm in fewer layers converges faster than in all.",
        "layer_norm_places",
        each(("first", "last", "inner"), "all", STEPS, "lower"),
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
        each(("2", "4", "8", "16", "32"), "batch", DISTANCE, "same"),
        needs="any",
    ),
    Claim(
        "spectral-steadies",
        "Spectral norm in the discriminator stabilises training.",
        "spectral_norm",
        each(("spectral_d",), "none", OSCILLATION, "lower"),
        bases=("tutorial", "tuned", "cdcgan"),
    ),
]
