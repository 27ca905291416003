"""The kernels of the optional package gan_jax_kernels, which is built for one processor: make kernels."""

import functools
import importlib.metadata
import logging

import jax
import jax.numpy as jnp
import numpy as np

PACKAGE = "gan_jax_kernels"
_TARGET = "gan_jax_weight_gradient"
# With more weights for a tap than this number for each pixel of the gradient, matrix products are as fast or faster.
# Measured for 22 layers of small GANs on two cores with AVX2; a test repeats the measurement.
_MOST_WEIGHTS = 64


@functools.cache
def is_installed() -> bool:
    """Whether the kernels can be used. The first call registers them with XLA."""
    try:
        import gan_jax_kernels
    except ModuleNotFoundError:
        return False
    built_for, jaxlib = gan_jax_kernels.jaxlib_version(), importlib.metadata.version("jaxlib")
    if built_for != jaxlib:
        logging.getLogger(__name__).warning(
            f"{PACKAGE} was built for jaxlib {built_for} and is not used with {jaxlib}; build it again: make kernels"
        )
        return False
    function = jax.ffi.pycapsule(getattr(gan_jax_kernels.library(), _TARGET))
    jax.ffi.register_ffi_target(_TARGET, function, platform="cpu")
    return True


def is_faster(x: jax.Array, dy: jax.Array) -> bool:
    """Whether `weight_gradient` can be used for these arrays, and is faster than matrix products.

    On a mesh it is not used, because XLA's partitioner would collect the complete batch for it.
    """
    return (
        x.shape[-1] * dy.shape[-1] <= _MOST_WEIGHTS * dy.shape[-3] * dy.shape[-2]
        and x.dtype == dy.dtype == jnp.float32
        and jax.sharding.get_abstract_mesh().empty
        and is_installed()
    )


def weight_gradient(x: jax.Array, dy: jax.Array, kernel: tuple[int, int], stride: int) -> jax.Array:
    """dW [kh, kw, C, F] of a convolution of x [B, H, W, C] with SAME padding; dy [B, H', W', F]."""
    shape = jax.ShapeDtypeStruct((*kernel, x.shape[-1], dy.shape[-1]), jnp.float32)
    return jax.ffi.ffi_call(_TARGET, shape, vmap_method="broadcast_all")(x, dy, stride=np.int64(stride))
