"""Times a step of gan_jax beside the forms of PyTorch that suit a GPU."""

import jax

from experiments.benchmarks import contenders, works
from experiments.benchmarks.forms import FORMS, OURS, labels
from experiments.benchmarks.gpu import roofline
from experiments.benchmarks.processes import apart
from experiments.benchmarks.quartiles import quartiles

# max-autotune and a compiled whole step take minutes to compile.
_COMPILED = ("networks", "")
_MODES = ("default", "reduce-overhead")


def _entries(name: str, tiny: bool) -> dict[str, contenders.Entry]:
    forms = [label for label in labels(works.load(name), "gpu") if label == OURS or _is_quick(label)]
    if tiny:  # One compiled form is enough to see that the others would start.
        forms = [OURS, "PyTorch eager", *(["PyTorch compile"] if name == works.tiny("cgan") else [])]
    return {label: contenders.Entry(label) for label in forms}


def _is_quick(label: str) -> bool:
    return FORMS[label].compiled in _COMPILED and FORMS[label].mode in _MODES


def measure(name: str, tiny: bool) -> dict:
    """By contender: quartiles of ms a step over the rounds, steps per second and the ratio to gan_jax's time.

    Also the arithmetic and the memory traffic of a step, for the roofline.
    """
    device = "cpu" if apart(jax.default_backend) == "cpu" else "gpu"  # This process leaves the GPU to the contenders.
    config, entries = works.load(name), _entries(name, tiny)
    times, errors = contenders.measure(
        entries,
        name,
        device,
        rounds=2 if tiny else 10,
        processes=1,
        warm_seconds=0.0 if tiny else 2.0,
        patience_seconds=300.0 if tiny else 35.0,
        warm_together=not tiny,
    )
    rows = {}
    for label, (ms,) in times.items():
        spread = quartiles(ms)
        rows[label] = {"ms": spread, "steps_per_second": round(1e3 / spread["median"], 1)}
        if OURS in times and label != OURS:
            rows[label]["ratio"] = quartiles([theirs / ours for theirs, ours in zip(ms, times[OURS][0], strict=True)])
    return {
        "work": name,
        "batch_size": config.batch_size,
        "dtype": config.dtype,
        "cost": apart(roofline.cost, name),
        "contenders": rows | {label: {"error": error} for label, error in errors.items()},
    }
