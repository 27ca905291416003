"""Compiled programs kept from one command to the next, so that the second start takes seconds less.

They are machine code: the folder is private to the user, and each kind of processor has one of its own, since a home
directory may be shared between machines. JAX's own switches stand above this: JAX_COMPILATION_CACHE_DIR names another
folder, JAX_ENABLE_COMPILATION_CACHE=false turns it off.
"""

import hashlib
import os
import pathlib
import platform

import jax

_LEAST_SECONDS = 0.5  # programs that compile faster than this are not worth a file


def _processor() -> str:
    """A name for what this machine's processor can execute."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        features = next(line for line in lines if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        features = platform.processor()
    return hashlib.sha256(f"{platform.machine()} {features}".encode()).hexdigest()[:8]


def _private(folder: pathlib.Path) -> bool:
    """Whether only this user can write there."""
    about = folder.stat()
    return about.st_uid == os.getuid() and not about.st_mode & 0o022


def enable(cache: pathlib.Path) -> None:
    """Keeps compiled programs in `cache`, unless JAX was told otherwise or others can write there."""
    if jax.config.jax_compilation_cache_dir:
        return
    folder = cache / "compiled" / _processor()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not _private(folder):
            return
    except OSError:  # No home directory, or one that is full or read-only: compile again, then.
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", _LEAST_SECONDS)
