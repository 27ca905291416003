"""Settings of JAX for the tests and the processes that they start."""

import functools
import os
import tempfile

import jax

# Pytest's workers and the processes of a test read the folder of the compiled programs from this variable.
_COMPILED = "GAN_JAX_TESTS_COMPILED"
# Most of the tests' time is compilation, of programs that run for moments. With these flags, a small GAN compiles in a
# third of the processor time. XLA ends a process with a flag that it does not know: other versions of JAX do without.
_FASTER_COMPILATION = {
    (0, 10): "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1",
}


@functools.cache
def _new_folder():
    """A folder that is deleted when this process ends."""
    return tempfile.TemporaryDirectory(prefix="gan_jax-tests-")


def apply():
    """Sets JAX's global options; call it before anything is compiled."""
    # Processes that a test starts inherit the flags.
    flags = [os.environ.get("XLA_FLAGS", ""), _FASTER_COMPILATION.get(jax.__version_info__[:2], "")]
    if flags[1] not in flags[0]:
        os.environ["XLA_FLAGS"] = " ".join(filter(None, flags))
    # Many tests run the same small program: within one session it is compiled once, for all processes.
    if _COMPILED not in os.environ:
        os.environ[_COMPILED] = _new_folder().name
    jax.config.update("jax_compilation_cache_dir", os.environ[_COMPILED])
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
    jax.config.update("jax_disable_most_optimizations", True)
    # A [B, 1] logit against a [B] target must fail, not broadcast to [B, B].
    jax.config.update("jax_numpy_rank_promotion", "raise")
