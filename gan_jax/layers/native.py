"""Convolutions as operations that XLA and every other runtime have, for layers/conv.py and for exported networks."""

import contextlib
import contextvars
from collections.abc import Iterator

import jax
from jax import lax

_NHWC = ("NHWC", "HWIO", "NHWC")
_is_portable = contextvars.ContextVar("_is_portable", default=False)


@contextlib.contextmanager
def portable() -> Iterator[None]:
    """Inside `with`, functions are traced with native convolutions only, and for a batch whose size is not known."""
    token = _is_portable.set(True)
    try:
        yield
    finally:
        _is_portable.reset(token)


def is_portable() -> bool:
    return _is_portable.get()


def native_conv(x: jax.Array, w: jax.Array, stride: int, groups: int = 1) -> jax.Array:
    """Convolution of x [B, H, W, C] with w [kh, kw, C / groups, F], SAME padding, by `lax.conv_general_dilated`."""
    return lax.conv_general_dilated(x, w, (stride, stride), "SAME", dimension_numbers=_NHWC, feature_group_count=groups)


def native_conv_transpose(x: jax.Array, w: jax.Array, stride: int) -> jax.Array:
    """Transposed convolution of x [B, H, W, C] to [B, H * stride, W * stride, F], by `lax.conv_transpose`."""
    return lax.conv_transpose(x, w, (stride, stride), "SAME", dimension_numbers=_NHWC)
