"""Runs the parts one after the other, each in its own process with a limit, and skips those that have a record."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

from experiments.benchmarks.gpu.parts import Part, Size
from experiments.jobs.pool import last_line
from gan_jax.system import files

_MODULE = "experiments.benchmarks.gpu.one_part"
_LEAST_SECONDS = 10.0  # A part is not started with less time than this.
_GRACE_SECONDS = 5.0  # between the request to stop and the end of all processes of a part


def read(folder: pathlib.Path, name: str) -> dict | None:
    """The record of a part; None if there is none yet."""
    path = folder / f"{name}.json"
    return files.read_table(path, "remove it") if path.is_file() else None


def is_done(record: dict | None, retry: bool) -> bool:
    """Whether a part needs no process: it has a result, or failed and is not to be tried again."""
    if record is None or record.get("result", {}).get("unfinished"):
        return False
    return not ("error" in record and retry)


def _end(process: subprocess.Popen) -> None:
    """Ends a part and the processes that it started."""
    os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE_SECONDS)
    # Its children are in its process group, also if it has ended.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _run(part: Part, folder: pathlib.Path, size: Size, limit: float) -> str:
    """Measures a part; returns its error, "" without one."""
    command = [sys.executable, "-m", _MODULE, part.name, str(folder), "--seconds", f"{limit:.0f}"]
    command += (["--tiny"] if size.tiny else []) + (["--idx", size.idx] if size.idx else [])
    log = folder / f"{part.name}.log"
    # By default each process would reserve most of the GPU's memory.
    variables = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", **os.environ, **part.variables}
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=variables, start_new_session=True)
    try:
        code = process.wait(limit)
    except subprocess.TimeoutExpired:
        _end(process)
        return f"not done within {limit:.0f} s: {last_line(log)}"
    except BaseException:  # Ctrl-C
        _end(process)
        raise
    return "" if code == 0 else f"exit code {code}: {last_line(log)}"


def run_parts(parts: list[Part], folder: pathlib.Path, size: Size, seconds: float, retry: bool) -> list[str]:
    """Measures the parts that are not done; returns the names of those for which the time was too short."""
    folder.mkdir(parents=True, exist_ok=True)
    end, waiting = time.monotonic() + seconds, []
    for part in parts:
        if is_done(read(folder, part.name), retry):
            print(f"{part.name}: has a record", flush=True)
            continue
        left = end - time.monotonic()
        if left < min(_LEAST_SECONDS, part.seconds):
            waiting.append(part.name)
            continue
        start_time = time.monotonic()
        error = _run(part, folder, size, min(part.seconds, left))
        took = time.monotonic() - start_time
        print(f"{part.name}: {error or 'done'}, {took:.0f} s", flush=True)
        if error:
            record = {"part": part.name, "tiny": size.tiny, "error": error, "seconds": round(took, 1)}
            files.write_text(folder / f"{part.name}.json", json.dumps(record, indent=2) + "\n")
    return waiting
