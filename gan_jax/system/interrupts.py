"""Signals that ask a run to stop: noted, and answered between two calls."""

import signal


class Interrupts:
    """Inside `with`, the first SIGTERM or SIGINT is only noted in `received`; the second one acts as usual."""

    def __init__(self):
        self.received = None
        self._usual = {}

    def __enter__(self):
        self._usual = {number: signal.signal(number, self._note) for number in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *error):
        for number, handler in self._usual.items():
            signal.signal(number, handler)

    def _note(self, number, frame):
        self.received = signal.Signals(number).name
        self.__exit__()
