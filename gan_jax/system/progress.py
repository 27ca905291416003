"""A progress line: percent, steps per second, time left."""

import contextlib
import contextvars
import sys
import time
from collections.abc import Iterator

# Per thread, so that two runs in one process do not hide each other's line.
_is_hidden = contextvars.ContextVar("_is_hidden", default=False)


@contextlib.contextmanager
def hidden() -> Iterator[None]:
    """Inside `with`, this thread shows no progress and `say` prints nothing."""
    token = _is_hidden.set(True)
    try:
        yield
    finally:
        _is_hidden.reset(token)


def say(line: str) -> None:
    """Prints a line about a run that is not hidden."""
    if not _is_hidden.get():
        print(line)


def _in_notebook() -> bool:
    """Whether this is a Jupyter kernel, whose output also understands a carriage return."""
    return "ipykernel" in sys.modules and "IPython" in sys.modules


class Progress:
    """On a terminal or in a notebook, rewrites one line. In other outputs, prints a new line every 20 seconds.

    what: the name of a step in the line.
    show: if False, nothing is printed.
    first: what the line says before the first update.
    rate: steps per second since the first update, which excludes compilation. None until LEAST_SECONDS after it.
    """

    LEAST_SECONDS = 0.1
    _LINE_SECONDS = 20.0

    def __init__(self, total: int, start: int, what: str = "step", show: bool = True, first: str = "compiling"):
        self.rate = None
        self._what, self._total, self._first_update, self._step = what, total, None, start
        self._start_time = self._last_print = time.monotonic()
        self._shown = show and not _is_hidden.get()
        self._terminal = sys.stderr.isatty() or _in_notebook()
        self._show(start, first)

    def update(self, step: int) -> None:
        """Reports that `step` is done. Nothing changes if it was reported before."""
        if step <= self._step:
            return
        self._step = step
        now = time.monotonic()
        if self._first_update is None:
            self._first_update = (step, now)
        elif now - self._first_update[1] >= self.LEAST_SECONDS:
            first_step, first_time = self._first_update
            self.rate = round((step - first_step) / (now - first_time), 3)
        if now - self._last_print >= (0.2 if self._terminal else self._LINE_SECONDS) or step == self._total:
            self._last_print = now
            speed = f"{self.rate:.2f} steps/s  {(self._total - step) / self.rate:.0f} s left" if self.rate else "timing"
            self._show(step, speed)

    @property
    def seconds(self) -> float:
        """Seconds since the start, including compilation."""
        return time.monotonic() - self._start_time

    def _show(self, step: int, status: str) -> None:
        if not self._shown:
            return
        line = f"{self._what} {step}/{self._total}  {100 * step / self._total:.0f}%  {status}"
        print(
            f"\r{line:<78}" if self._terminal else line, end="" if self._terminal else "\n", file=sys.stderr, flush=True
        )

    def close(self) -> None:
        """Ends the line."""
        if self._terminal and self._shown:
            print(file=sys.stderr)
