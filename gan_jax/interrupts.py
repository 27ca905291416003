"""Signals that ask a run to stop: noted, and answered between two calls."""

import signal


class Interrupts:
    """From now on the first SIGTERM or SIGINT is only noted in `received`; the second one acts as usual."""

    def __init__(self):
        self.received = None
        self._usual = {number: signal.signal(number, self._note) for number in (signal.SIGTERM, signal.SIGINT)}

    def _note(self, number, frame):
        self.received = signal.Signals(number).name
        self.restore()

    def restore(self) -> None:
        """Both signals act as usual again."""
        for number, handler in self._usual.items():
            signal.signal(number, handler)
