"""Runs that are killed, continued, made longer, and runs that start from others."""

import collections
import json
import struct

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event

from gan_jax.training import programs, session
from tests.tiny import rows

# TensorFlow's own imports warn about things that are not ours.
pytestmark = pytest.mark.filterwarnings("ignore")


def events(path):
    """How often each (tag, step) is in the event files of a run, read record by record."""
    seen = collections.Counter()
    for file in path.glob("events.out.tfevents.*"):
        data, start = file.read_bytes(), 0
        while start < len(data):
            size = struct.unpack_from("<Q", data, start)[0]
            event = Event.FromString(data[start + 12 : start + 12 + size])
            seen.update((value.tag, event.step) for value in event.summary.value)
            start += 16 + size
        assert start == len(data)
    return seen


def same_as_metrics(path):
    """Whether TensorBoard has the rows of metrics.jsonl, each value once, and the grids and the config once."""
    seen = events(path)
    assert set(seen.values()) == {1}
    lines = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    values = {(name, row["step"]) for row in lines for name in row if name != "step"}
    grids = {("samples", int(file.stem.removeprefix("step-"))) for file in (path / "samples").iterdir()}
    assert values | grids == {key for key in seen if not key[0].startswith("_hparams_")}
    accumulator = EventAccumulator(str(path), size_guidance={"tensors": 0})
    accumulator.Reload()
    assert [event.step for event in accumulator.Tensors("d_loss")] == [row["step"] for row in lines if "d_loss" in row]
    return len(seen)


def killed(config, path, monkeypatch, step):
    """Trains until the call from `step` on."""
    advance = programs.SequentialSeeds.advance

    def dies(self, call, live):
        if call.first_step >= step:
            raise KeyboardInterrupt
        return advance(self, call, live)

    with monkeypatch.context() as patch:
        patch.setattr(programs.SequentialSeeds, "advance", dies)
        with pytest.raises(KeyboardInterrupt):
            session.train(config, str(path))


# tensorflow/tensorboard 3732: after a restart, the steps since the checkpoint are there twice.
def test_tensorboard_has_each_step_once_after_a_kill(finished_run, tmp_path, monkeypatch):
    (whole, config), path = finished_run, tmp_path / "killed"
    number = same_as_metrics(whole)
    for step in (2, 4, 6):
        killed(config, path, monkeypatch, step)
        newest = max(path.glob("events.out.tfevents.*"), key=lambda file: file.stat().st_mtime)
        newest.write_bytes(newest.read_bytes()[:-3] + bytes(step % 4 * 7))  # What the kill has left of a record.
    for _ in range(2):  # The second time, nothing is left to train.
        session.train(config, str(path))
        assert rows(path) == rows(whole)
        assert same_as_metrics(path) == number
