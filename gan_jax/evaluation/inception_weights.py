"""Reads the published Inception weights, a PyTorch file, without PyTorch and without running code from the file.

Such a file contains a pickle, which may call any function when it is read. Here only the names in `_ALLOWED` are
accepted, and they map to functions of this module; any other name is refused. Both layouts of PyTorch are supported:
the sequence of pickles and raw numbers from before version 1.6 (the published file), and the zip archive of later
versions.
"""

import collections
import hashlib
import io
import math
import pathlib
import pickle
import pickletools
import struct
import zipfile
from typing import Any, NamedTuple

import numpy as np
from flax import traverse_util

from gan_jax.evaluation.inception import template
from gan_jax.system.errors import DataUnavailable

# Of both weights-inception-2015-12-05-6726825d.pth (torch-fidelity) and pt_inception-2015-12-05-6726825d.pth
# (pytorch-fid): the same 95 628 359 bytes.
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
SOURCE = (
    "weights-inception-2015-12-05-6726825d.pth from release v0.2.0 of toshas/torch-fidelity on GitHub "
    "(or pt_inception-2015-12-05-6726825d.pth from release fid_weights of mseitzer/pytorch-fid)"
)
LARGEST_FILE = 200_000_000  # bytes
_LARGEST_MEMO = 100_000  # entries; 472 tensors take about 4 000
_LEGACY_MAGIC, _LEGACY_PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
# The last two names in the path of a flax variable -> the name in PyTorch.
_NAMES = {
    ("conv", "kernel"): "conv.weight",
    ("bn", "scale"): "bn.weight",
    ("bn", "bias"): "bn.bias",
    ("bn", "mean"): "bn.running_mean",
    ("bn", "var"): "bn.running_var",
    ("fc", "kernel"): "fc.weight",
    ("fc", "bias"): "fc.bias",
}


def load_variables(path: str | pathlib.Path, *, expected_prefix: str = SHA256) -> Any:
    """Flax variables of `inception.InceptionV3` from a .pth file whose SHA-256 starts with `expected_prefix`.

    An empty prefix accepts any file. DataUnavailable if the file is missing, damaged, or another file.
    """
    path = pathlib.Path(path).expanduser()
    try:
        with path.open("rb") as file:
            # The file is read once, so that the checked bytes are used even if the file is replaced meanwhile.
            data = file.read(LARGEST_FILE + 1)
    except FileNotFoundError as error:
        raise DataUnavailable(f"there are no Inception weights at {path}; download {SOURCE}") from error
    except OSError as error:
        raise DataUnavailable(f"Inception weights {path} cannot be read ({error.strerror or error})") from error
    digest = hashlib.sha256(data).hexdigest()
    if not digest.startswith(expected_prefix):
        difference = f"SHA-256 {digest[:8]}... instead of {expected_prefix[:8]}..., in {len(data)} bytes"
        raise DataUnavailable(f"{path} is not the file of Inception weights ({difference}); download {SOURCE}")
    try:
        return to_variables(read_tensors(data))
    except Exception as error:  # A damaged pickle raises many classes of errors; the user gets one line.
        reason = " ".join(f"{error or type(error).__name__}".split())
        raise DataUnavailable(f"{path} does not hold the Inception weights: {reason}; download {SOURCE}") from error


def to_variables(tensors: dict[str, np.ndarray]) -> Any:
    """Converts tensors from PyTorch's names and layouts to flax variables, float32.

    ValueError unless names and shapes are those of the network.
    """
    shapes = traverse_util.flatten_dict(template())
    names = {path: ".".join([*path[1:-2], _NAMES[path[-2:]]]) for path in shapes}
    file_names = {name for name in tensors if not name.endswith(".num_batches_tracked")}
    expected_names, variables = set(names.values()), {}
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


class _Storage(NamedTuple):
    key: str
    dtype: str
    size: int  # values


class _View(NamedTuple):
    """A tensor: a strided view of the values in a storage."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Tensor:
    """Replaces PyTorch's `_rebuild_tensor`. It has no __dict__, so that a pickle cannot change it."""

    __slots__ = ()

    def __call__(self, storage, offset, shape, strides, *_gradient_and_hooks) -> _View:
        if not isinstance(storage, _Storage):
            raise pickle.UnpicklingError("a tensor without a storage")
        return _View(storage, offset, shape, strides)


class _Parameter:
    """Replaces PyTorch's `_rebuild_parameter`."""

    __slots__ = ()

    def __call__(self, data, *_gradient_and_hooks) -> _View:
        return data


_DTYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}
_ALLOWED = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor"): _Tensor(),
    ("torch._utils", "_rebuild_tensor_v2"): _Tensor(),
    ("torch._utils", "_rebuild_parameter"): _Parameter(),
    **{("torch", name): dtype for name, dtype in _DTYPES.items()},
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"its pickle asks for {module}.{name}, which is refused")
        return _ALLOWED[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _location, size, *view = pid
        is_known = kind == "storage" and dtype in _DTYPES.values() and isinstance(key, str) and view in ([], [None])
        if not is_known or not 0 <= size <= LARGEST_FILE:
            raise pickle.UnpicklingError("a storage of an unknown kind")
        return _Storage(key, dtype, size)


def _unpickle(stream: io.BytesIO) -> Any:
    """Reads the next pickle of a stream."""
    start = stream.tell()
    # The unpickler allocates memo entries up to the largest index, so indices are checked first.
    for code, argument, _ in pickletools.genops(stream):
        if code.name.endswith("PUT") and argument > _LARGEST_MEMO:
            raise pickle.UnpicklingError("its pickle is too large")
    stream.seek(start)
    return _Unpickler(stream).load()


def _unpickle_state(stream: io.BytesIO) -> dict[str, _View]:
    state = _unpickle(stream)
    if not isinstance(state, dict) or not all(isinstance(view, _View) for view in state.values()):
        raise ValueError("not a dictionary of tensors")
    return state


def read_tensors(data: bytes) -> dict[str, np.ndarray]:
    """The tensors of the state dict in the bytes of a .pth file, as views. Raises any Exception for a damaged file."""
    if len(data) > LARGEST_FILE:
        raise ValueError(f"more than {LARGEST_FILE} bytes")
    state, storages = (_read_zip if data.startswith(b"PK") else _read_legacy)(data)
    return {name: _select(view, storages) for name, view in state.items()}


def _select(view: _View, storages: dict[str, np.ndarray]) -> np.ndarray:
    """The array of a view; ValueError if it exceeds its storage."""
    values = storages[view.storage.key]
    if len(view.shape) != len(view.strides) or view.offset < 0 or min((*view.shape, *view.strides, 0)) < 0:
        raise ValueError("a tensor of an impossible shape")
    last = view.offset + sum((size - 1) * stride for size, stride in zip(view.shape, view.strides, strict=True))
    if not math.prod(view.shape) or last >= len(values) or math.prod(view.shape) > len(values):
        raise ValueError("a tensor beyond the end of its storage")
    strides = [stride * values.itemsize for stride in view.strides]
    return np.lib.stride_tricks.as_strided(values[view.offset :], view.shape, strides, writeable=False)


def _read_legacy(data: bytes) -> tuple[dict[str, _View], dict[str, np.ndarray]]:
    """Reads five pickles (magic number, protocol, machine, state dict, keys), then size and values of each storage."""
    stream = io.BytesIO(data)
    if _unpickle(stream) != _LEGACY_MAGIC or _unpickle(stream) != _LEGACY_PROTOCOL:
        raise ValueError("not a file of PyTorch")
    if _unpickle(stream)["little_endian"] is not True:
        raise ValueError("written on a big-endian machine")
    state, keys, storages = _unpickle_state(stream), _unpickle(stream), {}
    declared = {view.storage.key: view.storage for view in state.values()}
    position = stream.tell()
    for key in keys:
        storage = declared[key]
        (size,) = struct.unpack_from("<q", data, position)
        if size != storage.size:
            raise ValueError("a storage of another size than declared")
        if position + 8 + size * np.dtype(storage.dtype).itemsize > len(data):
            raise ValueError("it ends too early")
        storages[key] = np.frombuffer(data, storage.dtype, size, position + 8)
        position += 8 + storages[key].nbytes
    return state, storages


def _read_zip(data: bytes) -> tuple[dict[str, _View], dict[str, np.ndarray]]:
    """Reads FOLDER/data.pkl, FOLDER/data/KEY for each storage and, in newer files, FOLDER/byteorder."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        # PyTorch does not compress; compressed or overlapping members could unpack to any size.
        members = archive.infolist()
        if any(member.compress_type for member in members) or sum(member.file_size for member in members) > len(data):
            raise ValueError("a compressed archive")
        folders = [name.removesuffix("data.pkl") for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(folders) != 1:
            raise ValueError("not a file of PyTorch")
        folder = folders[0]
        if f"{folder}byteorder" in archive.namelist() and archive.read(f"{folder}byteorder") != b"little":
            raise ValueError("written on a big-endian machine")
        state = _unpickle_state(io.BytesIO(archive.read(f"{folder}data.pkl")))
        storages = {}
        for storage in {view.storage for view in state.values()}:
            storages[storage.key] = np.frombuffer(archive.read(f"{folder}data/{storage.key}"), storage.dtype)
            if len(storages[storage.key]) != storage.size:
                raise ValueError("a storage of another size than declared")
    return state, storages
