"""What a measurement says of its machine beyond a run's provenance."""

import pathlib
import platform


def cpu_model() -> str:
    """The processor's name, or at least its kind."""
    info = pathlib.Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
