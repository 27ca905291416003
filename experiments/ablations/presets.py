"""How long, how many and how exactly: what --preset stands for."""

from typing import NamedTuple

from experiments.ablations.plan import STUDIES


class Preset(NamedTuple):
    """num_images: generated for the scores of a seed. validation_images: for each score while it trains."""

    studies: tuple[str, ...]
    bases: tuple[str, ...]
    seeds: int
    steps: int
    num_images: int
    validation_images: int
    data: dict[str, str]


# quick, on two cores that have nothing else to do. A run of two seeds: its process 4 s (TensorFlow, for the records);
# compiling 8 s for the first seed and 3 s for the second; for each seed 400 updates of 12 ms, 10 validation scores of
# 0.3 s and 11 s for the scores of the last and of the best state: 53 s. The three studies have 11 + 9 + 3 arms, and the
# base is an arm of each: 21 runs, 19 min, and at most 1 min for the classifier that the scores are made with.
PRESETS = {
    "quick": Preset(("optimizer", "loss", "beta1"), ("tuned",), 2, 400, 2_000, 1_000, {"data.name": "mnist_5k"}),
    "full": Preset(STUDIES, ("tutorial", "tuned", "cdcgan"), 5, 3000, 5_000, 2_000, {"data.fallback": "mnist_5k"}),
}
