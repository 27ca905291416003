"""Sets of TensorFlow Datasets: prepared copies, and whether a download can work at all.

TensorFlow is imported only to prepare a set, or to read one that is not prepared as array_record.
"""

import importlib.util
import math
import os
import pathlib
import threading
import urllib.error
import urllib.request

import numpy as np

from gan_jax.data.dataset import Split
from gan_jax.data.stored import Files
from gan_jax.system.errors import DataUnavailable, UserError

_PROBE_SECONDS = 4.0
_ARRAY_RECORD = "array_record"


def prepared_folder(name: str, data_dir: pathlib.Path) -> pathlib.Path | None:
    """The TFDS data_dir that already holds `name` prepared, or None."""
    places = [data_dir / "tfds", os.environ.get("TFDS_DATA_DIR"), "~/tensorflow_datasets"]
    for place in (pathlib.Path(place).expanduser() for place in places if place):
        if any((place / name).glob("*/dataset_info.json")):
            return place
    return None


def _download_url(name: str) -> str | None:
    """An address that preparing the set downloads, read from the TFDS package without importing it."""
    spec = importlib.util.find_spec("tensorflow_datasets")
    if spec is None or not spec.submodule_search_locations:
        raise DataUnavailable("tensorflow-datasets is not installed; install requirements.txt")
    root, base = pathlib.Path(spec.submodule_search_locations[0]), name.split("/")[0]
    for path in (root / "url_checksums" / f"{base}.txt", root / "datasets" / base / "checksums.tsv"):
        if path.is_file():
            words = path.read_text().split()
            return words[0] if words else None
    return None


def can_download(name: str) -> bool:
    """Whether the set's first file answers, known within 4 seconds. True where its address is not known."""
    url, answers = _download_url(name), []

    def probe():
        try:
            urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=_PROBE_SECONDS).close()
        except urllib.error.HTTPError:
            pass  # The server answered; it may only dislike HEAD.
        except (OSError, ValueError):
            return
        answers.append(True)

    if url is None:
        return True
    # Name resolution has no time-out of its own, so the wait is bounded from outside.
    thread = threading.Thread(target=probe, daemon=True)
    thread.start()
    thread.join(_PROBE_SECONDS)
    return bool(answers)


def read(
    name: str, folder: pathlib.Path, *, download: bool, most_bytes: float = math.inf
) -> tuple[Split, Split] | tuple[Files, Files]:
    """(train, test) of a set prepared in `folder`, downloaded and prepared first if `download`.

    Files where it is prepared as array_record, as a download is where that package is installed; otherwise arrays, of
    `most_bytes` at most: more is a UserError that says how to convert the set.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow_datasets as tfds

    tfds.core.utils.gcs_utils._is_gcs_disabled = True  # noqa: SLF001 - the mirror's absence costs minutes otherwise
    try:
        builder = tfds.builder(name, data_dir=folder)
        if download:
            known = importlib.util.find_spec("array_record")
            builder.download_and_prepare(file_format="array_record" if known else None)
        parts = _splits(name, builder.info)
        if _ARRAY_RECORD in {file_format.value for file_format in builder.info.available_file_formats()}:
            return tuple(_files(builder, split) for split in parts)
        _check_size(name, builder, parts, most_bytes)
        splits = [tfds.as_numpy(builder.as_dataset(split=split, batch_size=-1)) for split in parts]
    except UserError:
        raise
    except Exception as error:  # TFDS raises its own and TensorFlow's errors, of many classes.
        reason = str(error).strip().splitlines()
        raise DataUnavailable(
            f"TFDS could not give '{name}': {reason[0] if reason else type(error).__name__}"
        ) from error
    axes = (0, 2, 1, 3) if _is_transposed(name) else (0, 1, 2, 3)
    return tuple(Split(s["image"].transpose(axes).astype(np.uint8), s["label"].astype(np.int32)) for s in splits)


def _splits(name: str, info) -> tuple[str, str]:
    """The splits to train and to test on: of ImageNet, whose test images have no labels, train and validation."""
    test = "test" if "test" in info.splits and not name.startswith("imagenet2012") else "validation"
    if not {"image", "label"} <= set(info.features) or not {"train", test} <= set(info.splits):
        raise DataUnavailable(f"TFDS set '{name}' is not an image classification set with train and test splits")
    return "train", test


def _is_transposed(name: str) -> bool:
    """EMNIST is stored with the two axes of every image exchanged."""
    return name.startswith("emnist")


def _files(builder, split: str) -> Files:
    """Where a split's array_record files lie, of which only the description is read."""
    import tensorflow_datasets as tfds

    image, info = builder.info.features["image"], builder.info
    encoded = isinstance(image, tfds.features.Image)
    # A tensor of bytes says so in its JSON alone.
    if np.dtype(image.np_dtype) != np.uint8 or not (encoded or image.to_json_content().encoding == "bytes"):
        raise DataUnavailable(f"TFDS set '{info.name}' has no images of 8 bits: PNG, JPEG, or tensors encoded as bytes")
    info.set_file_format(_ARRAY_RECORD, override=True, override_if_initialized=True)
    instructions = info.splits[split].file_instructions
    files = tuple((str(each.filename), each.take) for each in instructions)
    return Files(files, tuple(image.shape), encoded, _is_transposed(info.name))


def _check_size(name: str, builder, splits: tuple[str, str], most_bytes: float) -> None:
    """UserError where a set that can only be read as a whole is larger than what may be in memory."""
    shape = builder.info.features["image"].shape
    number = sum(builder.info.splits[split].num_examples for split in splits)
    size = number * math.prod(side or 1 for side in shape)
    if size > most_bytes:
        raise UserError(
            f"'{name}' takes {size / 2**30:.3g} GiB of memory, more than data.resident_gib={most_bytes / 2**30:.3g}, "
            "and only array_record files can be streamed. Convert it once: python -m "
            f"tensorflow_datasets.scripts.cli.main convert_format --dataset_version_dir={builder.data_path} "
            "--out_file_format=array_record; or hold it in memory all the same: --config.data.stream=never"
        )


def names() -> list[str]:
    """Every set that TFDS names, without importing it: for near misses."""
    spec = importlib.util.find_spec("tensorflow_datasets")
    if spec is None or not spec.submodule_search_locations:
        return []
    root = pathlib.Path(spec.submodule_search_locations[0])
    folders = (path.name for path in (root / "datasets").glob("*") if path.is_dir())
    return sorted({*folders, *(path.stem for path in (root / "url_checksums").glob("*.txt"))})
