"""ONNX files draw our images, for every network family and for every layer that a generator can have."""

import json

import jax
import numpy as np
import pytest

import gan_jax
from gan_jax.formats import onnx as onnx_format
from gan_jax.formats import onnx_operations
from gan_jax.system.errors import UserError
from tests.formats.generators import generator

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

FAMILIES = [
    ("cgan", (9, 9, 1), {}),
    ("cgan", (9, 9, 3), {"generator.norm": "batch", "generator.activation": "prelu"}),
    ("cdcgan", (16, 16, 1), {}),
    ("dcgan:upsample", (16, 16, 3), {"generator.ema_decay": 0.9}),
    ("sngan", (16, 16, 3), {}),
    ("r3gan", (16, 16, 3), {}),
    ("stylegan2", (16, 16, 3), {}),
]
LAYERS = [
    *({"generator.norm": name} for name in ("layer", "instance", "group", "none")),
    *({"generator.norm": name} for name in ("virtual_batch", "conditional_batch")),
    *({"generator.conditioning": name} for name in ("one_hot", "multiply", "none")),
    *({"generator.kernel_norm": name} for name in ("spectral", "weight")),
    *({"generator.activation": name} for name in ("gelu", "elu", "mish", "softplus", "hard_swish", "leaky_relu")),
    {"generator.layers_per_width": 2, "generator.kernel_size": 3},
    {"generator.kernel_size": 5, "generator.norm_groups": 2, "generator.norm": "group"},
    {"generator.output": "sigmoid", "generator.condition_smoothing": 0.2, "generator.conditioning": "one_hot"},
    {"generator.dropout": 0.3, "generator.noise": 0.2},
    {"dtype": "bfloat16"},
    {"generator.norm": "self_modulated", "generator.norm_embedding": 4},
    {"generator.norm": "shared_conditional_batch", "generator.norm_z": "chunks", "prior.features": 9},
    {"generator.attention_sides": (4, 8), "generator.kernel_norm": "spectral"},
]


def draw(path, inputs):
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    return session.run(["images"], dict(zip(names, inputs, strict=True)))[0]


def assert_equal_images(exported, path, tolerance=1e-4):
    function = jax.jit(exported.function())
    for size in (1, 2, 7):
        z = np.random.default_rng(size).normal(size=(size, exported.run.config.prior.features)).astype(np.float32)
        inputs = [z, np.arange(size, dtype=np.int32) % 3][: 2 if exported.takes_labels else 1]
        images = np.asarray(function(*inputs))
        assert images.std() > 20 * tolerance  # Otherwise equality would mean little.
        np.testing.assert_allclose(draw(path, inputs), images, atol=tolerance)


@pytest.mark.parametrize(("spec", "shape", "changes"), FAMILIES)
def test_every_family(spec, shape, changes, tmp_path):
    exported = generator(spec, shape, **changes)
    onnx_format.write(exported, tmp_path / "a.onnx")
    assert_equal_images(exported, tmp_path / "a.onnx")


@pytest.mark.thorough
@pytest.mark.parametrize("changes", LAYERS, ids=str)
def test_every_layer(changes, tmp_path):
    changes = {"generator.norm_groups": 2} | changes
    exported = generator("cdcgan", **changes)
    onnx_format.write(exported, tmp_path / "a.onnx")
    assert_equal_images(exported, tmp_path / "a.onnx")


def test_the_images_are_those_of_the_run(tmp_path):
    """Ours are computed with other convolutions than the exported ones; the labels change the images."""
    exported = generator("cdcgan")
    onnx_format.write(exported, tmp_path / "a.onnx")
    run = exported.run
    z = np.asarray(run.gan.prior(jax.random.key(3), 3))
    images = [draw(tmp_path / "a.onnx", [z, np.full(3, label, np.int32)]) for label in range(3)]
    for label in range(3):
        ours = run.gan.generate(run.state, jax.random.key(0), z, np.full(3, label, np.int32))
        np.testing.assert_allclose(images[label], ours, atol=1e-4)
    assert np.abs(images[0] - images[1]).max() > 0.01
    raw = generator("cdcgan", is_ema=False)
    onnx_format.write(raw, tmp_path / "raw.onnx")
    assert np.abs(draw(tmp_path / "raw.onnx", [z, np.zeros(3, np.int32)]) - images[0]).max() > 0.01


def test_the_file_says_what_it_is(tmp_path):
    line = onnx_format.write(generator("cdcgan"), tmp_path / "a.onnx")
    assert line.startswith("inputs z, labels; equal to our images up to ")
    model = onnx.load(str(tmp_path / "a.onnx"))
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(metadata["classes"]) == ["cat", "dog", "other"]
    assert json.loads(metadata["config"])["objective"] == "bce_logits"
    assert metadata["step"] == "7"
    assert "/a/folder" not in str(metadata)
    batch = model.graph.input[0].type.tensor_type.shape.dim[0]
    assert (batch.dim_param, batch.dim_value) == ("batch", 0)
    # What does not depend on z and the labels is computed beforehand: one kernel remains of spectral norm.
    onnx_format.write(generator("cdcgan", **{"generator.kernel_norm": "spectral"}), tmp_path / "b.onnx")
    operators = [[node.op_type for node in onnx.load(str(tmp_path / name)).graph.node] for name in ("a.onnx", "b.onnx")]
    assert operators[0] == operators[1]


def test_an_operation_without_a_translation_is_named(tmp_path):
    gan_jax.register_activation("my_gamma", lambda x: jax.lax.lgamma(1 + x * x))
    try:
        exported = generator("cgan", (9, 9, 1), **{"generator.activation": "my_gamma"})
        with pytest.raises(UserError, match="has the operation 'lgamma'; --output NAME.stablehlo exports every"):
            onnx_format.write(exported, tmp_path / "a.onnx")
    finally:
        gan_jax.unregister("activation", "my_gamma")
    assert not list(tmp_path.iterdir())


def test_a_wrong_translation_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setitem(onnx_operations._ELEMENTWISE, "tanh", "Sigmoid")
    with pytest.raises(UserError, match="onnxruntime draws other images"):
        onnx_format.write(generator("cgan", (9, 9, 1)), tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())
