"""What a page of short runs is made of: its image sets and its runs."""

from typing import NamedTuple

from ml_collections import ConfigDict

from gan_jax.system import config as configs


class ImageSet(NamedTuple):
    """A set of images. title: its name in the page; changes: overrides that all its runs share.

    finds_duplicates: whether test images with a near-duplicate in training are counted.
    """

    title: str
    changes: dict[str, str] = {}
    finds_duplicates: bool = True


class ShortRun(NamedTuple):
    """A run. title: its name in the page; images: a key of the page's sets; changes: overrides of the config.

    trains_generator: whether its samples and their scores mean anything.
    """

    title: str
    images: str
    config: str
    changes: dict[str, str]
    trains_generator: bool = True


class Page(NamedTuple):
    """A page. name: that of its record (name.json) and of the folder of its pictures.

    sets: name -> image set; runs: name -> run. One seed each; nothing was tuned on their test scores.
    """

    name: str
    sets: dict[str, ImageSet]
    runs: dict[str, ShortRun]

    def changes(self, name: str) -> dict[str, str]:
        """All overrides of a run except where its images are."""
        run = self.runs[name]
        return self.sets[run.images].changes | run.changes

    def config(self, name: str, source: dict[str, str]) -> ConfigDict:
        """The config of a run. source: overrides that say where its images are. Scores are made after the run."""
        config = configs.load(configs.own(self.runs[name].config))
        overrides = {"num_epochs": "0", "eval.at_end": "false", **source, **self.changes(name)}
        configs.override(config, overrides, parse=True)
        return config
