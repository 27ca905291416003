"""Published weights in PyTorch's files as flax variables: the sha256, names, shapes and types are checked."""

import hashlib
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from flax import traverse_util

from gan_jax.evaluation.torch_file import LARGEST_FILE, read_tensors
from gan_jax.system.errors import DataUnavailable

# The last name in the path of a flax variable -> the last name in PyTorch. All names before it are equal.
_NAMES = {"kernel": "weight", "scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"}


class Published(NamedTuple):
    """A published file of weights.

    what: the weights, in messages.
    sha256: of the file.
    remedy: what the user can do if the file is missing, damaged or another one.
    template: returns shapes and types of the flax variables, with the names of the file.
    """

    what: str
    sha256: str
    remedy: str
    template: Callable[[], Any]


def torch_name(path: tuple[str, ...]) -> str:
    """The path of a flax variable (collection, modules, variable) -> the name of its tensor in PyTorch."""
    return ".".join([*path[1:-1], _NAMES[path[-1]]])


def load(path: str | pathlib.Path, published: Published, expected_prefix: str | None = None) -> Any:
    """Flax variables from a .pth file whose SHA-256 starts with `expected_prefix`, by default the published one.

    An empty prefix accepts any file. DataUnavailable if the file is missing, damaged, or another file.
    """
    path, (what, sha256, remedy, template) = pathlib.Path(path).expanduser(), published
    prefix = sha256 if expected_prefix is None else expected_prefix
    try:
        with path.open("rb") as file:
            # The file is read once, so that the checked bytes are used even if the file is replaced meanwhile.
            data = file.read(LARGEST_FILE + 1)
    except FileNotFoundError as error:
        raise DataUnavailable(f"there are no {what} at {path}; {remedy}") from error
    except OSError as error:
        raise DataUnavailable(f"{what} {path} cannot be read ({error.strerror or error})") from error
    digest = hashlib.sha256(data).hexdigest()
    if not digest.startswith(prefix):
        difference = f"SHA-256 {digest[:8]}... instead of {prefix[:8]}..., in {len(data)} bytes"
        raise DataUnavailable(f"{path} is not the file of {what} ({difference}); {remedy}")
    try:
        return to_variables(read_tensors(data), template())
    except Exception as error:  # A damaged pickle raises many classes of errors; the user gets one line.
        reason = " ".join(f"{error or type(error).__name__}".split())
        raise DataUnavailable(f"{path} does not hold the {what}: {reason}; {remedy}") from error


def to_variables(tensors: dict[str, np.ndarray], template: Any) -> Any:
    """Converts tensors from PyTorch's names and layouts to flax variables, float32.

    template: shapes and types of the variables. ValueError unless names and shapes are those of the template.
    """
    shapes, variables = traverse_util.flatten_dict(template), {}
    names = {path: torch_name(path) for path in shapes}
    file_names = {name for name in tensors if not name.endswith(".num_batches_tracked")}
    expected_names = set(names.values())
    if missing := sorted(expected_names - file_names):
        present = f"{len(expected_names) - len(missing)} of {len(expected_names)} tensors are there"
        raise ValueError(f"{missing[0]} is missing ({present})")
    if unexpected := sorted(file_names - expected_names):
        raise ValueError(f"{unexpected[0]} does not belong to the network")
    for path, expected in shapes.items():
        array = tensors[names[path]]
        # Kernels are [out, in, height, width] and [out, in] in PyTorch, [height, width, in, out] and [in, out] in flax.
        array = array.transpose({4: (2, 3, 1, 0), 2: (1, 0)}.get(array.ndim))
        if array.shape != expected.shape or array.dtype != np.float32:
            raise ValueError(f"{names[path]} is {array.dtype} {tensors[names[path]].shape}, unlike the network's")
        variables[path] = np.array(array, np.float32, order="C")
    return traverse_util.unflatten_dict(variables)
