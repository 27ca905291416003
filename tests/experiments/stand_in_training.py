"""Replaces gan_jax.main: a score every 0.05 seconds, which falls to |log10(learning rate) + 3| + 1."""

import json
import math
import pathlib
import signal
import sys
import time


def stop(*_):
    sys.exit(75)


def main():
    arguments = dict(argument.removeprefix("--config.").removeprefix("--").split("=", 1) for argument in sys.argv[1:])
    folder = pathlib.Path(arguments["workdir"])
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "starts.txt").open("a") as file:
        file.write("start\n")
    signal.signal(signal.SIGTERM, stop)
    rate = float(arguments.get("g_optimizer.learning_rate", 0.1))
    if rate > 5:
        print("error: no such rate", file=sys.stderr)
        sys.exit(2 if rate < 50 else 1)
    path = folder / "metrics.jsonl"
    done = len(path.read_text().splitlines()) if path.exists() else 0
    for step in range(done + 1, 5):
        time.sleep(0.05)
        score = abs(math.log10(rate) + 3) + 1 + 1 / step
        row = {"step": step, "validation_frechet_distance": score, "validation_conditional_accuracy": 1 / score}
        with path.open("a") as file:
            file.write(json.dumps(row) + "\n")
    time.sleep(float(arguments.get("g_optimizer.b1", 0)) * 10)


if __name__ == "__main__":
    main()
