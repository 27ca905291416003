"""The parts of the measurements on a GPU, in the order of their importance."""

import pathlib
from collections.abc import Callable
from typing import NamedTuple

from experiments.benchmarks import works
from experiments.benchmarks.gpu import graphs, roofline, seeds, steps, studies

_WORKS = ("cgan", "cdcgan", "dcgan_upsample", "sngan_resnet_paper", "sngan_resnet_paper_bfloat16", "semi_supervised")
# The paper's widths need too much memory for 64 seeds.
_WORKS_OF_SEEDS = ("cgan", "cdcgan", "dcgan_upsample", "sngan_resnet", "semi_supervised")
_WORKS_OF_GRAPHS = ("cgan", "dcgan_upsample")
# The last part takes all the time that is left.
_STUDIES, _STUDIES_SECONDS = "studies", 600.0


class Size(NamedTuple):
    """tiny: networks, counts and times that are good for trying the programs only, on a CPU too.

    idx: folder of IDX files for the studies; "" for the data that are installed.
    """

    tiny: bool = False
    idx: str = ""


class Run(NamedTuple):
    """One run of a part. folder: for files besides the record; seconds: until it is stopped."""

    folder: pathlib.Path
    seconds: float


class Part(NamedTuple):
    """measure: Run -> the result of the part; it runs in a process of its own.

    seconds: limit. variables: further environment variables of the process.
    """

    name: str
    measure: Callable[[Run], dict]
    seconds: float
    variables: dict[str, str] = {}


def make_parts(size: Size) -> list[Part]:
    """All parts. Without the last one, their limits are under ten minutes."""
    name = works.tiny if size.tiny else str
    # On a slow machine, imports and compilation take longer than the measurement.
    patience = 10.0 if size.tiny else 1.0

    def steps_of(work: str) -> Part:
        # PyTorch compiles the kernels of a network in several processes.
        variables = {"TORCHINDUCTOR_COMPILE_THREADS": "4"}
        return Part(f"steps-{work}", lambda run: steps.measure(name(work), size.tiny), 45 * patience, variables)

    def graph_of(work: str, variant: str) -> Part:
        variables = {"XLA_FLAGS": graphs.VARIANTS[variant].flags}
        measure = lambda run: graphs.measure(name(work), variant, run.folder)  # noqa: E731
        return Part(f"graph-{work}-{variant}", measure, 15 * patience, variables)

    def seeds_of(work: str) -> Part:
        return Part(f"seeds-{work}", lambda run: seeds.measure(name(work), size.tiny), 25 * patience)

    return [
        Part("device", lambda run: roofline.measure_peaks(size.tiny), 30 * patience),
        *map(steps_of, _WORKS),
        *(graph_of(work, variant) for work in _WORKS_OF_GRAPHS for variant in graphs.VARIANTS),
        *map(seeds_of, _WORKS_OF_SEEDS),
        Part(_STUDIES, lambda run: studies.measure(size.tiny, size.idx, run.seconds, run.folder), _STUDIES_SECONDS),
    ]
