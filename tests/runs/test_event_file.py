"""TensorBoard's event files, written without TensorFlow."""

import io
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from gan_jax.runs.event_file import EventFile
from gan_jax.runs.tensorboard import TensorBoard
from gan_jax.system.errors import DiskFull

pytest.importorskip("tensorboard")


@pytest.mark.skipif(not pathlib.Path("/dev/full").exists(), reason="this system has no full device")
def test_a_full_disk_under_the_event_file_is_one_error(tmp_path):
    writer = EventFile(tmp_path)
    records = TensorBoard(writer, 0, set())
    writer.close()
    writer._file = writer._records._writer = pathlib.Path("/dev/full").open("wb")  # noqa: SIM115
    records.scalars(1, {"d_loss": 0.5})
    with pytest.raises(DiskFull, match="TensorBoard's records cannot be written"):
        records.flush()
    assert writer._file.closed
    records.flush()  # After the error, the run saves and ends without these records.
    records.close()


def test_event_files_are_written_without_tensorflow(tmp_path):
    code = (
        "import sys, pathlib; import numpy as np; from gan_jax.runs.event_file import EventFile; "
        "file = EventFile(pathlib.Path(sys.argv[1])); file.settings({'a': 1}); file.scalar(1, 'd_loss', 0.5); "
        "file.image(1, 'samples', np.zeros((2, 3, 1), np.uint8)); file.close(); print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_event_files_have_the_values_and_pictures(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    file, picture = EventFile(tmp_path), np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    file.scalar(7, "d_loss", 0.25)
    file.image(7, "samples", picture)
    file.close()
    events = EventAccumulator(str(tmp_path), size_guidance={"tensors": 0})
    events.Reload()
    (scalar,), (image,) = events.Tensors("d_loss"), events.Tensors("samples")
    assert (scalar.step, make_ndarray(scalar.tensor_proto)) == (7, 0.25)
    width, height, png = image.tensor_proto.string_val
    assert (image.step, width, height) == (7, b"3", b"2")
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png))), picture)
    assert events.SummaryMetadata("d_loss").plugin_data.plugin_name == "scalars"
    assert events.SummaryMetadata("samples").plugin_data.plugin_name == "images"
