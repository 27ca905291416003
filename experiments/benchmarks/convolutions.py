"""Times single convolutions of the works' networks, forward and with both gradients."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from experiments.benchmarks.contenders import prepare_torch
from experiments.benchmarks.forms import OURS
from experiments.benchmarks.peak import fastest
from experiments.benchmarks.processes import apart
from gan_jax.devices import compiler
from gan_jax.layers import conv

BATCH, _ROUNDS, _TURNS = 128, 2, 8
XLA, TORCH = "XLA's default", "PyTorch channels_last"
_PASSES = {"forward": 1, "with gradients": 3}  # pass -> its arithmetic, in forward passes


class Layer(NamedTuple):
    """A convolution with SAME padding, from images [size, size, inputs] to `outputs` channels."""

    size: int
    inputs: int
    outputs: int
    kernel: int
    stride: int = 1
    transposed: bool = False

    @property
    def out_size(self) -> int:
        return self.size * self.stride if self.transposed else -(-self.size // self.stride)

    @property
    def gflop(self) -> float:
        """GFLOP of the forward pass; a multiplication with its addition counts as 2."""
        pixels = BATCH * min(self.size, self.out_size) ** 2
        return 2e-9 * pixels * self.inputs * self.outputs * self.kernel**2

    def __str__(self) -> str:
        kind = f"{self.kernel}x{self.kernel}" + (f" stride {self.stride}" if self.stride > 1 else "")
        transposed = "transposed " if self.transposed else ""
        return f"{transposed}{kind}, {self.size}x{self.size}, {self.inputs} to {self.outputs}"

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Images [B, H, W, C], a kernel [k, k, C, F] and a gradient of the output [B, H', W', F]."""
        rng = np.random.default_rng(0)
        shapes = (
            (BATCH, self.size, self.size, self.inputs),
            (self.kernel, self.kernel, self.inputs, self.outputs),
            (BATCH, self.out_size, self.out_size, self.outputs),
        )
        x, w, dy = (rng.standard_normal(shape).astype(np.float32) for shape in shapes)
        return x, w / math.sqrt(self.kernel**2 * self.inputs), dy


LAYERS = {
    "sngan_resnet": (Layer(32, 32, 32, 3),),
    "dcgan_upsample": (Layer(16, 128, 128, 3), Layer(32, 128, 64, 3)),
    "cdcgan": (Layer(14, 64, 128, 4, stride=2), Layer(7, 128, 64, 4, stride=2, transposed=True)),
}


def jax_passes(layer: Layer, arrays: tuple, form: str) -> tuple[Callable, Callable]:
    """Two compiled functions without arguments: the first returns y [B, H', W', F], the second (dx, dw).

    form: OURS or XLA.
    """
    ours, native = (
        (conv.conv_transpose, conv.native_conv_transpose) if layer.transposed else (conv.conv, conv.native_conv)
    )
    x, w, dy = map(jax.numpy.array, arrays)

    def convolve(x, w):
        return (ours if form == OURS else native)(x, w, layer.stride)

    compiled = compiler.jit if form == OURS else jax.jit
    forward, gradients = compiled(convolve), compiled(lambda x, w, dy: jax.vjp(convolve, x, w)[1](dy))
    return lambda: jax.block_until_ready(forward(x, w)), lambda: jax.block_until_ready(gradients(x, w, dy))


def torch_passes(layer: Layer, arrays: tuple, device: str) -> tuple[Callable, Callable]:
    """The same in PyTorch, [B, C, H, W] in channels_last layout.

    A transposed layer's kernel is not flipped as PyTorch's convention needs; the speed is the same.
    """
    import torch

    name = prepare_torch(device)
    x, w, dy = (torch.tensor(array, device=name) for array in arrays)
    w = w.permute(2, 3, 0, 1) if layer.transposed else w.permute(3, 2, 0, 1)
    x, dy = x.permute(0, 3, 1, 2), dy.permute(0, 3, 1, 2)
    x, w, dy = (array.contiguous(memory_format=torch.channels_last) for array in (x, w, dy))
    inputs = x.requires_grad_(), w.requires_grad_()
    function = torch.nn.functional.conv_transpose2d if layer.transposed else torch.nn.functional.conv2d
    padding = (layer.kernel - 1) // 2
    wait = torch.cuda.synchronize if name == "cuda" else lambda: None

    def forward():
        with torch.no_grad():
            y = function(x, w, stride=layer.stride, padding=padding)
        wait()
        return y

    def gradients():
        result = torch.autograd.grad(function(x, w, stride=layer.stride, padding=padding), inputs, dy)
        wait()
        return result

    return forward, gradients


def _times(label: str, device: str) -> dict[str, list[float]]:
    """layer -> seconds of each pass."""
    seconds = {}
    for layer in (layer for layers in LAYERS.values() for layer in layers):
        arrays = layer.arrays()
        passes = torch_passes(layer, arrays, device) if label == TORCH else jax_passes(layer, arrays, label)
        seconds[str(layer)] = [fastest(program, _TURNS) for program in passes]
    return seconds


def measure(device: str) -> dict:
    """GFLOP/s of each layer and pass by contender: the fastest turn of two processes per contender, in turn."""
    rounds = [{label: apart(_times, label, device) for label in (OURS, XLA, TORCH)} for _ in range(_ROUNDS)]
    rows = []
    for work, layers in LAYERS.items():
        for layer in layers:
            rates = {}
            for index, (name, share) in enumerate(_PASSES.items()):
                least = {label: min(times[label][str(layer)][index] for times in rounds) for label in rounds[0]}
                rates[name] = {label: float(f"{share * layer.gflop / time:.4g}") for label, time in least.items()}
            rows.append({"work": work, "layer": str(layer), "gflop": round(layer.gflop, 4), "rates": rates})
    return {"batch": BATCH, "rows": rows}
