"""Reads the tensors of a PyTorch file (.pth), without PyTorch and without running code from the file.

Such a file contains a pickle, which may call any function when it is read. Here only the names in `_ALLOWED` are
accepted, and they map to functions of this module; any other name is refused. Both layouts of PyTorch are supported:
the sequence of pickles and raw numbers from before version 1.6, and the zip archive of later versions.
"""

import collections
import io
import math
import pickle
import pickletools
import struct
import zipfile
from typing import Any, NamedTuple

import numpy as np

LARGEST_FILE = 200_000_000  # bytes
_LARGEST_MEMO = 100_000  # entries; 472 tensors take about 4 000
_LEGACY_MAGIC, _LEGACY_PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


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
