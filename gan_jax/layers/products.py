"""Matrix products of float32 factors, or of factors that are rounded to bfloat16 and summed in float32.

On the CPU, XLA uses its library for bfloat16 products only in one form: the rows of the left factor are contiguous in
memory, and XLA can fuse no other operation with the product. All bfloat16 products are written in this form. In other
forms, XLA multiplies in float32, which is five times as slow on a processor with bfloat16 instructions (AMX).
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax

from gan_jax.layers.patches import materialize


def _dot(a: jax.Array, b: jax.Array, contracted: tuple[int, int]) -> jax.Array:
    """The product of a and b, summed over axis contracted[0] of a and axis contracted[1] of b."""
    a, b = a.astype(jnp.bfloat16), b.astype(jnp.bfloat16)
    dimensions = ((contracted[:1], contracted[1:]), ((), ()))
    if jax.default_backend() != "cpu":
        return lax.dot_general(a, b, dimensions, preferred_element_type=jnp.float32)
    return materialize(lax.dot_general(*materialize((a, b)), dimensions, preferred_element_type=jnp.float32))


def _transposed(x: jax.Array) -> jax.Array:
    """x^T as a copy in memory. Without the copy, XLA would only change the layout of x."""
    return materialize(x.T.reshape(-1)).reshape(x.shape[::-1]) if jax.default_backend() == "cpu" else x.T


# form -> (a, b) -> their product. The gradients of each form are products in these forms.
_FULL = {
    "a b": lambda a, b: a @ b,
    "a b^T": lambda a, b: a @ b.T,
    "a^T b": lambda a, b: materialize(a.T) @ b,
}
_HALF = {
    "a b": lambda a, b: _dot(a, b, (1, 0)),
    "a b^T": lambda a, b: _dot(a, b, (1, 1)),
    "a^T b": lambda a, b: _dot(_transposed(a), b, (1, 0)),
}
_GRADIENTS = {
    "a b": lambda a, b, g: (half_product(g, b, "a b^T"), half_product(a, g, "a^T b")),
    "a b^T": lambda a, b, g: (half_product(g, b, "a b"), half_product(g, a, "a^T b")),
    "a^T b": lambda a, b, g: (half_product(b, g, "a b^T"), half_product(a, g, "a b")),
}


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def half_product(a: jax.Array, b: jax.Array, form: str = "a b") -> jax.Array:
    """The product of two matrices, rounded to bfloat16, as float32. form: "a b", "a b^T" or "a^T b"."""
    return _HALF[form](a, b)


def _backward(form, factors, g):
    da, db = _GRADIENTS[form](*factors, g)
    return da.astype(factors[0].dtype), db.astype(factors[1].dtype)


half_product.defvjp(lambda a, b, form: (half_product(a, b, form), (a, b)), _backward)


def product(a: jax.Array, b: jax.Array, form: str = "a b") -> jax.Array:
    """The product of two matrices as float32. If b is bfloat16, a is rounded to bfloat16, too."""
    return half_product(a, b, form) if b.dtype == jnp.bfloat16 else _FULL[form](a, b)
