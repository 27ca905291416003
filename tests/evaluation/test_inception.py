"""The FID Inception network against torch-fidelity's, with random weights."""

import contextlib
import functools
import importlib.util
import sys
import types

import jax
import numpy as np
import pytest

from gan_jax.evaluation import inception
from gan_jax.evaluation.inception import InceptionFeatures, probabilities
from gan_jax.evaluation.inception_resize import resize_bilinear
from gan_jax.evaluation.inception_weights import to_variables
from gan_jax.evaluation.metrics.inception_score import classifier_score
from tests import golden

SHAPES = [(299, 299, 3), (32, 32, 3), (28, 28, 1), (300, 200, 3)]
# Results of torch-fidelity 0.4.0 for `tensors` and `images`: five features, three logits without bias, one with bias,
# and the mean of the features.
GOLDEN = {
    (299, 299, 3): [3.6352, 1.0973, 1.9464, 17.2117, 0.0000, 4.8096, 17.3010, 18.8954, 5.6430, 14.1316],
    (32, 32, 3): [2.3688, 0.2280, 1.3412, 12.6017, 0.0000, 6.3092, 14.4539, 11.9965, 7.1426, 9.9631],
    (28, 28, 1): [2.0565, 0.2119, 1.0639, 12.0297, 0.0000, 6.2818, 13.5939, 10.4579, 7.1151, 9.2937],
    (300, 200, 3): [2.8258, 0.4940, 1.5315, 14.2705, 0.0000, 5.5024, 14.8160, 13.7163, 6.3357, 11.3464],
}


@pytest.fixture(scope="module")
def network(tensors):
    return InceptionFeatures(jax.device_put(to_variables(tensors)))


@pytest.fixture(scope="module")
def run_network(network):
    """shape -> (features, logits) of its image, computed once per shape. The batch size is fixed: one compilation."""
    return functools.cache(lambda shape: network(images(shape), batch_size=2))


@contextlib.contextmanager
def fidelity_modules():
    """Two modules of torch-fidelity, imported without its package, which needs torchvision; ImportError without it."""
    spec = importlib.util.find_spec("torch_fidelity")
    if spec is None:
        raise ImportError("torch-fidelity is not installed")
    package = types.ModuleType("torch_fidelity")
    package.__path__ = list(spec.submodule_search_locations)
    package.__spec__ = spec
    before = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == "torch_fidelity"}
    sys.modules["torch_fidelity"] = package
    names = ("feature_extractor_inceptionv3", "interpolate_compat_tensorflow")
    yield [importlib.import_module(f"torch_fidelity.{name}") for name in names]
    for name in [name for name in sys.modules if name.split(".")[0] == "torch_fidelity"]:
        del sys.modules[name]
    sys.modules.update(before)


@pytest.fixture(scope="module")
def fidelity(torch):
    try:
        with fidelity_modules() as modules:
            yield modules
    except ImportError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def original(fidelity, torch, tensors, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "random.pth"
    torch.save({name: torch.from_numpy(array) for name, array in tensors.items()}, path)
    output_names = ["2048", "logits_unbiased", "logits"]
    return fidelity[0].FeatureExtractorInceptionV3("random", output_names, feature_extractor_weights_path=str(path))


def images(shape, number=1):
    return np.random.RandomState(1).randint(0, 256, (number, *shape)).astype(np.uint8)


def to_torch(torch, array):
    rgb = np.broadcast_to(array, (*array.shape[:3], 3))
    return torch.from_numpy(np.array(rgb.transpose(0, 3, 1, 2), order="C"))


def test_has_the_parameters_of_the_original():
    counts = {name: sum(leaf.size for leaf in jax.tree.leaves(part)) for name, part in inception.template().items()}
    assert counts == {"params": 23_850_960, "batch_stats": 34_432}


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equals_stored_results_of_torch_fidelity(run_network, tensors, shape):
    features, logits = run_network(shape)
    numbers = [*features[0, ::500], *logits[0, :3], logits[0, 0] + tensors["fc.bias"][0], features.mean()]
    np.testing.assert_allclose(numbers, GOLDEN[shape], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equals_torch_fidelity(run_network, original, tensors, torch, shape):
    features, logits = run_network(shape)
    expected = original(to_torch(torch, images(shape)))
    for actual, torch_output in zip((features, logits, logits + tensors["fc.bias"]), expected, strict=True):
        assert actual.shape == torch_output.shape
        assert actual.dtype == np.float32
        assert np.abs(actual - torch_output.numpy()).max() < 1e-5 * np.abs(actual).max()


@pytest.mark.parametrize("shape", [*SHAPES, (1, 1, 3), (64, 333, 3)], ids=str)
def test_resizing_equals_torch_fidelity(fidelity, torch, shape):
    resize = fidelity[1].interpolate_bilinear_2d_like_tensorflow1x
    expected = resize(to_torch(torch, images(shape)).float(), size=(299, 299), align_corners=False).numpy()
    actual = np.broadcast_to(resize_bilinear(images(shape), 299, 299), (1, 299, 299, 3))
    np.testing.assert_array_equal(actual, expected.transpose(0, 2, 3, 1))
    compiled = jax.jit(resize_bilinear, static_argnums=(1, 2))(images(shape), 299, 299)
    np.testing.assert_allclose(compiled, actual[..., : shape[-1]], atol=1e-5 * 255)


def torch_resized(torch, shape):
    """Every 23rd row and column of the resized image [1, 3, 299, 299], and the last ones."""
    with fidelity_modules() as (_, module):
        resize = module.interpolate_bilinear_2d_like_tensorflow1x
        image = resize(to_torch(torch, images(shape)).float(), size=(299, 299), align_corners=False)
    return image[:, :, ::23, ::23], image[:, :, -1, -1]


@pytest.mark.parametrize("shape", [*SHAPES, (1, 1, 3), (64, 333, 3)], ids=str)
def test_resizing_equals_stored_pixels_of_torch_fidelity(shape):
    case = "x".join(map(str, shape))
    pixels, last = golden.numbers("torch", "resize", case, functools.partial(torch_resized, shape=shape), atol=1e-3)
    actual = np.broadcast_to(resize_bilinear(images(shape), 299, 299), (1, 299, 299, 3)).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(actual[:, :, ::23, ::23], pixels, atol=1e-3)
    np.testing.assert_allclose(actual[:, :, -1, -1], last, atol=1e-3)


def test_resizing_by_hand():
    """Two pixels at the positions 0, 0.5, 1 and 1.5, of which 1.5 is beyond the last pixel; shrinking drops pixels."""
    pixels = np.uint8([[[[0], [10]]]])
    np.testing.assert_array_equal(resize_bilinear(pixels, 1, 4)[0, 0, :, 0], [0, 5, 10, 10])
    np.testing.assert_array_equal(resize_bilinear(pixels.transpose(0, 2, 1, 3), 4, 1)[0, :, 0, 0], [0, 5, 10, 10])
    np.testing.assert_array_equal(resize_bilinear(np.uint8([[[[1], [2], [3], [4]]]]), 1, 2)[0, 0, :, 0], [1, 3])


def test_batches_and_grayscale_do_not_change_the_result(network, tensors):
    gray = images((8, 8, 1), number=3)
    features, logits = network(gray, batch_size=2)
    assert features.shape == (3, inception.NUM_FEATURES)
    assert logits.shape == (3, inception.NUM_LOGITS)
    assert features.min() >= 0
    colour, biased = network._replace(with_bias=True)(np.repeat(gray[1:2], 3, axis=3), batch_size=2)
    np.testing.assert_allclose(features[1:2], colour, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(logits[1:2] + tensors["fc.bias"], biased, rtol=1e-5, atol=1e-4)
    assert 1 <= classifier_score(probabilities(logits), num_splits=1).mean <= 3


@pytest.mark.parametrize("wrong", [np.zeros((2, 8, 8, 3)), images((8, 8, 2)), images((8, 8)), images((8, 8, 3))[:0]])
def test_wrong_images_are_refused(wrong):
    with pytest.raises(ValueError, match="expected uint8 images"):
        InceptionFeatures({})(wrong)


def test_probabilities():
    actual = probabilities(np.float32([[0, np.log(3)], [1000, 0]]))
    np.testing.assert_allclose(actual, [[0.25, 0.75], [1, 0]], rtol=1e-6)
