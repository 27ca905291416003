"""Measurements in separate processes, and contenders that take turns.

In one process, the idle threads of one framework would slow down the other framework.
"""

import math
import multiprocessing
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any
from unittest import mock

_CONTEXT = multiprocessing.get_context("spawn")
# After a turn, idle threads still spin for a while.
_REST_SECONDS = 0.5
_ERROR_CHARACTERS = 300


def apart(function: Callable, *arguments: Any) -> Any:
    """Returns function(*arguments), computed in a fresh process; raises its exceptions here."""
    with ProcessPoolExecutor(1, mp_context=_CONTEXT) as pool:
        return pool.submit(function, *arguments).result()


def _error_line(error: Exception) -> str:
    text = f"{type(error).__name__}: {error}"
    return " ".join(text.split())[:_ERROR_CHARACTERS]


def _serve(make_turn: Callable, arguments: tuple, warm_seconds: float, pipe) -> None:
    """Warms up, sends "", then sends the seconds of a turn for every True that it receives, until it receives False."""
    try:
        turn, start_time = make_turn(*arguments), time.monotonic()
        turn()
        while time.monotonic() - start_time < warm_seconds:
            turn()
        pipe.send("")
        while pipe.recv():
            start_time = time.perf_counter()
            turn()
            pipe.send(time.perf_counter() - start_time)
    except Exception as error:  # An error, also of a compiler, is this contender's result.
        pipe.send(_error_line(error))


class Contender:
    """A process that warms up and waits for its turns. error: the reason if it failed, else ""."""

    def __init__(
        self, make_turn: Callable, arguments: tuple, warm_seconds: float, variables: dict[str, str] | None = None
    ):
        """variables: further environment variables of the process, such as those that are read when it starts."""
        self.error, self._warm_seconds = "", warm_seconds
        self._pipe, child_pipe = _CONTEXT.Pipe()
        serve_arguments = (make_turn, arguments, warm_seconds, child_pipe)
        self._process = _CONTEXT.Process(target=_serve, args=serve_arguments, daemon=True)
        with mock.patch.dict(os.environ, variables or {}):
            self._process.start()
        child_pipe.close()

    def wait_until_warm(self, patience_seconds: float) -> None:
        """Returns when the process is warm or has failed, at the latest after warm_seconds + patience_seconds."""
        ready = self._pipe.poll(self._warm_seconds + patience_seconds)
        self.error = self._receive() if ready else f"no turn within {patience_seconds:.0f} s: given up"
        if not ready:
            self._process.terminate()

    def _receive(self) -> float | str:
        try:
            return self._pipe.recv()
        except EOFError:
            self._process.join()
            return f"its process ended with exit code {self._process.exitcode}"

    def turn(self) -> float:
        """Seconds of one turn; NaN if the turn failed, with the reason in `error`."""
        time.sleep(_REST_SECONDS)
        self._pipe.send(True)
        answer = self._receive()
        if isinstance(answer, str):
            self.error, answer = answer, math.nan
        return answer

    def close(self) -> None:
        if not self.error:
            self._pipe.send(False)
        self._process.join()
