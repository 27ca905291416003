"""The settings of an evaluation, and the name of the file that they write."""

from typing import NamedTuple


class Protocol(NamedTuple):
    """The settings of an evaluation: everything that a score depends on besides the run.

    num_images: number of generated images.
    features: a name in `EXTRACTORS`.
    split: the real images, "test" or "validation".
    generator: "ema" or "raw".
    checkpoint: "newest" or "best".
    train_on_generated: whether to compute the classification accuracy score.
    quick: whether to skip the scores that need the features of all training images.
    """

    num_images: int = 10_000
    seed: int = 0
    features: str = "classifier"
    split: str = "test"
    generator: str = "ema"
    checkpoint: str = "newest"
    train_on_generated: bool = False
    quick: bool = False

    @property
    def file_name(self) -> str:
        """evaluation.json for the default protocol; otherwise the name also has the settings that differ from it.

        So two protocols never share a file. For example evaluation-20_images-seed_1-pixels-quick.json.
        """
        defaults = Protocol()._asdict()
        words = {"num_images": f"{self.num_images}_images", "seed": f"seed_{self.seed}"}
        changes = [
            name if value is True else words.get(name, value)
            for name, value in self._asdict().items()
            if value != defaults[name]
        ]
        return "-".join(["evaluation", *changes]) + ".json"


DEFAULT_PROTOCOL = Protocol()
