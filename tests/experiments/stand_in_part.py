"""Stands in for experiments.benchmarks.gpu.one_part: a part that does what its name says, at once."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time


def main() -> None:
    name, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    with (folder / "started").open("a") as started:
        started.write(f"{name}\n")
    if name == "crashes":
        print("about to crash", flush=True)
        os.kill(os.getpid(), signal.SIGSEGV)
    if name == "hangs":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        (folder / "child").write_text(str(child.pid))
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
    result = {"variable": os.environ.get("OF_A_PART"), "unfinished": name == "continues"}
    (folder / f"{name}.json").write_text(json.dumps({"part": name, "tiny": False, "result": result}))


if __name__ == "__main__":
    main()
