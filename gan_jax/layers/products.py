"""Matrix products, of float32 factors or of factors rounded to bfloat16 and summed in float32.

On the CPU the latter are each written in the one form that XLA hands to its library: a left factor whose rows lie along
memory, and nothing beside the product that could be fused with it or folded into it. In other forms XLA multiplies in
float32, five times as slowly on a processor that multiplies bfloat16 by itself (AMX).
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax

from gan_jax.layers.patches import materialize


def _dot(a: jax.Array, b: jax.Array, contracted: tuple[int, int]) -> jax.Array:
    """The sum over axis contracted[0] of a and contracted[1] of b."""
    a, b = a.astype(jnp.bfloat16), b.astype(jnp.bfloat16)
    dimensions = ((contracted[:1], contracted[1:]), ((), ()))
    if jax.default_backend() != "cpu":
        return lax.dot_general(a, b, dimensions, preferred_element_type=jnp.float32)
    return materialize(lax.dot_general(*materialize((a, b)), dimensions, preferred_element_type=jnp.float32))


def _transposed(x: jax.Array) -> jax.Array:
    """x^T, moved in memory. A mere transpose would be another way of reading x."""
    return materialize(x.T.reshape(-1)).reshape(x.shape[::-1]) if jax.default_backend() == "cpu" else x.T


# form -> the product of a and b. The gradients of each are products of these forms.
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
    """The product of two matrices, float32; form: "a b", "a b^T" or "a^T b"."""
    return _HALF[form](a, b)


def _backward(form, factors, g):
    da, db = _GRADIENTS[form](*factors, g)
    return da.astype(factors[0].dtype), db.astype(factors[1].dtype)


half_product.defvjp(lambda a, b, form: (half_product(a, b, form), (a, b)), _backward)


def product(a: jax.Array, b: jax.Array, form: str = "a b") -> jax.Array:
    """The product of two matrices, float32; of bfloat16 factors where b is bfloat16."""
    return half_product(a, b, form) if b.dtype == jnp.bfloat16 else _FULL[form](a, b)
