"""Facts about the machine that a run's provenance does not have."""

import pathlib
import platform


def cpu_model() -> str:
    """The processor's name, or if it is unknown its architecture."""
    info = pathlib.Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
