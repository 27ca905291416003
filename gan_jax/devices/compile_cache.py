"""A cache of compiled programs on disk, so that the next start of a command is some seconds faster.

The files contain machine code. So the folder is private to the user, and each kind of processor has its own folder,
because machines can share a home directory. JAX's own settings have priority: JAX_COMPILATION_CACHE_DIR sets another
folder, and JAX_ENABLE_COMPILATION_CACHE=false disables the cache.
"""

import hashlib
import os
import pathlib
import platform
import warnings

import jax

_LEAST_SECONDS = 0.5  # programs that compile faster than this are not cached


def _processor() -> str:
    """A short hash of the processor's type and instruction sets."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        features = next(line for line in lines if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        features = platform.processor()
    return hashlib.sha256(f"{platform.machine()} {features}".encode()).hexdigest()[:8]


def _private(folder: pathlib.Path) -> bool:
    """Whether only this user can write to the folder."""
    status = folder.stat()
    return status.st_uid == os.getuid() and not status.st_mode & 0o022


def enable(cache: pathlib.Path) -> None:
    """Enables the cache in a folder of `cache`, unless JAX already has one or other users can write to the folder."""
    # A process that is killed while it writes leaves a part of a program. It is then compiled again at every start.
    warnings.filterwarnings("ignore", "Error reading persistent compilation cache entry")
    if jax.config.jax_compilation_cache_dir:
        return
    folder = cache / "compiled" / _processor()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not _private(folder):
            return
    except OSError:  # The home directory is missing, full or read-only: go on without the cache.
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", _LEAST_SECONDS)
