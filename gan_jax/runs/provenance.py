"""What a number depends on besides the config: code, versions and machine."""

import importlib.metadata
import os
import pathlib
import platform
import subprocess

import jax

_PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


def _commit() -> str:
    """The code's git commit, "+changes" if the files differ from it, or "unknown".

    GAN_JAX_COMMIT in the environment stands above git: code that was copied without its history, as into a container,
    may lie in some other repository there.
    """
    if told := os.environ.get("GAN_JAX_COMMIT"):
        return told
    folder = pathlib.Path(__file__).parent
    try:
        run = lambda *words: subprocess.run(  # noqa: E731
            ["git", "-C", folder, *words], capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()
        return run("rev-parse", "HEAD") + ("+changes" if run("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def provenance() -> dict:
    """What a number depends on besides the config: code, versions and machine."""
    device = jax.devices()[0]
    return {
        "commit": _commit(),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in _PACKAGES},
        "device": {"platform": device.platform, "kind": device.device_kind, "count": jax.device_count()},
        "cpu_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }
