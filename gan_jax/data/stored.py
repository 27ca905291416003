"""Images that stay in the array_record files of TFDS: rows are read and decoded when they are indexed."""

import concurrent.futures
import contextlib
import dataclasses
import functools
import hashlib
import io
import os
import pathlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from gan_jax.data.example import image_and_label
from gan_jax.data.pixels import Conversion, fit, to_picture
from gan_jax.system.errors import DataUnavailable, UserError
from gan_jax.system.extras import install

_ROWS_AT_ONCE = 256


@dataclasses.dataclass(frozen=True)
class Files:
    """The files of one split of a data set, and the format of their images.

    files: (path, number of records) of each file, in order.
    shape: (H, W, C) of an image; None for a side that differs between images.
    encoded: whether images are PNG or JPEG; otherwise they are raw bytes of `shape`.
    transposed: whether height and width are exchanged.
    """

    files: tuple[tuple[str, int], ...]
    shape: tuple[int | None, ...]
    encoded: bool = True
    transposed: bool = False

    def __len__(self) -> int:
        return sum(number for _, number in self.files)

    @property
    def image_shape(self) -> tuple[int | None, ...]:
        """(H, W, C) of the decoded images; None for what differs between images."""
        height, width, channels = self.shape
        return (width, height, channels) if self.transposed else (height, width, channels)

    @property
    def folder(self) -> pathlib.Path:
        return pathlib.Path(self.files[0][0]).parent

    def source(self):
        """Random access to the records: bytes by index, or of several indices by `__getitems__`. Files open lazily."""
        return open_records([f"{path}[0:{number}]" for path, number in self.files])


def open_records(paths: list[str]):
    """The concatenated records of array_record files. For "path[0:n]", the number of records n is not checked."""
    try:
        from grain.sources import ArrayRecordDataSource
    except ImportError as error:
        raise UserError(f"array_record files are read with grain ({error}): {install('stream')}") from error
    return ArrayRecordDataSource(paths)


def target_shape(files: Files, conversion: Conversion) -> tuple[int, int, int]:
    """(H, W, C) of the images after the conversion; UserError if it leaves them different."""
    height, width, channels = files.image_shape
    if not conversion.image_size and None in (height, width):
        raise UserError(f"the images in {files.folder} differ in size: set --config.data.image_size=128, say")
    if not conversion.channels and channels is None:
        raise UserError(f"the images in {files.folder} differ in channels: set --config.data.channels=3, say")
    return conversion.shape(files.image_shape)


@contextlib.contextmanager
def readable(source: str | pathlib.Path, remedy: str = "restore it, or prepare the set again") -> Iterator[None]:
    """Turns every error inside the block, except UserError, into DataUnavailable: `source` cannot be read."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # array_record, PIL and the parser raise errors of many classes.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataUnavailable(f"{source} cannot be read: {reason}; {remedy}") from error


class StoredImages:
    """uint8 [N, H, W, C] in files: `images[rows]` reads these rows, in any order. Pickles without open files.

    digest: sha256 of the records.
    limit: largest size of the result of `sample`, in bytes.
    method: how a picture becomes an image of this shape (`pixels.RESIZES`).
    rows: indices of the records that these images are; by default all.
    """

    def __init__(
        self,
        files: Files,
        image_shape: tuple[int, int, int],
        digest: str,
        limit: float,
        method: str = "stretch",
        rows: np.ndarray | None = None,
    ):
        self._files, self._digest, self._limit, self._method = files, digest, limit, method
        self._rows = np.arange(len(files)) if rows is None else rows
        self.shape = (len(self._rows), *image_shape)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    def identity(self) -> bytes:
        """Bytes for a fingerprint: the digest of the records, the selected rows, shape and conversion of the images."""
        rows_digest = hashlib.sha256(np.ascontiguousarray(self._rows, np.int64)).hexdigest()
        method = "" if self._method == "stretch" else f" {self._method}"
        return f"{self._digest} {rows_digest} {self.shape}{method}".encode()

    def select(self, rows: np.ndarray) -> "StoredImages":
        """A subset of the images, by index. Reads nothing."""
        return StoredImages(self._files, self.shape[1:], self._digest, self._limit, self._method, self._rows[rows])

    def sample(self) -> np.ndarray:
        """Sorted indices of a random subset that fits into `limit` bytes; the same for every call, all if all fit."""
        num_images = max(int(self._limit // np.prod(self.shape[1:])), 1)
        chosen = np.random.default_rng(0).permutation(len(self))[:num_images]
        return np.sort(chosen)

    @functools.cached_property
    def _source(self):
        return self._files.source()

    def __getstate__(self) -> dict:
        return {name: value for name, value in self.__dict__.items() if name != "_source"}

    def read(self, rows: np.ndarray) -> np.ndarray:
        """The images of these indices, read in the calling thread."""
        return self._read(self._rows[rows])

    def __getitem__(self, rows) -> np.ndarray:
        """The images of `rows` (an array of indices, a mask or a slice), read by several threads."""
        rows = self._rows[rows]
        images = np.empty((len(rows), *self.shape[1:]), np.uint8)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:

            def fill(start: int) -> None:
                images[start : start + _ROWS_AT_ONCE] = self._read(rows[start : start + _ROWS_AT_ONCE])

            for future in [threads.submit(fill, start) for start in range(0, len(rows), _ROWS_AT_ONCE)]:
                future.result()
        return images

    def _read(self, rows: np.ndarray) -> np.ndarray:
        images = np.empty((len(rows), *self.shape[1:]), np.uint8)
        try:
            for index, record in enumerate(self._source.__getitems__(rows.tolist())):
                images[index] = self._decode(image_and_label(record)[0])
        except Exception:  # Read the records again, one by one, to name the file in the error.
            for index, row in enumerate(rows.tolist()):
                with readable(self._path(row)):
                    images[index] = self._decode(image_and_label(self._source[row])[0])
        return images

    def _path(self, row: int) -> str:
        """The file that contains a record."""
        ends = np.cumsum([number for _, number in self._files.files])
        return self._files.files[int(np.searchsorted(ends, row, side="right"))][0]

    def _decode(self, image: memoryview) -> np.ndarray:
        files, shape = self._files, self.shape[1:]
        if files.encoded:
            picture = Image.open(io.BytesIO(image))
        else:
            array = np.frombuffer(image, np.uint8).reshape(files.shape)
            if files.shape == shape and not files.transposed:
                return array
            picture = to_picture(array)
        picture = picture.transpose(Image.Transpose.TRANSPOSE) if files.transposed else picture
        return fit(picture, shape, self._method)
