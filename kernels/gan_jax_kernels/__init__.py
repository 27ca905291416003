"""Optional CPU kernels of gan_jax, as functions that XLA calls. gan_jax uses them if this package is installed."""

import ctypes
import importlib.machinery
import pathlib


def library() -> ctypes.CDLL:
    """The compiled kernels. FileNotFoundError if they were not built."""
    folder = pathlib.Path(__file__).parent
    for suffix in importlib.machinery.EXTENSION_SUFFIXES:
        if (path := folder / f"library{suffix}").is_file():
            return ctypes.CDLL(str(path))
    raise FileNotFoundError(f"{folder} has no compiled kernels")


def jaxlib_version() -> str:
    """The version of jaxlib that the kernels were built for."""
    return ctypes.c_char_p.in_dll(library(), "gan_jax_jaxlib").value.decode()
