"""The provenance of a result besides its config: code, versions and machine."""

import importlib.metadata
import os
import pathlib
import platform
import subprocess

import jax

import gan_jax
from gan_jax.layers import cpu_kernel
from gan_jax.system.imports import IS_INSTALLED

_PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


def _commit() -> str:
    """The git commit of the code, followed by "+changes" if files differ from the commit; "unknown" without git.

    For an installed package it is the version, because its folder may be inside another project's repository.

    The environment variable GAN_JAX_COMMIT overrides git: code that is copied into a container without its history may
    be inside another repository there.
    """
    if commit := os.environ.get("GAN_JAX_COMMIT"):
        return commit
    if IS_INSTALLED:
        return f"version {gan_jax.__version__}"
    folder = pathlib.Path(__file__).parent
    try:
        run = lambda *arguments: subprocess.run(  # noqa: E731
            ["git", "-C", folder, *arguments], capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()
        return run("rev-parse", "HEAD") + ("+changes" if run("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def provenance() -> dict:
    """Commit, versions of Python and packages, whether the optional CPU kernels are installed, device, CPU cores."""
    device = jax.devices()[0]
    return {
        "commit": _commit(),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in _PACKAGES},
        "cpu_kernels": cpu_kernel.is_installed(),
        "device": {"platform": device.platform, "kind": device.device_kind, "count": jax.device_count()},
        "cpu_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }
