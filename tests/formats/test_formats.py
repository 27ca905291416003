"""StableHLO, safetensors, the model card and the command."""

import json
import struct
import subprocess
import sys

import jax
import ml_dtypes
import numpy as np
import pytest

import gan_jax
from gan_jax import evaluate, export
from gan_jax.formats import model_card, safetensors, stablehlo
from gan_jax.system.errors import UserError
from tests.formats.generators import generator
from tests.tiny import run

WITHOUT_THIS_CODE = """
import sys
sys.modules["gan_jax"] = sys.modules["flax"] = None
import jax, numpy as np
exported = jax.export.deserialize(open(sys.argv[1], "rb").read())
for size in (1, 6):
    z = np.random.default_rng(size).normal(size=(size, exported.in_avals[0].shape[1])).astype(np.float32)
    labels = np.arange(size, dtype=np.int32) % 3
    np.save(f"{sys.argv[2]}/{size}.npy", exported.call(*[z, labels][: int(sys.argv[3])]))
"""


@pytest.mark.thorough
@pytest.mark.parametrize("spec", ["cgan", "cdcgan", "dcgan:upsample", "sngan"])
def test_stablehlo_runs_without_this_code(spec, tmp_path):
    exported = generator(spec, (16, 16, 3))
    stablehlo.write(exported, tmp_path / "a.stablehlo")
    number = str(1 + exported.takes_labels)
    command = [sys.executable, "-c", WITHOUT_THIS_CODE, str(tmp_path / "a.stablehlo"), str(tmp_path), number]
    subprocess.run(command, check=True, cwd=tmp_path)
    for size in (1, 6):
        z = np.random.default_rng(size).normal(size=(size, exported.run.config.prior.features)).astype(np.float32)
        inputs = [z, np.arange(size, dtype=np.int32) % 3][: int(number)]
        expected = np.asarray(jax.jit(exported.function())(*inputs))
        assert expected.std() > 0.002  # Otherwise equality would mean little.
        np.testing.assert_allclose(np.load(tmp_path / f"{size}.npy"), expected, atol=1e-4)


def test_the_bytes_of_a_safetensors_file(tmp_path):
    """As the format says: the length of the header, the header, the arrays in its order."""
    arrays = {"b": np.arange(3, dtype=np.int32), "a": np.ones((2, 1), ml_dtypes.bfloat16)}
    safetensors.write_arrays(tmp_path / "a.safetensors", arrays, {"key": "value"})
    data = (tmp_path / "a.safetensors").read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    assert size % 8 == 0
    assert json.loads(data[8 : 8 + size]) == {
        "__metadata__": {"key": "value"},
        "a": {"dtype": "BF16", "shape": [2, 1], "data_offsets": [0, 4]},
        "b": {"dtype": "I32", "shape": [3], "data_offsets": [4, 16]},
    }
    assert data[8 + size :] == bytes.fromhex("803f803f 00000000 01000000 02000000")
    read, metadata = safetensors.read_arrays(tmp_path / "a.safetensors")
    assert metadata == {"key": "value"}
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array)
        assert read[name].dtype == array.dtype


def test_the_safetensors_library_reads_it(tmp_path):
    library = pytest.importorskip("safetensors.numpy")
    exported = generator("cdcgan")
    safetensors.write(exported, tmp_path / "a.safetensors")
    arrays = library.load_file(tmp_path / "a.safetensors")
    ours, _ = safetensors.read_arrays(tmp_path / "a.safetensors")
    assert arrays.keys() == ours.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, ours[name])


@pytest.mark.parametrize("spec", ["cgan", "cdcgan", "sngan"])
@pytest.mark.parametrize("is_ema", [True, False])
def test_a_safetensors_file_is_loaded_as_a_run(spec, is_ema, tmp_path):
    exported = generator(spec, (16, 16, 3), is_ema=is_ema)
    safetensors.write(exported, tmp_path / "a.safetensors")
    loaded = gan_jax.load(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(loaded.sample(6, seed=2), exported.run.generate(np.arange(6) % 3, 2, raw=not is_ema))
    images = np.zeros((2, 16, 16, 3), np.uint8)
    labels = np.array([0, 2])
    state = exported.run.state if is_ema else exported.run.state.without_ema()
    expected = exported.run.gan.discriminate(state, images / np.float32(127.5) - 1, labels)
    np.testing.assert_allclose(loaded.discriminate(images, labels).logits, expected.logits, rtol=1e-3, atol=1e-4)
    assert (loaded.step, loaded.class_names) == (7, ("cat", "dog", "other"))
    assert loaded._repr_png_() is None
    for method in (loaded.metrics, loaded.evaluate):
        with pytest.raises(UserError, match="a.safetensors is one file, which has no"):
            method()


def test_a_damaged_or_foreign_file_is_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    safetensors.write(generator("cgan", (9, 9, 1)), path)
    data = path.read_bytes()
    for damaged, message in ((data[:1000], "is damaged, or no safetensors file"), (data[:-4], "is damaged")):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=message):
            gan_jax.load(path)
    safetensors.write_arrays(path, {"a": np.zeros(2, np.float32)}, {})
    with pytest.raises(UserError, match="was not written by gan-jax export"):
        gan_jax.load(path)
    exported = generator("cgan", (9, 9, 1))
    safetensors.write_arrays(path, {"a": np.zeros(2, np.float32)}, exported.metadata())
    with pytest.raises(UserError, match="does not fit this version of the code: a"):
        gan_jax.load(path)


def test_the_model_card_of_a_run(finished_run, tmp_path, capsys):
    workdir, config = finished_run
    assert run(export, "--workdir", workdir, "--output", tmp_path / "new" / "a.safetensors") == 0
    out = capsys.readouterr().out
    assert "gan_jax.load('a.safetensors')" in out
    page = (tmp_path / "new" / "a.md").read_text()
    for text in ("9 x 9 pixels and 1 channel", "EMA generator of step 7", "12 training images, 6 test images"):
        assert text in page
    assert "has not been scored" in page
    assert f"objective `{config.objective}`, seed {config.seed}".capitalize() in page
    assert str(config.data.dir) not in page
    assert run(evaluate, "--workdir", workdir, "--features", "pixels", "--num_images", 30) == 0
    assert run(evaluate, "--workdir", workdir, "--features", "pixels", "--num_images", 20) == 0
    result = json.loads((workdir / "evaluation-30_images-pixels.json").read_text())
    assert run(export, "--workdir", workdir, "--output", tmp_path / "a.safetensors") == 0
    page = (tmp_path / "a.md").read_text()
    assert f"{result['frechet_distance']:.2f}" in page
    assert "held-out real* is the floor" in page
    assert "30 generated against 6 test images" in page
    _, metadata = safetensors.read_arrays(tmp_path / "a.safetensors")
    assert json.loads(metadata["scores"]) == result
    assert run(export, "--workdir", workdir, "--output", tmp_path / "raw.safetensors", "--generator", "raw") == 0
    assert "has not been scored" in model_card.path_of(tmp_path / "raw.safetensors").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--output", "a.pt"), "--output=a.pt: end the name in .onnx, .stablehlo, .safetensors"),
        (("--output", "a.onnx", "--checkpoint", "best"), "has no best state"),
    ],
)
def test_mistakes_get_one_line(finished_run, arguments, message, capsys):
    assert run(export, "--workdir", finished_run[0], *arguments) == 2
    line = capsys.readouterr().err
    assert message in line
    assert line.count("\n") == 1


def test_without_onnx_a_line_names_the_extra(finished_run, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert run(export, "--workdir", finished_run[0], "--output", tmp_path / "a.onnx") == 2
    assert "--output NAME.onnx needs onnx: pip install" in capsys.readouterr().err
