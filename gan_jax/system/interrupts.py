"""Signals that ask a run to stop. They are recorded first; the training loop stops later, at a safe point."""

import signal


class Interrupts:
    """Inside `with`, the first SIGTERM or SIGINT only sets `received`; the second one has its usual effect."""

    def __init__(self):
        self.received = None
        self._usual_handlers = {}

    def __enter__(self):
        numbers = (signal.SIGTERM, signal.SIGINT)
        self._usual_handlers = {number: signal.signal(number, self._record) for number in numbers}
        return self

    def __exit__(self, *error):
        for number, handler in self._usual_handlers.items():
            signal.signal(number, handler)

    def _record(self, number, frame):
        self.received = signal.Signals(number).name
        self.__exit__()
