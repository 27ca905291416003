"""Runs a module that saves when it is told to end, and tells it so once standard input closes: whoever held it is gone.

python -m experiments.jobs.tethered MODULE words
"""

import os
import runpy
import signal
import sys
import threading


def _watch() -> None:
    """Ends this process by the signal that every command answers by saving."""
    # Not sys.stdin: a thread that waits in there keeps the interpreter from closing it in peace.
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_watch, daemon=True).start()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
