"""Settings of JAX for the tests and the processes that they start."""

import functools
import os
import tempfile

import jax

# Pytest's workers and the processes of a test read the folder of the compiled programs from this variable.
_COMPILED = "GAN_JAX_TESTS_COMPILED"


@functools.cache
def _new_folder():
    """A folder that is deleted when this process ends."""
    return tempfile.TemporaryDirectory(prefix="gan_jax-tests-")


def apply():
    """Sets JAX's global options; call it before anything is compiled."""
    # Many tests run the same small program: within one session it is compiled once, for all processes.
    if _COMPILED not in os.environ:
        os.environ[_COMPILED] = _new_folder().name
    jax.config.update("jax_compilation_cache_dir", os.environ[_COMPILED])
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
    # Most of the tests' time is compilation, of programs that run for moments.
    jax.config.update("jax_disable_most_optimizations", True)
    # A [B, 1] logit against a [B] target must fail, not broadcast to [B, B].
    jax.config.update("jax_numpy_rank_promotion", "raise")
