"""Reparametrisations of a layer's kernel, and the linear layers that take one.

A reparametrisation is a function (layer, apply, kernel, train) -> (y, bias_init), called inside the layer: `apply` is
the layer's linear map as a function of the kernel [..., out], y is what it gives without a bias, and bias_init is how
the bias starts. Layers of any kind take any of them, so spectral and weight norm are written once.
"""

import functools
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.layers.products import product

Apply = Callable[[jax.Array], jax.Array]


def plain(layer: nn.Module, apply: Apply, kernel: jax.Array, train: bool) -> tuple[jax.Array, Callable]:
    """The kernel as it is."""
    del layer, train
    return apply(kernel), nn.initializers.zeros


def _unit(v: jax.Array) -> jax.Array:
    return v / (jnp.linalg.norm(v) + 1e-12)


def spectral(
    layer: nn.Module, apply: Apply, kernel: jax.Array, train: bool, *, bound: float = 1.0, iterations: int = 1
) -> tuple[jax.Array, Callable]:
    """W bound / sigma(W), spectral normalization (Miyato et al. 2018, arXiv 1802.05957, algorithm 1).

    sigma(W) ~ u^T W v by `iterations` steps of power iteration on W as a matrix [out, rest], from the u of the update
    before; gradients flow through W, not through u and v. u lives in the collection `spectral` and advances as batch
    statistics do, once an update. In inference the iteration starts from the stored u and is not kept, so that an
    averaged u, which is no unit vector, does no harm.
    """
    matrix = kernel.reshape(-1, kernel.shape[-1])
    stored = layer.variable(
        "spectral", "u", lambda: _unit(jax.random.normal(layer.make_rng("params"), (kernel.shape[-1],)))
    )
    fixed, u = jax.lax.stop_gradient(matrix), stored.value
    for _ in range(iterations):
        v = _unit(fixed @ u)
        u = _unit(fixed.T @ v)
    if train and layer.is_mutable_collection("spectral"):
        stored.value = u
    sigma = jnp.vdot(v, matrix @ u)
    return apply(kernel * (bound / (sigma + 1e-12))), nn.initializers.zeros


def weight_norm(
    layer: nn.Module, apply: Apply, kernel: jax.Array, train: bool, *, fixed: bool = False, unit: bool = False
) -> tuple[jax.Array, Callable]:
    """g V / ||V|| for each output, weight normalization (Salimans and Kingma 2016, arXiv 1602.07868, eq. 2).

    Data-dependent start (section 3): on the initial batch every output has mean 0 and variance 1, by the choice of g
    and of the bias. With `fixed`, g stays what it is then, and V learns directions only. With `unit`, the start depends
    on no data: g is 1 and the bias 0.
    """
    del train
    axes = tuple(range(kernel.ndim - 1))
    length = jnp.sqrt(jnp.sum(kernel**2, axis=axes, keepdims=True) + 1e-12)
    # The same to rounding; what is divided, and summed over for the gradient, is the one with fewer numbers.
    y = apply(kernel) / length if kernel.ndim == 2 else apply(kernel / length)
    others = tuple(range(y.ndim - 1))

    def scale_init(key):
        if unit:
            return jnp.ones(kernel.shape[-1])
        variance = jnp.var(y, axis=others)
        # An output that is the same for the whole batch has no scale to be corrected.
        return jnp.where(variance > 1e-8, jax.lax.rsqrt(jnp.maximum(variance, 1e-8)), 1.0)

    scale = layer.param("scale", scale_init)
    scale = jax.lax.stop_gradient(scale) if fixed else scale
    y = y * scale.reshape((1,) * len(others) + (-1,))
    return y, nn.initializers.zeros if unit else lambda key, shape: -jnp.mean(y, axis=others)


def in_bfloat16(kernel_norm: Callable) -> Callable:
    """The same reparametrisation, where the layer's linear map, and it alone, is computed in bfloat16.

    Kernels stay float32, and so does all that is derived from them (spectral norms, gains) and all between two layers:
    norms, their statistics, activations. Mixed precision without a scale for the loss: bfloat16 has float32's range.
    """

    def reparametrise(layer, apply, kernel, train):
        return kernel_norm(layer, lambda w: apply(w.astype(jnp.bfloat16)).astype(kernel.dtype), kernel, train)

    return reparametrise


# dtype of the config -> what becomes of a hidden layer's reparametrisation
DTYPES = {"float32": lambda kernel_norm: kernel_norm, "bfloat16": in_bfloat16}


class Dense(nn.Module):
    """x W + b, [B, F] -> [B, features]."""

    features: int
    kernel_init: Callable = nn.initializers.lecun_normal()
    kernel_norm: Callable = plain

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        kernel = self.param("kernel", self.kernel_init, (x.shape[-1], self.features))
        y, bias_init = self.kernel_norm(self, lambda w: product(x, w), kernel, train)
        return y + self.param("bias", bias_init, (self.features,))[None]


KERNEL_NORMS = {
    "none": plain,
    "spectral": spectral,
    "weight": weight_norm,
    "weight_fixed": functools.partial(weight_norm, fixed=True),
    "weight_unit": functools.partial(weight_norm, unit=True),
}
