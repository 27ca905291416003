"""TensorBoard's event files of a run that continues: keeps the events that the run does not write again.

A file is a sequence of records: the length of the data (uint64), a checksum of the length (4 bytes), the data, and a
checksum of the data (4 bytes). The data of a record is a message Event with a step and, for each value, a tag.
"""

import os
import pathlib
import struct
from collections.abc import Collection, Iterator
from typing import BinaryIO

from gan_jax.system.files import atomic_write

_FILES = "events.out.tfevents.*"
_HEADER, _CHECKSUM_BYTES = struct.Struct("<QI"), 4


def keep_events(folder: pathlib.Path, last_step: int, without: Collection[str] = ()) -> set[str]:
    """Removes all events that are not from the steps 1 to `last_step`; returns the tags that remain at `last_step`.

    without: tags that are removed from `last_step`, too.
    The events of step 0 (the config for the HPARAMS page) are removed, because every process writes them. An incomplete
    record at the end of a file (from a kill) is removed. If nothing remains in a file, the file is removed.
    """
    kept_tags = set()
    for path in sorted(folder.glob(_FILES)):
        num_kept = 0
        with path.open("rb") as file, atomic_write(path) as partial, partial.open("wb") as kept:
            for index, (record, step, tags) in enumerate(_records(file)):
                is_kept = 1 <= step < last_step or (1 <= step == last_step and not tags & set(without))
                if is_kept or index == 0:  # The first record is the version of the format.
                    kept.write(record)
                num_kept += is_kept
                kept_tags |= tags if is_kept and step == last_step else set()
        if not num_kept:
            path.unlink()
    return kept_tags


def _records(file: BinaryIO) -> Iterator[tuple[bytes, int, set[str]]]:
    """(bytes, step, tags) of every record before the first one that is incomplete or damaged."""
    from google.protobuf.message import DecodeError
    from tensorboard.compat.proto.event_pb2 import Event

    num_bytes = os.fstat(file.fileno()).st_size
    while len(header := file.read(_HEADER.size)) == _HEADER.size:
        size = _HEADER.unpack(header)[0] + _CHECKSUM_BYTES
        if file.tell() + size > num_bytes:
            return
        rest = file.read(size)
        try:
            event = Event.FromString(rest[:-_CHECKSUM_BYTES])
        except DecodeError:
            return
        yield header + rest, event.step, {value.tag for value in event.summary.value}
