"""Which runs are replicates of one program, and on which machine each was made.

A block (a term of experimental design) is a set of runs that may be compared number by number: one base, one preset,
one classifier whose features give the scores, one data set, one number of images. Here a block is a machine with the
code version that it ran. Two arms are compared inside a block only; their differences from several blocks are averaged.

Inside a block, two arms are one program if their results are equal to the last digit for every seed that both have.
Across blocks, two arms are one program if they differ from their base in the same leaves and have the same length.
"""

import dataclasses
import itertools
from typing import NamedTuple

from configs import study as studies
from experiments.reporting.results import Run, Study
from gan_jax.system.config import leaves


class Block(NamedTuple):
    """What runs must have in common, so that their numbers can be compared. The fields are those of the records."""

    base: str
    preset: str
    scores_version: str
    features: str
    num_images: str
    data: str
    commit: str

    @classmethod
    def of(cls, study: Study) -> "Block":
        protocol, origin = study.protocol, study.provenance
        data = (origin.get("data") or {}).get("fingerprint")
        version = protocol.get("scores_version", 1)
        parts = version, protocol.get("features"), protocol.get("num_images"), data, origin.get("commit")
        return cls(study.base, study.preset, *map(str, parts))


Cell = tuple[Block, int]  # The runs of one program in one block; the number names the program.


@dataclasses.dataclass(frozen=True, eq=False)
class Programs:
    """The programs behind the arms of all studies. runs: (block, program) -> seed -> run."""

    program_of: dict[tuple[str, str], int]  # (title of the study, arm) -> program
    runs: dict[Cell, dict[int, Run]]

    def of(self, study: Study, arm: str) -> int | None:
        """The program of an arm; None if the study has no such arm."""
        return self.program_of.get((study.title, arm))

    def blocks(self, programs: set[int]) -> list[Block]:
        """The blocks in which all of these programs have runs, in a fixed order."""
        return sorted({block for block, _ in self.runs if all((block, p) in self.runs for p in programs)})


class _Arm(NamedTuple):
    study: str
    name: str
    block: Block
    steps: int
    changes: tuple[tuple[str, str], ...]
    runs: dict[int, Run]


def _changes(base: str, overrides: dict) -> tuple[tuple[str, str], ...]:
    """The overrides that are not the base's own values, as sorted text; all of them if the base is unknown."""
    known = leaves(studies.BASES[base]()) if base in studies.BASES else {}
    plain = lambda value: list(value) if isinstance(value, tuple) else value  # noqa: E731
    different = {
        key: value for key, value in overrides.items() if key not in known or plain(known[key]) != plain(value)
    }
    return tuple(sorted((key, repr(plain(value))) for key, value in different.items()))


def _same_results(first: _Arm, second: _Arm) -> bool:
    """Whether two arms of a block have equal final scores for every common seed, and at least one such seed."""
    seeds = [s for s in first.runs.keys() & second.runs.keys() if first.runs[s].final and second.runs[s].final]
    return bool(seeds) and all(first.runs[seed].final == second.runs[seed].final for seed in seeds)


def _one_program(first: _Arm, second: _Arm) -> bool:
    if first.block == second.block:
        return _same_results(first, second)
    same_design = first.block.base == second.block.base and first.block.preset == second.block.preset
    return same_design and first.steps == second.steps and first.changes == second.changes


def find_programs(all_studies: list[Study]) -> Programs:
    """The programs of all arms of all studies, numbered in the order of the studies and arms."""
    arms = [
        _Arm(study.title, arm.name, Block.of(study), arm.steps, _changes(study.base, arm.overrides), arm.runs)
        for study in all_studies
        for arm in study.arms.values()
    ]
    number = list(range(len(arms)))
    for i, j in itertools.combinations(range(len(arms)), 2):
        if number[i] != number[j] and _one_program(arms[i], arms[j]):
            low, high = sorted((number[i], number[j]))
            number = [low if n == high else n for n in number]
    runs: dict[Cell, dict[int, Run]] = {}
    for arm, program in zip(arms, number, strict=True):
        if arm.runs:
            # Arms with equal results hold the same runs, so one seed is counted once.
            runs.setdefault((arm.block, program), {}).update(arm.runs)
    return Programs({(arm.study, arm.name): program for arm, program in zip(arms, number, strict=True)}, runs)
