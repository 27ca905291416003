"""Reparametrisations of a layer's kernel, and the dense layer.

A reparametrisation is a function (layer, apply, kernel, train) -> (y, bias_init) that the layer calls:
- apply: the layer's linear map as a function of the kernel [..., out].
- y: the output of the layer without a bias.
- bias_init: the initializer of the bias.
Every kind of layer works with every reparametrisation, so spectral norm and weight norm are implemented once.
"""

import functools
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.layers.products import product

Apply = Callable[[jax.Array], jax.Array]


def plain(layer: nn.Module, apply: Apply, kernel: jax.Array, train: bool) -> tuple[jax.Array, Callable]:
    """No reparametrisation."""
    del layer, train
    return apply(kernel), nn.initializers.zeros


def _unit(v: jax.Array) -> jax.Array:
    return v / (jnp.linalg.norm(v) + 1e-12)


def spectral(
    layer: nn.Module,
    apply: Apply,
    kernel: jax.Array,
    train: bool,
    *,
    bound: float = 1.0,
    iterations: int = 1,
    scaled: bool = False,
) -> tuple[jax.Array, Callable]:
    """W bound / sigma(W), spectral normalization (Miyato et al. 2018, arXiv 1802.05957, algorithm 1).

    sigma(W) ~ u^T W v, from `iterations` steps of power iteration on W as a matrix [out, inputs]. The iteration starts
    from the u of the update before. Gradients flow through W, but not through u and v. u is in the collection
    `spectral` and changes once per update, as batch statistics do. In inference, the iteration also starts from the
    stored u, but its result is not stored. So it does not matter that the u of an EMA is no unit vector.

    scaled: the bound is a parameter of each layer that starts at `bound` (section 2 and appendix E of the same paper).
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
    if scaled:
        bound = layer.param("scale", nn.initializers.constant(bound), ())
    return apply(kernel * (bound / (sigma + 1e-12))), nn.initializers.zeros


def weight_norm(
    layer: nn.Module, apply: Apply, kernel: jax.Array, train: bool, *, fixed: bool = False, unit: bool = False
) -> tuple[jax.Array, Callable]:
    """g V / ||V|| for each output, weight normalization (Salimans and Kingma 2016, arXiv 1602.07868, eq. 2).

    The initialization depends on data (section 3): g and the bias are chosen so that every output has mean 0 and
    variance 1 on the initial batch.

    fixed: g keeps its initial value, and V learns directions only.
    unit: the initialization does not depend on data: g is 1 and the bias is 0.
    """
    del train
    axes = tuple(range(kernel.ndim - 1))
    length = jnp.sqrt(jnp.sum(kernel**2, axis=axes, keepdims=True) + 1e-12)
    # Both forms agree up to rounding. The division, and the sum in its gradient, use the smaller array.
    y = apply(kernel) / length if kernel.ndim == 2 else apply(kernel / length)
    batch_axes = tuple(range(y.ndim - 1))

    def scale_init(key):
        if unit:
            return jnp.ones(kernel.shape[-1])
        variance = jnp.var(y, axis=batch_axes)
        # If an output is the same for all images of the batch, it has no scale that could be corrected.
        return jnp.where(variance > 1e-8, jax.lax.rsqrt(jnp.maximum(variance, 1e-8)), 1.0)

    scale = layer.param("scale", scale_init)
    scale = jax.lax.stop_gradient(scale) if fixed else scale
    y = y * scale.reshape((1,) * len(batch_axes) + (-1,))
    return y, nn.initializers.zeros if unit else lambda key, shape: -jnp.mean(y, axis=batch_axes)


def equalised(layer: nn.Module, apply: Apply, kernel: jax.Array, train: bool) -> tuple[jax.Array, Callable]:
    """W / sqrt(n) with n inputs of each output: equalised learning rate (Karras et al. 2017, arXiv 1710.10196, 4.1).

    W starts as N(0, 1), so every kernel of a network has entries of the same size, and so has each step of Adam: a
    layer with many inputs does not train faster than one with few. The constant of the paper also has He's factor
    sqrt(2), which networks/stylegan2.py has after its activations. An embedding has one input, a one-hot vector.
    """
    del train
    num_inputs = 1 if layer.has_variable("params", "embedding") else kernel.size // kernel.shape[-1]
    return apply(kernel * num_inputs**-0.5), nn.initializers.zeros


def in_bfloat16(kernel_norm: Callable) -> Callable:
    """The same reparametrisation, but the linear map of the layer is computed in bfloat16, and nothing else.

    Kernels are float32, and so are the numbers derived from them (spectral norms, gains) and everything between two
    layers (norms, their statistics, activations). No scaling of the loss is needed, because bfloat16 has the range of
    float32.
    """

    def reparametrise(layer, apply, kernel, train):
        return kernel_norm(layer, lambda w: apply(w.astype(jnp.bfloat16)).astype(kernel.dtype), kernel, train)

    return reparametrise


# config.dtype -> (reparametrisation of a hidden layer) -> the same in this dtype
DTYPES = {"float32": lambda kernel_norm: kernel_norm, "bfloat16": in_bfloat16}


class Dense(nn.Module):
    """x W + b, [B, F] -> [B, features]."""

    features: int
    kernel_init: Callable = nn.initializers.lecun_normal()
    kernel_norm: Callable = plain
    use_bias: bool = True

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        kernel = self.param("kernel", self.kernel_init, (x.shape[-1], self.features))
        y, bias_init = self.kernel_norm(self, lambda w: product(x, w), kernel, train)
        return y + self.param("bias", bias_init, (self.features,))[None] if self.use_bias else y


KERNEL_NORMS = {
    "equalised": equalised,
    "none": plain,
    "spectral": spectral,
    "spectral_scaled": functools.partial(spectral, scaled=True),
    "weight": weight_norm,
    "weight_fixed": functools.partial(weight_norm, fixed=True),
    "weight_unit": functools.partial(weight_norm, unit=True),
}
