"""The weights of both networks as a safetensors file, with the config and the scores; gan_jax.load reads it.

The format: the length of the header (uint64, little endian); the header, JSON: name -> {dtype, shape, data_offsets},
and "__metadata__" -> text by name; the bytes of all arrays.
"""

import json
import pathlib
import struct
from typing import Any

import jax
import ml_dtypes
import numpy as np
from flax import traverse_util
from ml_collections import ConfigDict

from gan_jax import build
from gan_jax.formats.generator import Generator
from gan_jax.gan.types import GanState, Player
from gan_jax.runs import initial_state
from gan_jax.runs.load import LoadedRun
from gan_jax.system import parts, recorded
from gan_jax.system.errors import UserError
from gan_jax.system.files import atomic_write

_TYPES = {
    "BOOL": np.bool_, "F16": np.float16, "BF16": ml_dtypes.bfloat16, "F32": np.float32, "F64": np.float64,
    "I32": np.int32, "I64": np.int64, "U8": np.uint8, "U32": np.uint32,
}  # fmt: skip
_NAMES = {np.dtype(dtype): name for name, dtype in _TYPES.items()}
_PLAYERS = ("generator", "discriminator")
_PARTS = ("params", "stats", "ema")  # of a player; without the moments of its optimizer


def write(generator: Generator, path: pathlib.Path) -> str:
    """Writes the file; returns one line about it."""
    state = generator.run.state if generator.is_ema else generator.run.state.without_ema()
    arrays = {name: np.asarray(array) for name, array in _flat(state).items()}
    write_arrays(path, arrays, generator.metadata())
    numbers = sum(array.size for array in arrays.values())
    return f"{len(arrays)} arrays, {numbers:,} numbers; gan_jax.load({path.name!r})"


def _flat(state: GanState) -> dict[str, Any]:
    """The arrays of both networks by dotted names: generator.params.Dense_0.kernel, ..."""
    trees = {player: {part: getattr(getattr(state, player), part) for part in _PARTS} for player in _PLAYERS}
    return traverse_util.flatten_dict(jax.tree.map(lambda leaf: leaf, trees), sep=".")


def write_arrays(path: pathlib.Path, arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    header, offset = {"__metadata__": metadata}, 0
    for name, array in sorted(arrays.items()):
        end = offset + array.nbytes
        header[name] = {"dtype": _NAMES[array.dtype], "shape": list(array.shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with atomic_write(path) as partial, partial.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, array in sorted(arrays.items()):
            file.write(np.ascontiguousarray(array).tobytes())


def read_arrays(path: pathlib.Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """(arrays by name, metadata). UserError if the file is damaged."""
    data = path.read_bytes()
    try:
        size = struct.unpack("<Q", data[:8])[0]
        header, body = json.loads(data[8 : 8 + size]), data[8 + size :]
        metadata = header.pop("__metadata__", {})
        arrays = {}
        for name, entry in header.items():
            start, end = entry["data_offsets"]
            arrays[name] = np.frombuffer(body[start:end], _TYPES[entry["dtype"]]).reshape(entry["shape"])
    except Exception as error:  # struct.error, UnicodeDecodeError, JSONDecodeError, KeyError, ...
        reason = type(error).__name__
        raise UserError(f"{path} is damaged, or no safetensors file ({reason}); export it again") from error
    return arrays, metadata


def load(path: pathlib.Path) -> LoadedRun:
    """The run of a file that `write` wrote, without a workdir. UserError if it is damaged or of something else."""
    arrays, metadata = read_arrays(path)
    if metadata.get("format") != "gan_jax":
        raise UserError(f"{path} was not written by gan-jax export")
    run_info = json.loads(metadata["run"])
    parts.require(run_info.get("parts", ()), path)
    config = recorded.from_json(metadata["config"])
    data = run_info["data"]
    shape = tuple(data["image_shape"])
    gan = build.build(config, shape, data["num_classes"], run_info["num_steps"])
    like = initial_state.abstract_state(gan, config.init_batch_size, shape)
    state = _state(path, arrays, like, config, int(metadata["step"]))
    return LoadedRun(None, config, run_info, gan, state, int(metadata["step"]))


def _state(path: pathlib.Path, arrays: dict, like: GanState, config: ConfigDict, step: int) -> GanState:
    """The state with these arrays; UserError if they do not fit. The file of a raw generator has no EMA."""
    expected = _flat(like)
    without_ema = {name: leaf for name, leaf in expected.items() if ".ema." not in name}
    expected = expected if expected.keys() == arrays.keys() else without_ema
    wrong = [
        name
        for name in sorted({*expected, *arrays})
        if name not in arrays or name not in expected or arrays[name].shape != expected[name].shape
    ]
    if wrong:
        raise UserError(f"{path} does not fit this version of the code: {wrong[0]}")
    tree = traverse_util.unflatten_dict(arrays, sep=".")
    return GanState(np.int32(step), *(_player(tree[player]) for player in _PLAYERS))


def _player(tree: dict) -> Player:
    """A player without the state of its optimizer. A file cannot have empty collections."""
    ema = {"stats": {}, **tree["ema"]} if "ema" in tree else {}
    return Player(tree.get("params", {}), tree.get("stats", {}), {}, ema, {})
