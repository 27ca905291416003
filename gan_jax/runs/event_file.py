"""Writes TensorBoard's event files with the package `tensorboard`, without TensorFlow, whose import takes seconds."""

import contextlib
import io
import os
import pathlib
import socket
import time

import numpy as np
from PIL import Image


class EventFile:
    """A new event file in a folder. OSError if it cannot be written; what `flush` has written survives a kill."""

    def __init__(self, folder: pathlib.Path):
        from tensorboard.compat.proto import event_pb2
        from tensorboard.summary.writer.record_writer import RecordWriter

        self._event = event_pb2.Event
        # TensorBoard reads the files of a folder in the order of their names.
        name = f"events.out.tfevents.{time.time_ns():020d}.{socket.gethostname()}.{os.getpid()}"
        self._file = (folder / name).open("xb")
        self._records = RecordWriter(self._file)
        self._write(file_version="brain.Event:2")
        self.flush()

    def _write(self, **fields) -> None:
        self._records.write(self._event(wall_time=time.time(), **fields).SerializeToString())

    def _write_tensor(self, step: int, tag: str, metadata, **values) -> None:
        """values: fields of a TensorProto."""
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.compat.proto.tensor_pb2 import TensorProto

        value = Summary.Value(tag=tag, metadata=metadata, tensor=TensorProto(**values))
        self._write(step=step, summary=Summary(value=[value]))

    def settings(self, values: dict[str, int | float | str]) -> None:
        """Settings for the HPARAMS page."""
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb

        self._write(summary=hparams_pb(values))

    def scalar(self, step: int, tag: str, value: float) -> None:
        from tensorboard.compat.proto.types_pb2 import DT_FLOAT
        from tensorboard.plugins.scalar.metadata import create_summary_metadata

        metadata = create_summary_metadata(display_name="", description="")
        self._write_tensor(step, tag, metadata, dtype=DT_FLOAT, float_val=[value], tensor_shape={})

    def image(self, step: int, tag: str, image: np.ndarray) -> None:
        """A picture uint8 [H, W, C], C 1 or 3."""
        from tensorboard.compat.proto.types_pb2 import DT_STRING
        from tensorboard.plugins.image.metadata import create_summary_metadata

        png, (height, width, channels) = io.BytesIO(), image.shape
        Image.fromarray(image[:, :, 0] if channels == 1 else image).save(png, format="PNG")
        metadata = create_summary_metadata(display_name="", description="")
        values = [str(width).encode(), str(height).encode(), png.getvalue()]
        self._write_tensor(
            step, tag, metadata, dtype=DT_STRING, string_val=values, tensor_shape={"dim": [{"size": len(values)}]}
        )

    def flush(self) -> None:
        self._records.flush()

    def close(self) -> None:
        self._records.close()

    def discard(self) -> None:
        """Closes the file after an error. If it stayed open, Python would try to write the rest at exit."""
        with contextlib.suppress(OSError):
            self._file.close()
