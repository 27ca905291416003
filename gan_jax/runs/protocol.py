"""The settings of an evaluation, and the name of the file that they write."""

import re
from typing import NamedTuple

# What the numbers of an evaluation mean. Numbers of different versions do not belong into one table.
# 1 (no entry "scores_version"): <score>_real is of training images, and of nearer_to_train it is 1/2; precision and
#   recall have k = 5; scores of nearest neighbours use the first test images; errors are of contiguous parts or of 10
#   resamples, and that of the kernel distance is of its subsets; the kernel distance is a mean over 50 subsets.
# 2: <score>_real is of held-out images; k = 3; random test images; errors are over other draws of all images; the
#   kernel distance is of all images, up to a limit; MNIST's digits have one fixed classifier.
SCORES_VERSION = 2


class Protocol(NamedTuple):
    """The settings of an evaluation: everything that a score depends on besides the run.

    num_images: number of generated images.
    features: a name in `EXTRACTORS`.
    split: the real images, "test" or "validation".
    generator: "ema" or "raw".
    checkpoint: "newest" or "best".
    train_on_generated: whether to compute the classification accuracy score.
    quick: whether to skip the scores that need the features of all training images.
    sampler: how the generated images are sampled, see `make_sampler` (runs/samplers.py).
    standing_passes: forward passes for standing statistics of batch norm (runs/standing.py); 0: those of training.
    """

    num_images: int = 10_000
    seed: int = 0
    features: str = "classifier"
    split: str = "test"
    generator: str = "ema"
    checkpoint: str = "newest"
    train_on_generated: bool = False
    quick: bool = False
    sampler: str = "prior"
    standing_passes: int = 0

    @property
    def file_name(self) -> str:
        """evaluation.json for the default protocol; otherwise the name also has the settings that differ from it.

        So two protocols never share a file. For example evaluation-20_images-seed_1-pixels-quick.json.
        """
        defaults = Protocol()._asdict()
        words = {
            "num_images": f"{self.num_images}_images",
            "seed": f"seed_{self.seed}",
            "sampler": re.sub("[:,]", "-", self.sampler),
            "standing_passes": f"standing_{self.standing_passes}",
        }
        changes = [
            name if value is True else words.get(name, value)
            for name, value in self._asdict().items()
            if value != defaults[name]
        ]
        return "-".join(["evaluation", *changes]) + ".json"


DEFAULT_PROTOCOL = Protocol()
