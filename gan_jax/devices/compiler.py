"""Compiler options that select faster kernels on the CPU.

By default, jaxlib 0.10.2 computes matrix products, sums and convolutions with the library YNNPACK. YNNPACK is faster
than XLA's own kernels for matrix products and sums, but half as fast for convolutions. So `options` selects XLA's
kernels for convolutions (`python -m experiments.benchmarks --only convolutions` measures both). The results agree up
to rounding. If XLA_FLAGS contains --xla_cpu_experimental_ynn_fusion_type=..., that value is used instead.
"""

import functools
import os
from collections.abc import Callable

import jax

_OPTION = "xla_cpu_experimental_ynn_fusion_type"
_FAST = {_OPTION: "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT,LIBRARY_FUSION_TYPE_REDUCE"}


@functools.cache
def _is_supported() -> bool:
    """Whether this jaxlib has the option, which is experimental. Compiles a trivial program with it to find out."""
    try:
        jax.jit(lambda: 0, compiler_options=_FAST).lower().compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True


def options() -> dict[str, str]:
    """The value of `compiler_options` for `jax.jit` on the default backend."""
    if jax.default_backend() != "cpu" or _OPTION in os.environ.get("XLA_FLAGS", "") or not _is_supported():
        return {}
    return _FAST


def jit(function: Callable, **arguments) -> Callable:
    """`jax.jit(function, **arguments)` with `options`. This starts the backend: do not call it at import time."""
    return jax.jit(function, compiler_options=options(), **arguments)
