"""A progress line: percent, steps per second, time left."""

import sys
import time


class Progress:
    """Rewrites one line on a terminal; elsewhere prints a line now and then."""

    _LINE_SECONDS = 20.0

    def __init__(self, total: int, start: int, what: str = "step"):
        self._what, self._total, self._start, self._first_timed = what, total, start, None
        self._began = self._printed = time.monotonic()

    def update(self, step: int) -> float:
        """Shows `step` as done; returns steps per second since the first call, whose compilation is left out."""
        now = time.monotonic()
        if self._first_timed is None:
            self._first_timed, self._began, rate = step, now, 0.0
        else:
            rate = (step - self._first_timed) / max(now - self._began, 1e-9)
        due = 0.2 if sys.stderr.isatty() else self._LINE_SECONDS
        if now - self._printed >= due or step == self._total:
            self._printed = now
            left = f"{(self._total - step) / rate:.0f} s left" if rate else "compiling"
            line = f"{self._what} {step}/{self._total}  {100 * step / self._total:.0f}%  {rate:.2f} steps/s  {left}"
            end = "" if sys.stderr.isatty() else "\n"
            print(f"\r{line:<70}" if not end else line, end=end, file=sys.stderr, flush=True)
        return round(rate, 3)

    def close(self) -> None:
        if sys.stderr.isatty():
            print(file=sys.stderr)
