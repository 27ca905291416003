"""A data set that TFDS has prepared is read with TFDS: images, labels, splits."""

import numpy as np
import pytest

from gan_jax.data import sources, tfds_source

pytestmark = pytest.mark.filterwarnings("ignore")


def test_a_prepared_copy_is_found_and_read(tmp_path):
    tfds = pytest.importorskip("tensorflow_datasets")
    rng = np.random.default_rng(0)
    splits = {name: rng.integers(0, 256, (size, 28, 28, 1), np.uint8) for name, size in (("train", 20), ("test", 10))}

    with tfds.core.registered.skip_registration():

        class Mnist(tfds.core.GeneratorBasedBuilder):
            """TFDS's MNIST, with the images of this test."""

            VERSION = tfds.core.Version("3.0.1")

            def _info(self):
                features = {
                    "image": tfds.features.Image(shape=(28, 28, 1)),
                    "label": tfds.features.ClassLabel(num_classes=10),
                }
                return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

            def _split_generators(self, dl_manager):
                return {name: self._generate_examples(images) for name, images in splits.items()}

            def _generate_examples(self, images):
                yield from ((i, {"image": image, "label": i % 10}) for i, image in enumerate(images))

    folder = tmp_path / "tfds"
    Mnist(data_dir=folder).download_and_prepare()
    assert tfds_source.prepared_folder("mnist", tmp_path) == folder
    data = sources.load("mnist", data_dir=str(tmp_path))
    assert data.source.kind == "TFDS copy"
    assert data.train.images.shape == (20, 28, 28, 1)
    labels_by_image = {image.tobytes(): label for image, label in zip(*data.train, strict=True)}
    assert labels_by_image == {image.tobytes(): i % 10 for i, image in enumerate(splits["train"])}
