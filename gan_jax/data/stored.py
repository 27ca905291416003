"""Images that stay in array_record files, as TFDS writes them: rows are read and decoded when they are indexed."""

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
from gan_jax.data.pixels import fit, to_picture
from gan_jax.system.errors import DataUnavailable, UserError

_ROWS_AT_ONCE = 256


@dataclasses.dataclass(frozen=True)
class Files:
    """One split of a set: where its records lie, and what they hold.

    files: (path, number of records) of each, in order. shape: (H, W, C) of an image, None where images differ.
    encoded: images are PNG or JPEG files, otherwise bytes of the shape. transposed: height and width are exchanged.
    """

    files: tuple[tuple[str, int], ...]
    shape: tuple[int | None, ...]
    encoded: bool = True
    transposed: bool = False

    def __len__(self) -> int:
        return sum(number for _, number in self.files)

    @property
    def is_square(self) -> bool:
        return None not in self.shape and self.shape[0] == self.shape[1]

    @property
    def folder(self) -> pathlib.Path:
        return pathlib.Path(self.files[0][0]).parent

    def source(self):
        """Random access to the records: bytes by index, `__getitems__` of several. Opens files when they are read."""
        return open_records([f"{path}[0:{number}]" for path, number in self.files])


def open_records(paths: list[str]):
    """The records of array_record files, one after the other; "path[0:n]" is taken at its word that it holds n."""
    try:
        from grain.sources import ArrayRecordDataSource
    except ImportError as error:
        raise UserError(f"array_record files are read with grain ({error}); install requirements.txt") from error
    return ArrayRecordDataSource(paths)


def target_shape(files: Files, image_size: int, channels: int) -> tuple[int, int, int]:
    """(side, side, channels) of the images as they will be; 0 for their own."""
    height, width, own = files.shape
    if not image_size and None in (height, width):
        raise UserError(f"the images in {files.folder} differ in size: set --config.data.image_size=128, say")
    return (image_size or max(height, width),) * 2 + (channels or own,)


@contextlib.contextmanager
def readable(what: str | pathlib.Path, remedy: str = "restore it, or prepare the set again") -> Iterator[None]:
    """Whatever goes wrong inside is one line: the data cannot be read."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # array_record, PIL and the parser raise errors of many classes.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataUnavailable(f"{what} cannot be read: {reason}; {remedy}") from error


class StoredImages:
    """uint8 [N, H, W, C] in files: `images[rows]` reads those rows, in any order. Pickles without open files.

    digest: sha256 of the records. limit: bytes that `sample` may take. rows: which of the records these are, all by
    default.
    """

    def __init__(
        self,
        files: Files,
        image_shape: tuple[int, int, int],
        digest: str,
        limit: float,
        rows: np.ndarray | None = None,
    ):
        self._files, self._digest, self._limit = files, digest, limit
        self._rows = np.arange(len(files)) if rows is None else rows
        self.shape = (len(self._rows), *image_shape)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    def identity(self) -> bytes:
        """Stands for the content in a fingerprint: the records, which of them, the shape that they are brought to."""
        which = hashlib.sha256(np.ascontiguousarray(self._rows, np.int64)).hexdigest()
        return f"{self._digest} {which} {self.shape}".encode()

    def select(self, rows: np.ndarray) -> "StoredImages":
        """Some of the images, by index. Nothing is read."""
        return StoredImages(self._files, self.shape[1:], self._digest, self._limit, self._rows[rows])

    def sample(self) -> np.ndarray:
        """Indices, sorted, of as many random images as may be in memory: always the same, all where they may be."""
        most = max(int(self._limit // np.prod(self.shape[1:])), 1)
        chosen = np.random.default_rng(0).permutation(len(self))[:most]
        return np.sort(chosen)

    @functools.cached_property
    def _source(self):
        return self._files.source()

    def __getstate__(self) -> dict:
        return {name: value for name, value in self.__dict__.items() if name != "_source"}

    def read(self, rows: np.ndarray) -> np.ndarray:
        """The images of some indices, by this thread alone."""
        return self._read(self._rows[rows])

    def __getitem__(self, rows) -> np.ndarray:
        """The images of rows (an array of indices, a mask, a slice), by several threads."""
        rows = self._rows[rows]
        images = np.empty((len(rows), *self.shape[1:]), np.uint8)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:

            def fill(start: int) -> None:
                images[start : start + _ROWS_AT_ONCE] = self._read(rows[start : start + _ROWS_AT_ONCE])

            for done in [threads.submit(fill, start) for start in range(0, len(rows), _ROWS_AT_ONCE)]:
                done.result()
        return images

    def _read(self, rows: np.ndarray) -> np.ndarray:
        images = np.empty((len(rows), *self.shape[1:]), np.uint8)
        try:
            for place, record in enumerate(self._source.__getitems__(rows.tolist())):
                images[place] = self._decode(image_and_label(record)[0])
        except Exception:  # Once more, one by one, to say which file it is.
            for place, row in enumerate(rows.tolist()):
                with readable(self._path(row)):
                    images[place] = self._decode(image_and_label(self._source[row])[0])
        return images

    def _path(self, row: int) -> str:
        ends = np.cumsum([number for _, number in self._files.files])
        return self._files.files[int(np.searchsorted(ends, row, side="right"))][0]

    def _decode(self, image: memoryview) -> np.ndarray:
        files, (size, _, channels) = self._files, self.shape[1:]
        if files.encoded:
            picture = Image.open(io.BytesIO(image))
        else:
            array = np.frombuffer(image, np.uint8).reshape(files.shape)
            if files.shape == self.shape[1:] and not files.transposed:
                return array
            picture = to_picture(array)
        return fit(picture.transpose(Image.Transpose.TRANSPOSE) if files.transposed else picture, size, channels)
