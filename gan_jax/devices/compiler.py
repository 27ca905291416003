"""XLA's choice of kernels on the CPU, where its default is the slow one.

jaxlib 0.10.2 hands matrix products, sums and convolutions to YNNPACK. Its matrix products and sums are the faster ones;
its convolutions are half as fast as those that XLA has otherwise, which `options` ask for
(`python -m experiments.benchmarks --only convolutions` has both). The results agree to rounding.
XLA_FLAGS=--xla_cpu_experimental_ynn_fusion_type=... with any value leaves the choice to that.
"""

import functools
import os
from collections.abc import Callable

import jax

_OPTION = "xla_cpu_experimental_ynn_fusion_type"
_FAST = {_OPTION: "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT,LIBRARY_FUSION_TYPE_REDUCE"}


@functools.cache
def _known() -> bool:
    """Whether this jaxlib has the option, which is an experimental one: a program of nothing is compiled with it."""
    try:
        jax.jit(lambda: 0, compiler_options=_FAST).lower().compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True


def options() -> dict[str, str]:
    """What `jax.jit(..., compiler_options=)` is given on the default backend."""
    if jax.default_backend() != "cpu" or _OPTION in os.environ.get("XLA_FLAGS", "") or not _known():
        return {}
    return _FAST


def jit(function: Callable, **choices) -> Callable:
    """`jax.jit(function, **choices)` with `options`. It starts the backend: not for use while a module is imported."""
    return jax.jit(function, compiler_options=options(), **choices)
