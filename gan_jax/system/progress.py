"""A progress line: percent, steps per second, time left."""

import sys
import time


class Progress:
    """Rewrites one line on a terminal; elsewhere prints a line now and then.

    show: without it nothing is printed.
    rate: steps per second since the first update, so that compilation is left out; 0 until the second one.
    """

    _LINE_SECONDS = 20.0

    def __init__(self, total: int, start: int, what: str = "step", show: bool = True):
        self.rate = 0.0
        self._what, self._total, self._first = what, total, None
        self._began = self._printed = time.monotonic()
        self._shown, self._terminal = show, sys.stderr.isatty()
        self._show(start, "compiling")

    def update(self, step: int) -> None:
        """Notes that `step` is done."""
        now = time.monotonic()
        if self._first is None:
            self._first = (step, now)
        elif now > self._first[1]:
            self.rate = round((step - self._first[0]) / (now - self._first[1]), 3)
        if now - self._printed >= (0.2 if self._terminal else self._LINE_SECONDS) or step == self._total:
            self._printed = now
            left = f"{(self._total - step) / self.rate:.0f} s left" if self.rate else "timing"
            self._show(step, f"{self.rate:.2f} steps/s  {left}")

    @property
    def seconds(self) -> float:
        """Since the start, compilation included."""
        return time.monotonic() - self._began

    def _show(self, step: int, rest: str) -> None:
        if not self._shown:
            return
        line = f"{self._what} {step}/{self._total}  {100 * step / self._total:.0f}%  {rest}"
        print(
            f"\r{line:<78}" if self._terminal else line, end="" if self._terminal else "\n", file=sys.stderr, flush=True
        )

    def close(self) -> None:
        """Ends the line."""
        if self._terminal and self._shown:
            print(file=sys.stderr)
