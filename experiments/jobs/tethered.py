"""Runs a module, and sends SIGTERM to it when standard input closes: then the process that started it has ended.

python -m experiments.jobs.tethered MODULE ARGUMENTS
"""

import os
import runpy
import signal
import sys
import threading


def _watch() -> None:
    """Ends this process by SIGTERM, on which every command saves."""
    # Not sys.stdin: a thread that waits in it would disturb the interpreter when it closes sys.stdin at exit.
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_watch, daemon=True).start()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
