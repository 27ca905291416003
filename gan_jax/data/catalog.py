"""Sets of TensorFlow Datasets: prepared copies, and whether a download can work at all.

TensorFlow is imported only to read or prepare a set for the first time; after that the arrays lie in the cache.
"""

import importlib.util
import os
import pathlib
import threading
import urllib.error
import urllib.request

import numpy as np

from gan_jax.data.dataset import Split
from gan_jax.errors import DataUnavailable

_PROBE_SECONDS = 4.0


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


def read(name: str, folder: pathlib.Path, *, download: bool) -> tuple[Split, Split]:
    """(train, test) of a set prepared in `folder`, downloaded and prepared first if `download`."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow_datasets as tfds

    tfds.core.utils.gcs_utils._is_gcs_disabled = True  # noqa: SLF001 - the mirror's absence costs minutes otherwise
    try:
        builder = tfds.builder(name, data_dir=folder)
        if download:
            builder.download_and_prepare()
        features = builder.info.features
        if not {"image", "label"} <= set(features) or not {"train", "test"} <= set(builder.info.splits):
            raise DataUnavailable(f"TFDS set '{name}' is not an image classification set with train and test splits")
        splits = [tfds.as_numpy(builder.as_dataset(split=split, batch_size=-1)) for split in ("train", "test")]
    except DataUnavailable:
        raise
    except Exception as error:  # TFDS raises its own and TensorFlow's errors, of many classes.
        reason = str(error).strip().splitlines()
        raise DataUnavailable(
            f"TFDS could not give '{name}': {reason[0] if reason else type(error).__name__}"
        ) from error
    # EMNIST is stored with the two axes of every image exchanged.
    axes = (0, 2, 1, 3) if name.startswith("emnist") else (0, 1, 2, 3)
    return tuple(Split(s["image"].transpose(axes).astype(np.uint8), s["label"].astype(np.int32)) for s in splits)


def names() -> list[str]:
    """Every set that TFDS names, without importing it: for near misses."""
    spec = importlib.util.find_spec("tensorflow_datasets")
    if spec is None or not spec.submodule_search_locations:
        return []
    root = pathlib.Path(spec.submodule_search_locations[0])
    folders = (path.name for path in (root / "datasets").glob("*") if path.is_dir())
    return sorted({*folders, *(path.stem for path in (root / "url_checksums").glob("*.txt"))})
