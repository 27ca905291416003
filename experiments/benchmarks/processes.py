"""Measurements in processes of their own, and contenders that take turns.

One framework's idle threads would slow down whatever ran beside them in the same process.
"""

import math
import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

_CONTEXT = multiprocessing.get_context("spawn")
# Idle threads of the one before spin for a while.
_REST_SECONDS = 0.5
_ERROR_CHARACTERS = 300


def apart(function: Callable, *arguments: Any) -> Any:
    """function(*arguments) in a fresh process; what it raises is raised here."""
    with ProcessPoolExecutor(1, mp_context=_CONTEXT) as pool:
        return pool.submit(function, *arguments).result()


def _error_line(error: Exception) -> str:
    text = f"{type(error).__name__}: {error}"
    return " ".join(text.split())[:_ERROR_CHARACTERS]


def _serve(make_turn: Callable, arguments: tuple, warm_seconds: float, pipe) -> None:
    """Warms up, says so, and answers every call with the seconds of a turn, until told to stop."""
    try:
        turn, began = make_turn(*arguments), time.monotonic()
        turn()
        while time.monotonic() - began < warm_seconds:
            turn()
        pipe.send("")
        while pipe.recv():
            began = time.perf_counter()
            turn()
            pipe.send(time.perf_counter() - began)
    except Exception as error:  # Whatever a compiler does on a strange machine is that contender's result.
        pipe.send(_error_line(error))


class Contender:
    """A process that waits for its turns. error: why it takes none, "" where all is well."""

    def __init__(self, make_turn: Callable, arguments: tuple, warm_seconds: float, patience_seconds: float):
        """Returns when it is warm, has failed, or has taken longer than its patience besides warming up."""
        self._pipe, theirs = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_serve, args=(make_turn, arguments, warm_seconds, theirs), daemon=True)
        self._process.start()
        theirs.close()
        ready = self._pipe.poll(warm_seconds + patience_seconds)
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
        """Seconds of one turn, or not a number, and `error` says why."""
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
