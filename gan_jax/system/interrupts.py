"""Signals that ask a run to stop. They are recorded first; the training loop stops later, at a safe point."""

import signal
import threading


class Interrupts:
    """Inside `with`, the first SIGTERM or SIGINT only sets `received`; the second one has its usual effect."""

    def __init__(self):
        self.received = None
        self._usual_handlers = {}

    def __enter__(self):
        if threading.current_thread() is not threading.main_thread():
            return self  # Python gives signals to the main thread only, which decides what they end.
        numbers = (signal.SIGTERM, signal.SIGINT)
        self._usual_handlers = {number: signal.signal(number, self._record) for number in numbers}
        return self

    def __exit__(self, *error):
        for number, handler in self._usual_handlers.items():
            signal.signal(number, handler)

    def _record(self, number, frame):
        self.received = signal.Signals(number).name
        self.__exit__()
