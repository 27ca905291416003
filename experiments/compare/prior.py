"""How much seeds differ in earlier records of the same data and score, so that few seeds of a new comparison suffice.

Three seeds of an arm and three of the base give the variance of a seed with four degrees of freedom, and such an
interval is twice as wide as with a known variance. The runs of earlier comparisons, or of studies, on the same data
in the same features say how much a seed moves the score. Their variances are pooled with those of the new arms
(experiments/reporting/pooled.py), which may be unstable as theirs may.

A new base may be noisier than the earlier ones. If the pooled variance of the new arms is larger, by an F test at
LARGER_AT, the earlier records are left out at that look.
"""

import dataclasses
import functools
import math
import pathlib
from collections.abc import Mapping

import numpy as np
from scipy import stats

from experiments.ablations import one_run
from experiments.compare.arms import Arm
from experiments.compare.sequential import Data, Rule
from experiments.compare.workdir import data_of, study_of_records
from experiments.jobs.records import seeds_with_record
from experiments.reporting.pooled import Pool, pool
from experiments.reporting.programs import Block, Cell
from experiments.reporting.results import read
from gan_jax.data.dataset import Dataset
from gan_jax.evaluation.features import EXTRACTORS
from gan_jax.system.errors import UserError

LARGER_AT = 0.1  # A large level: records that do not fit do harm, and leaving them out costs a few seeds only.
_BLOCK = Block("earlier", *[""] * 6)


@dataclasses.dataclass(frozen=True, eq=False)
class Prior:
    """The programs of earlier records. cells: their scores on the scale of the analysis; sources: their folders."""

    cells: dict[Cell, np.ndarray]
    sources: list[str]

    @functools.cached_property
    def _pool(self) -> Pool | None:
        return pool(self.cells)

    def fitting(self, data: Mapping[str, Data]) -> dict[Cell, np.ndarray]:
        """The programs, or {} if the new arms are noisier than they are."""
        if not self.cells:
            return {}
        own = pool({(_BLOCK, i): arm.scores for i, arm in enumerate(data.values())})
        if own is None or self._pool is None:
            return self.cells
        p = stats.f.sf(own.variance / self._pool.variance, own.df, self._pool.df)
        return {} if p < LARGER_AT else self.cells

    def describe(self) -> dict:
        """What the page and rule.json say of it: the standard deviation over seeds; {} without earlier records."""
        if self._pool is None:
            return {}
        return {"sources": self.sources, "programs": len(self.cells), "sd": math.sqrt(self._pool.variance)}


NONE = Prior({}, [])


def read_prior(folders: list[str], rule: Rule, base: Arm, dataset: Dataset, data_dir: str) -> Prior:
    """The programs of earlier records in these folders: of results of studies, or of runs (--workdir of a command).

    UserError for a folder without two seeds of a program on these data, with these features and number of images.
    """
    section = base.config.eval
    _, features = EXTRACTORS["classifier"](dataset, data_dir, "", section.classifier_flips)
    wanted = {"data": dataset.fingerprint(), "features": features, "num_images": section.at_end_num_images}
    cells, sources = {}, []
    for folder in map(pathlib.Path, folders):
        programs = [(found, scores) for found, scores in _programs(folder, rule.score) if len(scores) > 1]
        if not programs:
            raise UserError(f"--prior {folder}: no two finished seeds of one config there")
        fitting = [scores for found, scores in programs if found == wanted]
        if not fitting:
            found = programs[0][0]
            name = next(key for key in wanted if found[key] != wanted[key])
            raise UserError(f"--prior {folder}: {name} is {found[name]}, and that of this comparison {wanted[name]}")
        for scores in fitting:
            cells[_BLOCK, len(cells)] = scores
        sources.append(str(folder))
    return Prior(cells, sources)


def _programs(folder: pathlib.Path, score: str) -> list[tuple[dict, np.ndarray]]:
    """(data, features and number of images; scores on the scale of the analysis) of every arm of a folder."""
    if not folder.is_dir():
        raise UserError(f"--prior: {folder} is no folder")
    arms = {path: seeds_with_record(path) for path in sorted(folder.iterdir())}
    found = [
        study_of_records("", {path.name: ("", 0, {seed: one_run.read(path, seed) for seed in seeds})})
        for path, seeds in arms.items()
        if seeds
    ]
    result = []
    for study in [*found, *read(folder)]:
        data = (study.provenance.get("data") or {}).get("fingerprint")
        key = {"data": data, **{name: study.protocol.get(name) for name in ("features", "num_images")}}
        result += [(key, arm.scores) for arm in data_of(study, score).values()]
    return result
