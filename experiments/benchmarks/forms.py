"""The forms in which PyTorch runs a step, and the environments in which the processes of both frameworks run."""

import ctypes.util
from typing import NamedTuple

from ml_collections import ConfigDict

from gan_jax.networks.build import single_forward_pass

OURS = "gan_jax"


class Form(NamedTuple):
    """single_pass: the real, generated and labelled images of a D update go through D in one forward pass.

    compiled: "networks" (G and D, each by itself) or "step" (all of it, with losses and optimizers); "": eager.
    mode: of torch.compile.
    autocast: matrix products and convolutions in bfloat16.
    """

    channels_last: bool = False
    single_pass: bool = False
    compiled: str = ""
    mode: str = "default"
    autocast: bool = False


_EAGER, _COMPILE = Form(), Form(compiled="networks")
FORMS = {
    "PyTorch eager": _EAGER,
    "PyTorch eager, one forward pass": _EAGER._replace(single_pass=True),
    "PyTorch channels_last": _EAGER._replace(channels_last=True),
    "PyTorch compile": _COMPILE,
    "PyTorch compile, one forward pass": _COMPILE._replace(single_pass=True),
    "PyTorch compile, channels_last": _COMPILE._replace(channels_last=True),
    "PyTorch compile, whole step": Form(compiled="step"),
    "PyTorch compile, whole step, one forward pass": Form(compiled="step", single_pass=True),
    "PyTorch compile, whole step, channels_last": Form(compiled="step", channels_last=True),
    "PyTorch compile, max-autotune": _COMPILE._replace(mode="max-autotune"),
    "PyTorch compile, reduce-overhead": _COMPILE._replace(mode="reduce-overhead"),
    "PyTorch compile, reduce-overhead, one forward pass": _COMPILE._replace(mode="reduce-overhead", single_pass=True),
    "PyTorch compile, reduce-overhead, channels_last": _COMPILE._replace(mode="reduce-overhead", channels_last=True),
}
# Each form without the single pass -> the same form with it.
SINGLE_PASS_OF = {label: f"{label}, one forward pass" for label in FORMS if f"{label}, one forward pass" in FORMS}
_CUDA_GRAPHS = "reduce-overhead"  # a mode that differs from the default on a GPU only


def labels(config: ConfigDict, device: str) -> list[str]:
    """gan_jax and the forms of PyTorch that differ for this config. device: "cpu" or "gpu".

    Only convolutions depend on the memory layout of images. A single forward pass is for networks for which gan_jax has
    one, since any layer that mixes the images of a batch would compute something else.
    """
    has_convolutions, has_single_pass = config.generator.family != "mlp", single_forward_pass(config.discriminator)
    allowed = {
        label
        for label, form in FORMS.items()
        if (has_convolutions or not form.channels_last)
        and (has_single_pass or not form.single_pass)
        and (device == "gpu" or form.mode != _CUDA_GRAPHS)
    }
    return [OURS, *(label for label in FORMS if label in allowed)]


class Environment(NamedTuple):
    """variables: environment variables of the process. pins: whether XLA's threads are pinned to one core each."""

    variables: dict[str, str]
    pins: bool = False


USUAL = Environment({})
ALLOCATORS = {"tcmalloc": ("tcmalloc_minimal", "tcmalloc"), "jemalloc": ("jemalloc",)}  # name -> names of the library


def environments() -> tuple[dict[str, Environment], list[str]]:
    """(environments beside the usual one, by name; memory allocators that are not installed here)."""
    # GNU's OpenMP, which PyTorch uses, pins its threads by these variables.
    found = {"pinned threads": Environment({"OMP_PROC_BIND": "close", "OMP_PLACES": "cores"}, pins=True)}
    missing = []
    for name, libraries in ALLOCATORS.items():
        path = next(filter(None, map(ctypes.util.find_library, libraries)), None)
        if path:
            found[name] = Environment({"LD_PRELOAD": path})
        else:
            missing.append(name)
    return found, missing
