"""The values of --preset: studies, bases, numbers of seeds, steps and images."""

from typing import NamedTuple

from experiments.ablations.plan import STUDIES


class Preset(NamedTuple):
    """num_images: generated for the scores of a seed. validation_images: generated for each score during training.

    more_baseline_seeds: whether a study's baseline has sqrt(number of its other arms) times as many seeds as they. This
    makes the differences most exact for the same number of runs (Dunnett 1955), since every arm is compared with it.
    """

    studies: tuple[str, ...]
    bases: tuple[str, ...]
    seeds: int
    steps: int
    num_images: int
    validation_images: int
    data: dict[str, str]
    more_baseline_seeds: bool = False

    def baseline_seeds(self, seeds: int, num_arms: int) -> int:
        """Seeds of a baseline that is compared with `num_arms` arms of `seeds` seeds."""
        return round(seeds * max(num_arms, 1) ** 0.5) if self.more_baseline_seeds else seeds


# Time of the quick preset on two idle cores. A run of two seeds takes 53 s: 4 s to start (TensorFlow, for the records);
# 8 s to compile for the first seed and 3 s for the second; and per seed 400 updates of 12 ms, 10 validation scores of
# 0.3 s, and 11 s for the scores of the last and of the best state. The three studies have 11 + 9 + 3 arms, and the base
# is an arm of each, so there are 21 runs: 19 min, and at most 1 min for the scoring classifier.
PRESETS = {
    "quick": Preset(("optimizer", "loss", "beta1"), ("tuned",), 2, 400, 2_000, 1_000, {"data.name": "mnist_5k"}),
    "full": Preset(
        STUDIES, ("tutorial", "tuned", "cdcgan"), 5, 3000, 5_000, 2_000, {"data.fallback": "mnist_5k"}, True
    ),
}
