"""Data sets of TensorFlow Datasets (TFDS): finds prepared copies, downloads, reads.

TensorFlow is imported only to prepare a set, or to read a set that is not prepared as array_record.
"""

import contextlib
import importlib.util
import math
import os
import pathlib
from collections.abc import Iterator
from types import ModuleType

import numpy as np

from gan_jax.data.dataset import Split
from gan_jax.data.splits import check_split
from gan_jax.data.stored import Files
from gan_jax.system import network
from gan_jax.system.errors import DataUnavailable, NotOnThisMachine, UserError
from gan_jax.system.extras import install
from gan_jax.system.files import disk_is_full

_ARRAY_RECORD = "array_record"


def has(folder: pathlib.Path, name: str) -> bool:
    """Whether a TFDS data_dir has a prepared copy of the set `name`. A preparation that was stopped is none."""
    versions = (path.parent.name for path in (folder / name).glob("*/dataset_info.json"))
    return any(not version.startswith("incomplete") for version in versions)


def prepared_folder(name: str, data_dir: pathlib.Path) -> pathlib.Path | None:
    """The TFDS data_dir with a prepared copy of `name`, or None."""
    candidates = [data_dir / "tfds", os.environ.get("TFDS_DATA_DIR"), "~/tensorflow_datasets"]
    for candidate in filter(None, candidates):
        folder = pathlib.Path(os.path.expanduser(candidate)).absolute()
        if has(folder, name):
            return folder
    return None


def _download_url(name: str) -> str | None:
    """A URL that preparing the set downloads, from the files of the TFDS package (not imported); None if unknown."""
    spec = importlib.util.find_spec("tensorflow_datasets")
    if spec is None or not spec.submodule_search_locations:
        raise NotOnThisMachine(f"tensorflow-datasets is not installed: {install('tfds')}")
    root, base = pathlib.Path(spec.submodule_search_locations[0]), name.split("/")[0]
    for path in (root / "url_checksums" / f"{base}.txt", root / "datasets" / base / "checksums.tsv"):
        if path.is_file():
            fields = path.read_text().split()
            return fields[0] if fields else None
    return None


def can_download(name: str) -> bool:
    """Whether the server of the set's first file answers within 4 seconds; True if the URL is unknown."""
    url = _download_url(name)
    return url is None or network.answers(url)


def _import() -> ModuleType:
    """The package. DataUnavailable if it is not installed."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise DataUnavailable(f"TFDS sets are read with tensorflow-datasets ({error}): {install('tfds')}") from None
    tfds.core.utils.gcs_utils._is_gcs_disabled = True  # noqa: SLF001 - an unreachable mirror costs minutes
    return tfds


@contextlib.contextmanager
def _errors(kind: type[DataUnavailable], what: str, remedy: str = "") -> Iterator[None]:
    """Inside `with`, every error of TFDS becomes one of this kind. Those of a user and of a full disk are kept."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # TFDS raises many classes of errors, also those of TensorFlow.
        if disk_is_full(error):
            raise
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise kind(f"{what}: {reason}{remedy}") from error


def download(name: str, folder: pathlib.Path) -> None:
    """Downloads a set and prepares it in `folder`, as array_record if that package is installed.

    NotOnThisMachine for every error of TFDS.
    """
    tfds = _import()
    with _errors(NotOnThisMachine, f"TFDS could not give '{name}'"):
        has_array_record = importlib.util.find_spec("array_record")
        builder = tfds.builder(name, data_dir=folder)
        builder.download_and_prepare(file_format="array_record" if has_array_record else None)


def read(name: str, folder: pathlib.Path, most_bytes: float = math.inf) -> tuple[Split, ...] | tuple[Files, ...]:
    """(train, test) of a set that is prepared in `folder`, or (train,) if it has no test split.

    Returns Files if the set is prepared as array_record, otherwise arrays. UserError with the command for the
    conversion if the arrays are larger than `most_bytes`. DataUnavailable if the set is damaged, or is no set for image
    classification.
    """
    tfds, what = _import(), f"TFDS set '{name}' in {folder}"
    with _errors(DataUnavailable, f"{what} cannot be read", f"; prepare it again, without {folder / name}"):
        builder = tfds.builder(name, data_dir=folder)
        split_names = _split_names(what, name, builder.info)
        if _ARRAY_RECORD in {file_format.value for file_format in builder.info.available_file_formats()}:
            return tuple(_files(what, builder, split) for split in split_names)
        _check_size(name, builder, split_names, most_bytes)
        arrays = [tfds.as_numpy(builder.as_dataset(split=split, batch_size=-1)) for split in split_names]
        splits = [check_split(Split(array["image"], array["label"]), what) for array in arrays]
    axes = (0, 2, 1, 3) if _is_transposed(name) else (0, 1, 2, 3)
    return tuple(split._replace(images=split.images.transpose(axes)) for split in splits)


def _split_names(what: str, name: str, info) -> tuple[str, ...]:
    """The names of the training split and, if there is one, of the test split.

    ImageNet's test images have no labels, so its validation images are used.
    """
    if missing := {"image", "label"} - set(info.features or ()):
        raise DataUnavailable(f"{what} has no feature '{min(missing)}', so it cannot be used; choose another set")
    if "train" not in info.splits:
        names = ", ".join(info.splits) or "none"
        raise DataUnavailable(f"{what} has no training split (its splits: {names}); choose another set")
    tests = [split for split in ("test", "validation") if split in info.splits]
    if name.startswith("imagenet2012"):
        tests = [split for split in tests if split == "validation"]
    names = ("train", *tests[:1])
    if empty := [split for split in names if not info.splits[split].num_examples]:
        raise DataUnavailable(f"{what} has no images in its split '{empty[0]}'; prepare it again")
    return names


def _is_transposed(name: str) -> bool:
    """Whether images are stored with height and width exchanged, as EMNIST's are."""
    return name.startswith("emnist")


def _files(what: str, builder, split: str) -> Files:
    """The array_record files of a split, from the description of the set; the files are not read."""
    import tensorflow_datasets as tfds

    image, info = builder.info.features["image"], builder.info
    encoded = isinstance(image, tfds.features.Image)
    # Only the JSON description shows whether a tensor is encoded as bytes.
    if np.dtype(image.np_dtype) != np.uint8 or not (encoded or image.to_json_content().encoding == "bytes"):
        raise DataUnavailable(
            f"{what} has no images of 8 bits: PNG, JPEG, or tensors encoded as bytes; choose another set"
        )
    info.set_file_format(_ARRAY_RECORD, override=True, override_if_initialized=True)
    instructions = info.splits[split].file_instructions
    files = tuple((str(instruction.filename), instruction.take) for instruction in instructions)
    return Files(files, tuple(image.shape), encoded, _is_transposed(info.name))


def _check_size(name: str, builder, splits: tuple[str, ...], most_bytes: float) -> None:
    """UserError if a set that cannot be streamed is larger than `most_bytes`."""
    shape = builder.info.features["image"].shape
    number = sum(builder.info.splits[split].num_examples for split in splits)
    size = number * math.prod(side or 1 for side in shape)
    if size > most_bytes:
        raise UserError(
            f"'{name}' takes {size / 2**30:.3g} GiB of memory, more than data.resident_gib={most_bytes / 2**30:.3g}, "
            "and only array_record files can be streamed. Convert it once: python -m "
            f"tensorflow_datasets.scripts.cli.main convert_format --dataset_version_dir={builder.data_path} "
            "--out_file_format=array_record; or keep it in memory all the same: --config.data.stream=never"
        )


def names() -> list[str]:
    """The names of all TFDS sets, without importing TFDS; to suggest similar names."""
    spec = importlib.util.find_spec("tensorflow_datasets")
    if spec is None or not spec.submodule_search_locations:
        return []
    root = pathlib.Path(spec.submodule_search_locations[0])
    folders = (path.name for path in (root / "datasets").glob("*") if path.is_dir())
    return sorted({*folders, *(path.stem for path in (root / "url_checksums").glob("*.txt"))})
