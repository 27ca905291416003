"""A data set of synthetic pictures for tests and measurements, prepared by TFDS like a downloaded data set."""

import pathlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

NAME = "imagenet_shaped"
NUM_CLASSES = 10
ENCODINGS = ("png", "jpeg", "raw")


def picture(index: int, side: int) -> np.ndarray:
    """uint8 [side, side, 3], always the same for an index: smooth colours on two scales and a little noise.

    As a JPEG or PNG file it is about as large as a photograph of this side. Noise alone would be several times as
    large.
    """
    rng, total = np.random.default_rng([index, side]), np.zeros((side, side, 3))
    for cells, weight in ((4, 0.6), (side // 4, 0.3)):
        coarse = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), np.uint8))
        total += weight * np.asarray(coarse.resize((side, side), Image.Resampling.BILINEAR), np.float64)
    return np.clip(total + rng.normal(12.0, 4.0, total.shape), 0, 255).astype(np.uint8)


def builder(sizes: dict[str, int], side: int = 128, encoding: str = "png") -> type:
    """A TFDS builder. sizes: split -> number of pictures; their classes are 0, 1, ... in turn."""
    import tensorflow_datasets as tfds

    if encoding == "raw":
        image = tfds.features.Tensor(shape=(side, side, 3), dtype=np.uint8, encoding="bytes")
    else:
        image = tfds.features.Image(shape=(side, side, 3), encoding_format=encoding)

    class Pictures(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        """Synthetic pictures."""

        VERSION = tfds.core.Version("1.0.0")

        def _info(self) -> tfds.core.DatasetInfo:
            features = {"image": image, "label": tfds.features.ClassLabel(num_classes=NUM_CLASSES)}
            return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

        def _split_generators(self, dl_manager) -> dict:
            starts = np.cumsum([0, *sizes.values()])
            return {split: self._generate_examples(starts[i], size) for i, (split, size) in enumerate(sizes.items())}

        def _generate_examples(self, start: int, size: int) -> Iterator:
            for index in range(size):
                yield index, {"image": picture(start + index, side), "label": index % NUM_CLASSES}

    Pictures.name = NAME
    return Pictures


def prepare(
    folder: pathlib.Path,
    sizes: dict[str, int],
    side: int = 128,
    encoding: str = "png",
    *,
    num_shards: int = 1,
    file_format: str = "array_record",
) -> None:
    """Prepares the set in `folder`, a TFDS data_dir."""
    import tensorflow_datasets as tfds

    config = tfds.download.DownloadConfig(num_shards=num_shards)
    pictures = builder(sizes, side, encoding)(data_dir=folder, file_format=file_format)
    pictures.download_and_prepare(download_config=config)
