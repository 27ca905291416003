"""PyTorch layers with gan_jax's reparametrisations, and their weights from gan_jax's arrays.

If SAME padding is uneven, gan_jax puts the additional zero last; PyTorch's usual convolutions put it first. So the
PyTorch networks are the MIRROR IMAGE of gan_jax's: every kernel and every image is flipped in height and width. The
losses are the same, and neither framework is slowed down by the other's convention.
"""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from flax import traverse_util
from torch import nn

from gan_jax.gan.types import Batch, Player


class _Spectral:
    """W / sigma(W) as in gan_jax.layers.kernel_norms.spectral: u advances once per update, not once per call."""

    def __init__(self, *arguments, **keywords):
        super().__init__(*arguments, **keywords)
        rows, columns = self.weight.flatten(1).shape
        for name, size in (("u", rows), ("left", rows), ("right", columns)):
            self.register_buffer(name, F.normalize(torch.randn(size), dim=0))

    @torch.no_grad()
    def iterate(self, *, keep: bool) -> None:
        """One power iteration from the stored u. All calls use its result until the next iteration."""
        matrix = self.weight.flatten(1)
        self.right.copy_(F.normalize(matrix.T @ self.u, dim=0))
        self.left.copy_(F.normalize(matrix @ self.right, dim=0))
        if keep:
            self.u.copy_(self.left)

    def normalized(self) -> torch.Tensor:
        # In float32 also under autocast, as in gan_jax.
        with torch.autocast(self.weight.device.type, enabled=False):
            return self.weight / torch.dot(self.left, self.weight.flatten(1) @ self.right)


class SpectralConv(_Spectral, nn.Conv2d):
    def forward(self, x):
        return self._conv_forward(x, self.normalized(), self.bias)


class SpectralLinear(_Spectral, nn.Linear):
    def forward(self, x):
        return F.linear(x, self.normalized(), self.bias)


class WeightNormLinear(nn.Linear):
    """scale V / ||V|| for each output, by the operation of torch.nn.utils.parametrizations.weight_norm."""

    def __init__(self, *arguments, **keywords):
        super().__init__(*arguments, **keywords)
        self.add_scale(torch.ones(self.out_features))

    def add_scale(self, scale: torch.Tensor) -> None:
        self.scale = nn.Parameter(scale)

    def forward(self, x):
        return F.linear(x, torch._weight_norm(self.weight, self.scale[:, None], 0), self.bias)


class FixedWeightNormLinear(WeightNormLinear):
    """Weight norm with a scale that does not train."""

    def add_scale(self, scale: torch.Tensor) -> None:
        self.register_buffer("scale", scale)


class GaussianNoise(nn.Module):
    def __init__(self, stddev: float):
        super().__init__()
        self.stddev = stddev

    def forward(self, x):
        return x + self.stddev * torch.randn_like(x)


LINEAR = {
    "none": nn.Linear,
    "spectral": SpectralLinear,
    "weight": WeightNormLinear,
    "weight_fixed": FixedWeightNormLinear,
    "weight_unit": WeightNormLinear,
}
CONV = {"none": nn.Conv2d, "spectral": SpectralConv}


class MappedLayer(NamedTuple):
    """A layer, and the shape [C, H, W] of its inputs or outputs if these are a flattened image."""

    layer: nn.Module
    inputs: tuple[int, int, int] | None = None
    outputs: tuple[int, int, int] | None = None


class Network(nn.Module):
    """mapped_layers: path of the arrays in gan_jax -> the same layer here."""

    def __init__(self):
        super().__init__()
        self.mapped_layers = {}

    def at(self, path: str, layer: nn.Module, **shapes) -> nn.Module:
        self.mapped_layers[path] = MappedLayer(layer, **shapes)
        return layer

    def iterate(self, *, keep: bool) -> None:
        """Power iterations of the layers with spectral norm."""
        for mapped in self.mapped_layers.values():
            if isinstance(mapped.layer, _Spectral):
                mapped.layer.iterate(keep=keep)


def mirrored(images: np.ndarray) -> np.ndarray:
    """[B, H, W, C] -> the mirror image, [B, C, H, W]."""
    return np.ascontiguousarray(images[:, ::-1, ::-1].transpose(0, 3, 1, 2))


def tensors(real: Batch) -> Batch:
    """A batch of gan_jax for the PyTorch networks."""
    labelled = tensors(real.labelled) if real.labelled else None
    return Batch(torch.from_numpy(mirrored(real.images)), torch.from_numpy(real.labels.astype(np.int64)), labelled)


def _reordered(rows: np.ndarray, image: tuple[int, int, int] | None) -> np.ndarray:
    """Reorders rows from a flattened [H, W, C] to a flattened, mirrored [C, H, W]; further rows follow unchanged."""
    if image is None:
        return rows
    channels, height, width = image
    pixels, further_rows = np.split(rows, [channels * height * width])
    pixels = mirrored(pixels.reshape(height, width, channels, -1).transpose(3, 0, 1, 2))
    return np.concatenate([pixels.reshape(pixels.shape[0], -1).T, further_rows])


def _convert(mapped: MappedLayer, name: str, array: np.ndarray) -> tuple[str, np.ndarray]:
    """(PyTorch's name, PyTorch's array) of one array of gan_jax."""
    layer, inputs, outputs = mapped
    if name == "kernel" and isinstance(layer, nn.ConvTranspose2d):
        # PyTorch's transposed convolution flips the kernel, gan_jax's does not; the mirror image undoes the flip.
        return "weight", array.transpose(2, 3, 0, 1)
    if name == "kernel" and array.ndim == 4:
        return "weight", array[::-1, ::-1].transpose(3, 2, 0, 1)
    if name == "kernel":
        return "weight", _reordered(_reordered(array, inputs).T, outputs)
    if name == "embedding":
        return "weight", _reordered(array.T, outputs).T
    if name in ("bias", "scale") and outputs:
        return name, _reordered(array[:, None], outputs)[:, 0]
    of_norms = {"scale": "weight", "mean": "running_mean", "var": "running_var"}
    return of_norms.get(name, name) if isinstance(layer, nn.modules.batchnorm._BatchNorm) else name, array


@torch.no_grad()
def copy_weights(network: Network, player: Player) -> None:
    """Copies every array of gan_jax into a PyTorch network. An array or a layer without its counterpart is an error."""
    arrays = {**traverse_util.flatten_dict(player.params), **_without_collection(player.stats)}
    copied = set()
    for path, array in arrays.items():
        mapped = network.mapped_layers["/".join(path[:-1])]
        name, values = _convert(mapped, path[-1], np.asarray(array))
        getattr(mapped.layer, name).copy_(torch.tensor(values.copy()))
        copied.add("/".join(path[:-1]))
    assert copied == set(network.mapped_layers), f"no weights for {set(network.mapped_layers) - copied}"


def _without_collection(stats: dict) -> dict:
    """Statistics by their layer's path. Spectral and batch statistics have no path in common."""
    return {path[1:]: array for path, array in traverse_util.flatten_dict(stats).items()}
