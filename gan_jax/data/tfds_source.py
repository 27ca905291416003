"""Data sets of TensorFlow Datasets (TFDS): finds prepared copies, downloads, reads.

TensorFlow is imported only to prepare a set, or to read a set that is not prepared as array_record.
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
    """The TFDS data_dir with a prepared copy of `name`, or None."""
    candidates = [data_dir / "tfds", os.environ.get("TFDS_DATA_DIR"), "~/tensorflow_datasets"]
    for folder in (pathlib.Path(candidate).expanduser() for candidate in candidates if candidate):
        if any((folder / name).glob("*/dataset_info.json")):
            return folder
    return None


def _download_url(name: str) -> str | None:
    """A URL that preparing the set downloads, from the files of the TFDS package (not imported); None if unknown."""
    spec = importlib.util.find_spec("tensorflow_datasets")
    if spec is None or not spec.submodule_search_locations:
        raise DataUnavailable("tensorflow-datasets is not installed; install requirements.txt")
    root, base = pathlib.Path(spec.submodule_search_locations[0]), name.split("/")[0]
    for path in (root / "url_checksums" / f"{base}.txt", root / "datasets" / base / "checksums.tsv"):
        if path.is_file():
            fields = path.read_text().split()
            return fields[0] if fields else None
    return None


def can_download(name: str) -> bool:
    """Whether the server of the set's first file answers within 4 seconds; True if the URL is unknown."""
    url, answers = _download_url(name), []

    def probe():
        try:
            urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=_PROBE_SECONDS).close()
        except urllib.error.HTTPError:
            pass  # The server answered; it may not support HEAD.
        except (OSError, ValueError):
            return
        answers.append(True)

    if url is None:
        return True
    # Name resolution has no time-out, so a thread with a limited wait replaces it.
    thread = threading.Thread(target=probe, daemon=True)
    thread.start()
    thread.join(_PROBE_SECONDS)
    return bool(answers)


def read(
    name: str, folder: pathlib.Path, *, download: bool, most_bytes: float = math.inf
) -> tuple[Split, Split] | tuple[Files, Files]:
    """(train, test) of a set that is prepared in `folder`; with `download`, it is downloaded and prepared first.

    Returns Files if the set is prepared as array_record (a download is, if the package array_record is installed),
    otherwise arrays. UserError with the command for the conversion if the arrays are larger than `most_bytes`.
    DataUnavailable for every error of TFDS.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow_datasets as tfds

    tfds.core.utils.gcs_utils._is_gcs_disabled = True  # noqa: SLF001 - an unreachable mirror costs minutes
    try:
        builder = tfds.builder(name, data_dir=folder)
        if download:
            has_array_record = importlib.util.find_spec("array_record")
            builder.download_and_prepare(file_format="array_record" if has_array_record else None)
        split_names = _split_names(name, builder.info)
        if _ARRAY_RECORD in {file_format.value for file_format in builder.info.available_file_formats()}:
            return tuple(_files(builder, split) for split in split_names)
        _check_size(name, builder, split_names, most_bytes)
        splits = [tfds.as_numpy(builder.as_dataset(split=split, batch_size=-1)) for split in split_names]
    except UserError:
        raise
    except Exception as error:  # TFDS raises many classes of errors, also those of TensorFlow.
        reason = str(error).strip().splitlines()
        raise DataUnavailable(
            f"TFDS could not give '{name}': {reason[0] if reason else type(error).__name__}"
        ) from error
    axes = (0, 2, 1, 3) if _is_transposed(name) else (0, 1, 2, 3)
    return tuple(Split(s["image"].transpose(axes).astype(np.uint8), s["label"].astype(np.int32)) for s in splits)


def _split_names(name: str, info) -> tuple[str, str]:
    """The names of the training and the test split. ImageNet's test images have no labels: its validation split."""
    test = "test" if "test" in info.splits and not name.startswith("imagenet2012") else "validation"
    if not {"image", "label"} <= set(info.features) or not {"train", test} <= set(info.splits):
        raise DataUnavailable(f"TFDS set '{name}' is not an image classification set with train and test splits")
    return "train", test


def _is_transposed(name: str) -> bool:
    """Whether images are stored with height and width exchanged, as EMNIST's are."""
    return name.startswith("emnist")


def _files(builder, split: str) -> Files:
    """The array_record files of a split, from the description of the set; the files are not read."""
    import tensorflow_datasets as tfds

    image, info = builder.info.features["image"], builder.info
    encoded = isinstance(image, tfds.features.Image)
    # Only the JSON description shows whether a tensor is encoded as bytes.
    if np.dtype(image.np_dtype) != np.uint8 or not (encoded or image.to_json_content().encoding == "bytes"):
        raise DataUnavailable(f"TFDS set '{info.name}' has no images of 8 bits: PNG, JPEG, or tensors encoded as bytes")
    info.set_file_format(_ARRAY_RECORD, override=True, override_if_initialized=True)
    instructions = info.splits[split].file_instructions
    files = tuple((str(instruction.filename), instruction.take) for instruction in instructions)
    return Files(files, tuple(image.shape), encoded, _is_transposed(info.name))


def _check_size(name: str, builder, splits: tuple[str, str], most_bytes: float) -> None:
    """UserError if a set that cannot be streamed is larger than `most_bytes`."""
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
    """The names of all TFDS sets, without importing TFDS; to suggest similar names."""
    spec = importlib.util.find_spec("tensorflow_datasets")
    if spec is None or not spec.submodule_search_locations:
        return []
    root = pathlib.Path(spec.submodule_search_locations[0])
    folders = (path.name for path in (root / "datasets").glob("*") if path.is_dir())
    return sorted({*folders, *(path.stem for path in (root / "url_checksums").glob("*.txt"))})
