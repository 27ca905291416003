"""The published Inception weights: the file, its sha256, and where it is to be had."""

import pathlib
from typing import Any

import numpy as np

from gan_jax.evaluation import published_weights
from gan_jax.evaluation.inception import template
from gan_jax.evaluation.published_weights import Published

# Of both weights-inception-2015-12-05-6726825d.pth (torch-fidelity) and pt_inception-2015-12-05-6726825d.pth
# (pytorch-fid): the same 95 628 359 bytes.
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
SOURCE = (
    "weights-inception-2015-12-05-6726825d.pth from release v0.2.0 of toshas/torch-fidelity on GitHub "
    "(or pt_inception-2015-12-05-6726825d.pth from release fid_weights of mseitzer/pytorch-fid)"
)
PUBLISHED = Published("Inception weights", SHA256, f"download {SOURCE}", template)


def load_variables(path: str | pathlib.Path, *, expected_prefix: str = SHA256) -> Any:
    """Flax variables of `inception.InceptionV3` from a .pth file whose SHA-256 starts with `expected_prefix`.

    An empty prefix accepts any file. DataUnavailable if the file is missing, damaged, or another file.
    """
    return published_weights.load(path, PUBLISHED, expected_prefix)


def to_variables(tensors: dict[str, np.ndarray]) -> Any:
    """Converts tensors from PyTorch's names and layouts to flax variables; ValueError for those of another network."""
    return published_weights.to_variables(tensors, template())
