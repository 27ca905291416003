"""Reading Inception's weights: PyTorch's files, and files that are damaged, wrong or hostile."""

import collections
import hashlib
import io
import os
import pathlib
import pickle
import zipfile

import jax
import numpy as np
import pytest

from gan_jax.evaluation import inception, inception_weights, torch_file
from gan_jax.evaluation.inception_weights import load_variables, to_variables
from gan_jax.system.errors import DataUnavailable
from tests import golden


def refusal(path, prefix=""):
    with pytest.raises(DataUnavailable) as error:
        load_variables(path, expected_prefix=prefix)
    message = str(error.value)
    assert "\n" not in message
    assert str(path) in message
    return message


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_reads_what_torch_writes(torch, tensors, tmp_path, zipped):
    """Both layouts, with metadata, counters, parameters, strides and shared storages, as in real state dicts."""
    state = collections.OrderedDict((name, torch.from_numpy(array)) for name, array in tensors.items())
    state._metadata = collections.OrderedDict({"": {"version": 1}})
    state["Conv2d_1a_3x3.bn.num_batches_tracked"] = torch.tensor(7)
    state["Conv2d_1a_3x3.bn.weight"] = torch.nn.Parameter(state["Conv2d_1a_3x3.bn.weight"])
    state["fc.weight"] = state["fc.weight"].T.contiguous().T
    pair = torch.stack([state["Conv2d_2a_3x3.bn.weight"], state["Conv2d_2a_3x3.bn.bias"]])
    state["Conv2d_2a_3x3.bn.weight"], state["Conv2d_2a_3x3.bn.bias"] = pair
    path = tmp_path / "weights.pth"
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    assert path.read_bytes().startswith(b"PK") == zipped
    loaded = load_variables(path, expected_prefix=hashlib.sha256(path.read_bytes()).hexdigest()[:8])
    assert jax.tree.all(jax.tree.map(np.array_equal, loaded, to_variables(tensors)))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert "does not hold the Inception weights" in refusal(path)
    assert "SHA-256" in refusal(path, inception_weights.SHA256)


def small_state(torch):
    """Tensors of several types, strides and storages."""
    pair = torch.arange(6, dtype=torch.float32).reshape(2, 3) / 7
    state = {"weight": torch.nn.Parameter(pair[0]), "bias": pair[1], "turned": pair.T, "count": torch.tensor(7)}
    return collections.OrderedDict(state)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_reads_a_stored_file_of_torch(zipped):
    """The same without torch: files that it wrote, stored with its version."""

    def write(torch):
        stream = io.BytesIO()
        torch.save(small_state(torch), stream, _use_new_zipfile_serialization=zipped)
        return stream.getvalue()

    data = golden.file_of("torch", "torch_file", "zip" if zipped else "legacy", write)
    assert data.startswith(b"PK") == zipped
    tensors = torch_file.read_tensors(data)
    pair = np.arange(6, dtype=np.float32).reshape(2, 3) / np.float32(7)
    expected = {"weight": pair[0], "bias": pair[1], "turned": pair.T, "count": np.int64(7)}
    assert tensors.keys() == expected.keys()
    for name, array in expected.items():
        assert tensors[name].dtype == array.dtype
        np.testing.assert_array_equal(tensors[name], array)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_another_networks_weights_are_refused(torch, tensors, tmp_path, zipped):
    def refusal_of(state):
        torch.save(state, tmp_path / "other.pth", _use_new_zipfile_serialization=zipped)
        return refusal(tmp_path / "other.pth")

    small_state = {name: torch.zeros(2) for name in ("layer.weight", "layer.bias")}
    assert "is missing (0 of 472 tensors" in refusal_of(small_state)
    assert "not a dictionary of tensors" in refusal_of([torch.zeros(2)])
    assert "not a dictionary of tensors" in refusal_of({"state": small_state})
    assert "HalfStorage, which is refused" in refusal_of({"layer.weight": torch.zeros(2).half()})


def test_names_and_shapes_are_checked(tensors):
    def changed(**arrays):
        return {**tensors, **{name.replace("__", "."): array for name, array in arrays.items()}}

    with pytest.raises(ValueError, match="fc.weight is float32 .1000, 2048., unlike"):
        to_variables(changed(fc__weight=np.zeros((1000, 2048), np.float32)))
    with pytest.raises(ValueError, match="fc.bias is int64"):
        to_variables(changed(fc__bias=np.zeros(1008, np.int64)))
    with pytest.raises(ValueError, match="AuxLogits.fc.bias does not belong"):
        to_variables(changed(AuxLogits__fc__bias=np.zeros(1000, np.float32)))
    with pytest.raises(ValueError, match=r"fc.bias is missing \(471 of 472"):
        to_variables({name: array for name, array in tensors.items() if name != "fc.bias"})


class Call:
    """An object whose pickle calls a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def archive(members, **options):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", **options) as file:
        for name, data in members.items():
            file.writestr(f"weights/{name}", data)
    return stream.getvalue()


def legacy(*objects):
    return b"".join(pickle.dumps(value, protocol=2) for value in (0x1950A86A20F9469CFC6C, 1001, *objects))


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_nothing_in_a_file_is_executed(tmp_path, protocol):
    marker, path = tmp_path / "ran", tmp_path / "hostile.pth"
    hostile = pickle.dumps({"fc.bias": Call(os.system, f"touch {marker}")}, protocol)
    machine = pickle.dumps({"little_endian": True})
    for data in (hostile, legacy() + hostile, legacy() + machine + hostile, archive({"data.pkl": hostile})):
        path.write_bytes(data)
        assert f"its pickle asks for {os.name}.system, which is refused" in refusal(path)
    for function, arguments in ((eval, ["1"]), (pathlib.Path, ["x"]), (getattr, [{}, "update"])):
        path.write_bytes(pickle.dumps(Call(function, *arguments), protocol))
        assert "which is refused" in refusal(path)
    assert not marker.exists()


def raw(*all_arguments, size=4, number="torch\nFloatStorage"):
    """The pickle of a dictionary of tensors on one storage, as PyTorch writes it; all_arguments: of each tensor."""
    storage_head = b"(X\x07\0\0\0storagec" + number.encode() + b"\nX\x01\0\0\x000X\x03\0\0\0cpu"
    storage = storage_head + pickle.dumps(size, protocol=2)[2:-1] + b"tQ"
    tensors = b""
    for index, arguments in enumerate(all_arguments):
        pickled_arguments = b"".join(pickle.dumps(argument, protocol=2)[2:-1] for argument in arguments)
        tensors += b"K" + bytes([index]) + b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + pickled_arguments + b"tR"
    return b"\x80\x02}(" + tensors + b"u."


def test_tensors_must_be_within_their_storages():
    data = np.arange(4, dtype="<f4").tobytes()

    def read(*all_arguments, storage=data, **settings):
        return torch_file.read_tensors(archive({"data.pkl": raw(*all_arguments, **settings), "data/0": storage}))

    np.testing.assert_array_equal(read((1, (3,), (1,)))[0], [1, 2, 3])
    np.testing.assert_array_equal(read((0, (2, 2), (1, 2)))[0], [[0, 2], [1, 3]])
    np.testing.assert_array_equal(read((3, (), ()))[0], 3)
    for arguments in (
        (1, (4,), (1,)),
        (0, (2, 3), (2, 1)),
        (4, (), ()),
        (0, (10**9, 10**9), (0, 0)),
        (0, (10**30,), (0,)),
    ):
        with pytest.raises(ValueError, match="beyond the end"):
            read(arguments)
    for arguments in ((-1, (2,), (1,)), (3, (2,), (-1,)), (0, (-2,), (1,)), (0, (2, 2), (1,))):
        with pytest.raises(ValueError, match="impossible shape"):
            read(arguments)
    with pytest.raises(ValueError, match="another size"):
        read((0, (2,), (1,)), storage=data[:8])
    for settings in ({"size": -1}, {"size": 10**12}, {"number": "collections\nOrderedDict"}):
        with pytest.raises(pickle.UnpicklingError, match="unknown kind"):
            read((0, (2,), (1,)), **settings)


DAMAGED = {
    "empty": b"",
    "a web page": b"<!DOCTYPE html>",
    "zeros": bytes(1000),
    "a number": pickle.dumps(3),
    "big-endian": legacy({"little_endian": False}),
    "no storage": legacy({"little_endian": True}, {}, ["1"]),
    "short storage": legacy({"little_endian": True}) + raw((0, (2,), (1,))) + pickle.dumps(["0"]) + b"\4\0\0\0\0\0\0\0",
    "a memo of 2^31 entries": b"\x80\x02}r\xff\xff\xff\x7f.",
    "an empty archive": archive({}),
    "an archive of numbers": archive({"data.pkl": pickle.dumps({"x": 1})}),
    "a compressed archive": archive({"data.pkl": bytes(10**6)}, compression=zipfile.ZIP_DEFLATED),
    "a big-endian archive": archive({"byteorder": "big", "data.pkl": pickle.dumps({})}),
}


@pytest.mark.parametrize(
    "data", DAMAGED.values(), ids=DAMAGED
)  # with names, because the bytes of an archive contain the time
def test_damaged_files_give_one_line(tmp_path, data):
    path = tmp_path / "damaged.pth"
    path.write_bytes(data)
    message = refusal(path)
    assert "does not hold the Inception weights: " in message
    assert "toshas/torch-fidelity" in message


def test_the_error_for_a_missing_or_wrong_file_names_the_source(tmp_path):
    path = tmp_path / "weights.pth"
    assert "there are no Inception weights" in refusal(path)
    assert "release v0.2.0 of toshas/torch-fidelity on GitHub" in refusal(path)
    assert "cannot be read" in refusal(tmp_path)
    path.write_bytes(b"another file")
    message = refusal(path, inception_weights.SHA256)
    assert "SHA-256 100ef6a7... instead of 6726825d..., in 12 bytes" in message
    assert message == refusal(path, "6726825d")
    assert inception.NAME.endswith(inception_weights.SHA256[:8])
