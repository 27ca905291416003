"""Runs that are killed, continued, made longer, and runs that start from others."""

import collections
import json
import shutil
import struct

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event

from gan_jax.build import learning_rates
from gan_jax.gan.schedules import SCHEDULES
from gan_jax.runs import dataset, seeds, workdir
from gan_jax.system import config as configs
from gan_jax.system import recorded
from gan_jax.system.errors import UserError
from gan_jax.training import programs, session
from gan_jax.training.extension import check_extension
from tests.tiny import arrays, rows, write_idx

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
    return len(without_speeds(seen))


def without_speeds(seen):
    """The events without the speeds, which the first rows of a process do not have."""
    return {key: count for key, count in seen.items() if key[0] != "steps_per_second"}


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
@pytest.mark.thorough
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


def same_run(path, other):
    """Whether two runs have left the same records and the same last state."""
    assert rows(path) == rows(other)
    (step, ours), (other_step, theirs) = arrays(path), arrays(other)
    assert step == other_step
    assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert without_speeds(events(path)) == without_speeds(events(other))
    for folder in ("samples", "best"):
        assert [file.name for file in sorted(path.glob(f"{folder}/*"))] == [
            file.name for file in sorted(other.glob(f"{folder}/*"))
        ]
    grid = sorted((path / "samples").iterdir())[-1]
    assert grid.read_bytes() == (other / "samples" / grid.name).read_bytes()
    infos = [workdir.Workdir(str(folder)).run() for folder in (path, other)]
    for entry in ("status", "step", "num_steps", "data"):
        assert infos[0][entry] == infos[1][entry]


# DCGAN-tensorflow 201, stylegan3 159: a run that has ended is to go on.
@pytest.mark.thorough
def test_a_longer_run_is_the_run_that_was_that_long_from_the_start(config, tmp_path, monkeypatch):
    changes = {"log_every_steps": 3, "checkpoint_every_steps": 5, "g_optimizer.warmup_steps": 3}
    configs.override(config, changes | {"num_steps": 0, "num_epochs": 4})  # 6 steps
    path, whole = tmp_path / "run", tmp_path / "whole"
    session.train(config, str(path))
    configs.override(config, {"num_steps": 11, "num_epochs": 0})
    killed(config, path, monkeypatch, 10)
    session.train(config, str(path))
    session.train(config, str(whole))
    same_run(path, whole)
    assert configs.differences(workdir.Workdir(str(path)).config(), config) == []


@pytest.mark.slow
def test_a_longer_run_has_the_scores_of_its_length(config, idx_folder, tmp_path, quick_classifier):
    """The score of the shorter run's last step does not count for the best state."""
    shutil.rmtree(idx_folder)
    write_idx(idx_folder, train=30, test=6)
    configs.override(config, {"data.num_validation": 12, "eval.every_steps": 2, "eval.num_images": 12})
    for name, num_steps in (("run", 3), ("run", 6), ("whole", 6)):
        configs.override(config, {"num_steps": num_steps})
        session.train(config, str(tmp_path / name), str(tmp_path / "cache"))
    same_run(tmp_path / "run", tmp_path / "whole")


@pytest.mark.thorough
def test_seeds_become_more_and_longer(config, tmp_path):
    configs.override(config, {"num_seeds": 2, "num_steps": 3})
    path = tmp_path / "run"
    session.train(config, str(path))
    configs.override(config, {"num_seeds": 3})
    before = {file: file.stat().st_mtime_ns for file in path.glob("seed-[01]/**/*")}
    session.train(config, str(path))
    assert before == {file: file.stat().st_mtime_ns for file in before}
    configs.override(config, {"num_steps": 5})
    session.train(config, str(path))
    configs.override(config, {"num_seeds": 1, "seed": 2})
    session.train(config, str(tmp_path / "alone"))
    same_run(path / "seed-2", tmp_path / "alone")
    assert [len(rows(path / f"seed-{seed}")) for seed in range(3)] == [5, 5, 5]
    assert workdir.Workdir(str(path)).run()["status"] == "completed"


def trained(config, path, step, total, **run_info):
    """The workdir of a run of `total` steps with a checkpoint of `step`, and without a state in it."""
    config = recorded.from_json(configs.to_json(config))
    folder = workdir.Workdir(str(path))
    folder.start(config)
    for seed in seeds.seed_workdirs(seeds.seeds_of(config), folder):
        (seed.checkpoints / str(step)).mkdir(parents=True)
        (seed.checkpoints / str(step) / "manifest.json").write_text("{}")
        seed.update_run(step=step, num_steps=total, status="completed" if step == total else "interrupted", **run_info)
    return folder


@pytest.mark.parametrize("schedule", sorted(SCHEDULES))
def test_a_schedule_over_the_whole_run_allows_no_other_length(config, tmp_path, schedule):
    configs.override(config, {"d_optimizer.schedule": schedule, "d_optimizer.final_fraction": 0.5})
    folder = trained(config, tmp_path / "run", 20, 20)
    rates = [[float(learning_rates(config, total)["d"](update)) for update in range(20)] for total in (20, 40)]
    if rates[0] == rates[1]:
        check_extension(folder, config, 40)
        return
    with pytest.raises(UserError, match=f"d_optimizer.schedule={schedule}.*undo the change, or start a new run"):
        check_extension(folder, config, 40)
    check_extension(folder, config, 20)


def test_a_run_cannot_be_shorter_than_it_is(config, tmp_path):
    folder = trained(config, tmp_path / "run", 10, 40)
    for total in (1, 10):
        with pytest.raises(UserError, match=f"has made 10 of 40 steps, and this config has {total}; set more steps"):
            check_extension(folder, config, total)
    check_extension(folder, config, 11)  # A length that was a mistake can be undone.


@pytest.mark.parametrize(
    ("before", "now", "message"),
    [
        (1, 2, "holds 1 seed, .* choose another workdir, or set --config.num_seeds=1"),
        (2, 1, "holds 2 seeds; set --config.num_seeds=2. Each seed is a run of its own, for example .*seed-0$"),
        (3, 2, "holds 3 seeds; set --config.num_seeds=3"),
        (2, 3, r"seed-0 is at step 5 of 7.*finish these seeds first \(set --config.num_seeds=2\), then set .*=3$"),
    ],
)
def test_other_numbers_of_seeds_are_refused(config, tmp_path, before, now, message):
    configs.override(config, {"num_seeds": before})
    trained(config, tmp_path / "run", 5, 7)
    config_file = (tmp_path / "run" / "config.json").read_text()
    configs.override(config, {"num_seeds": now})
    info = {"fingerprint": dataset.load_data(config.data, "").fingerprint()}
    workdir.Workdir(str(tmp_path / "run")).update_run(data=info)
    with pytest.raises(UserError, match=message):
        session.train(config, str(tmp_path / "run"))
    assert (tmp_path / "run" / "config.json").read_text() == config_file


def test_networks_that_teach_each_other_stay_as_many(config, tmp_path):
    configs.override(
        config, {"num_seeds": 2, "d_loss.codistillation": 1.0, "steps_per_call": 10, "eval.every_steps": 0}
    )
    configs.override(config, {"checkpoint_every_steps": 0})
    folder = trained(config, tmp_path / "run", 25, 25)
    with pytest.raises(UserError, match="no call ends at step 25"):
        check_extension(folder, config, 40)
    configs.override(config, {"checkpoint_every_steps": 7})
    with pytest.raises(UserError, match="undo: checkpoint_every_steps: 0 -> 7"):
        check_extension(folder, config, 25)
    configs.override(config, {"checkpoint_every_steps": 0})
    configs.override(config, {"num_seeds": 4})
    with pytest.raises(UserError, match="teach each other"):
        check_extension(folder, config, 25)


# soumith/ganhacks 40: the guard's advice, for several seeds.
@pytest.mark.parametrize(
    ("run_info", "changes", "ended"),
    [
        ({"status": "collapsed"}, {}, True),
        ({"status": "collapsed", "step": 9}, {"guard.pixel_std": 0.0}, False),
        ({"status": "completed"}, {}, False),  # 7 of 7 steps, and now 10
        ({"status": "completed", "step": 10}, {}, True),
        ({"status": "completed", "step": 5}, {}, True),  # stopped early
        ({"status": "completed", "step": 5}, {"eval.patience": 3}, False),
        ({"status": "running", "step": 5}, {}, False),
    ],
)
def test_which_seeds_have_ended(config, tmp_path, run_info, changes, ended):
    configs.override(config, {"eval.every_steps": 1, "eval.patience": 2})
    folder = trained(config, tmp_path / "run", 7, 7)
    folder.update_run(guard=config.guard.to_dict(), **run_info)
    lines = [{"step": step, "validation_frechet_distance": float(step)} for step in (3, 4, 5)]
    folder.metrics.write_text("".join(json.dumps(line) + "\n" for line in lines))
    configs.override(config, changes)
    assert seeds.has_ended(folder, config, 10) == ended
