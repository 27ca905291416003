"""The speed of a run: measured from calls that are known to be computed, or not stated."""

from types import SimpleNamespace

import jax.numpy as jnp
import pytest

from gan_jax.system import progress
from gan_jax.training.calls import Call
from gan_jax.training.seed_runs import SeedRuns


@pytest.fixture
def clock(monkeypatch):
    """The time of `progress`; its value is set by the test."""
    now = SimpleNamespace(time=0.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: now.time)
    return now


def test_the_rate_is_of_the_steps_after_the_first_update(clock):
    shown = progress.Progress(100, 0, show=False)
    for time, step, rate in [(30.0, 10, None), (30.05, 20, None), (32.0, 30, 10.0), (33.0, 30, 10.0), (34.0, 50, 10.0)]:
        clock.time = time
        shown.update(step)
        assert shown.rate == rate


class Written(SeedRuns):
    """Runs of one seed that keep the speeds of their rows."""

    def __init__(self, shown):
        self.statuses, self.speeds, self._unwritten, self._progress = [SimpleNamespace(live=True)], [], [], shown
        self.recorders = [SimpleNamespace(record=lambda call, values, speed: self.speeds.append((call.end, speed)))]


def computed_call(clock, runs, first_step, seconds):
    """A call that was computed when its predecessor's values are read."""
    runs.remember(Call(first_step, 10), jnp.zeros(10))

    def read(metrics):
        clock.time += seconds
        return {0: {}}

    return SimpleNamespace(read=read)


def test_two_calls_that_are_read_together_give_no_speed(clock):
    """The second one is read within a moment, because it was computed in the time of the first one."""
    runs = Written(progress.Progress(20, 0, show=False))
    for first_step in (0, 10):
        program = computed_call(clock, runs, first_step, 0.005)
    runs._write_rows(program, 2)
    assert runs.speeds == [(10, None), (20, None)]


def test_calls_that_are_computed_before_they_are_read_give_the_right_speed(clock):
    """Each call of 10 steps takes 2 s, and its values are read when the next one is computed."""
    runs = Written(progress.Progress(40, 0, show=False))
    computed_call(clock, runs, 0, 0)
    for first_step in (10, 20, 30):
        program = computed_call(clock, runs, first_step, 2.0)
        runs.write_previous_rows(program)
    assert runs.speeds == [(10, None), (20, 5.0), (30, 5.0)]
