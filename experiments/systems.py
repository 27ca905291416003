"""A short run of every system on digits, with its scores and pictures: python -m experiments.systems

Each run is `gan_jax.main` with the overrides below, in runs/systems/<name>. Finished runs are skipped and unfinished
runs are continued, so the command can be interrupted and repeated. After each run, the table and the grids are written
to --output. `--data_dir` and `--idx` are folders of the data; `--only cdcgan,sngan` selects systems.
"""

import argparse
import pathlib
import shutil
import subprocess
import sys
import time

if not __package__:  # Started as a file: python experiments/systems.py
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from experiments.jobs.arguments import idx_source
from experiments.reporting import markdown
from gan_jax import cli
from gan_jax.runs.score import DEFAULT_PROTOCOL
from gan_jax.runs.workdir import Workdir
from gan_jax.system import config as configs
from gan_jax.system.errors import UserError
from gan_jax.system.files import read_table

# name -> (config, overrides for a run of minutes on two cores). One seed; nothing was tuned on these scores.
SYSTEMS = {
    "cdcgan": ("configs/cdcgan.py", {}),
    "acgan": ("configs/acgan.py", {}),
    "sgan": ("configs/sgan.py", {"num_steps": 1500}),
    "lsgan": ("configs/lsgan.py", {"num_steps": 1500}),
    "wgan_gp": ("configs/wgan_gp.py", {"num_steps": 500}),
    "sngan": ("configs/sngan.py", {"num_steps": 1500}),
    "sngan-resnet": (
        "configs/sngan.py:resnet",
        {"num_steps": 300, "d_steps": 2, "generator.widths": "32,32,32", "discriminator.widths": "32,32,32,32"},
    ),
    "dcgan": ("configs/dcgan.py", {"num_steps": 1500, "batch_size": 64}),
    "dcgan-upsample": (
        "configs/dcgan.py:upsample",
        {"num_steps": 1000, "batch_size": 64, "generator.widths": "64,64,32"},
    ),
    "cgan": ("configs/cgan.py", {"num_steps": 1500}),
    "cgan-tuned": ("configs/cgan.py:tuned", {"num_steps": 3000}),
    "cgan_final": ("configs/cgan_final.py", {"num_steps": 1500}),
    "improved_cifar10": (
        "configs/improved_cifar10.py",
        {
            "num_steps": 500,
            "batch_size": 50,
            "init_batch_size": 50,
            "data.name": "mnist",
            "data.channels": 1,
            "generator.widths": "64,48,32",
            "discriminator.widths": "24,32,32",
        },
    ),
    "improved_imagenet": ("configs/improved_imagenet.py:small", {}),
}


def command(name: str, workdir: pathlib.Path, idx: str, data_dir: str) -> list[str]:
    """The command line of one run."""
    spec, changes = SYSTEMS[name]
    changes = {"num_epochs": 0, "data.fallback": "mnist_5k", **changes} if "num_steps" in changes else changes
    changes = changes | idx_source(idx)
    arguments = [sys.executable, "-m", "gan_jax.main", "--config", configs.own(spec), "--workdir", str(workdir)]
    arguments += ["--data_dir", data_dir] if data_dir else []
    return arguments + [f"--config.{key}={value}" for key, value in changes.items()]


def row(name: str, workdir: pathlib.Path) -> dict | None:
    """A run's scores, if it has any, and its status; None if there is no run."""
    run, scores = Workdir(str(workdir)).run(), workdir / DEFAULT_PROTOCOL.file_name
    if not run:
        return None
    result = read_table(scores, "delete it") if scores.is_file() else {}
    run_info = {"name": name, "config": SYSTEMS[name][0], "status": run["status"], "minutes": run["seconds"] / 60}
    return {**run_info, "trained": markdown.commit(run["commit"]), **result}


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _note(rows: list[dict]) -> str:
    """The text under the table: data, protocol, scores of real images and versions."""
    scored = [row for row in rows if "frechet_distance" in row]
    if not scored:
        return ""
    first, commits = scored[0], " and ".join(sorted({row["trained"] for row in rows}))
    # Until version 2 of the scores, those of real images were of training images, and errors were of a bootstrap.
    version = first.get("scores_version", 1)
    real_images, error = ("Held-out real", "a") if version > 1 else ("Real training", "a bootstrap")
    real = sorted({row["conditional_accuracy_real"] for row in scored if "conditional_accuracy_real" in row})
    accuracies = ", ".join(map(_share, real)) or "-"
    precision, recall = (_share(first.get(f"{name}_real")) for name in ("precision", "recall"))
    sentences = (
        f"Data {first['data']}, seed 0, last step, {first['num_generated']} generated against {first['num_real']} test",
        f"images, in a classifier's features (its accuracy on the test images: {accuracies}). {real_images} images",
        f"have a Frechet distance of {_number(first['frechet_distance_real'])}, precision {precision} and recall",
        f"{recall} in the first row. +- is {error} standard error over images, not over trainings.",
        f"{first['device']['kind']}, jax {first['versions']['jax']}, trained at commit {commits}. Lengths and",
        "widths that differ from a config's are in experiments/systems.py. Minutes are wall time; other programs ran",
        "at the same time.",
    )
    return "\n" + "\n".join(sentences) + "\n"


def table(rows: list[dict]) -> str:
    """The rows as a Markdown table, with the addresses of the pictures."""
    names = ("system", "step", "minutes", "conditional accuracy", "Frechet distance", "precision", "recall")
    head = [*names, "D as classifier", "grid"]
    lines = [head, ["---"] * len(head)]
    if len({r.get("scores_version", 1) for r in rows if "frechet_distance" in r}) > 1:
        old = min((r for r in rows if "frechet_distance" in r), key=lambda r: r.get("scores_version", 1))
        raise UserError(
            f"the scores of {old['name']} are of an earlier version, and do not compare with the others: score it "
            "again, with python -m gan_jax.evaluate --workdir, or choose another --workdir"
        )
    for r in rows:
        distance = r["status"]
        if "frechet_distance" in r:
            distance = f"{r['frechet_distance']:.2f} +- {r['frechet_distance_standard_error']:.2f}"
        shares = ("conditional_accuracy", "precision", "recall", "discriminator_accuracy")
        conditional, precision, recall, d_accuracy = (_share(r.get(name)) for name in shares)
        cells = [
            f"`{r['config']}` ({r['name']})",
            str(r.get("step", "-")),
            f"{r['minutes']:.1f}",
            conditional,
            distance,
        ]
        lines.append([*cells, precision, recall, d_accuracy, f"![{r['name']}](systems/{r['name']}.png)"])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n" + _note(rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.systems", description=__doc__)
    parser.add_argument("--only", default="", help="names with commas (default: all)")
    parser.add_argument("--idx", default="", help="folder of MNIST as IDX files, if MNIST cannot be downloaded")
    parser.add_argument("--data_dir", default="")
    parser.add_argument("--workdir", default="runs/systems")
    parser.add_argument("--output", default="experiments/results")
    arguments = parser.parse_args()
    names = arguments.only.split(",") if arguments.only else list(SYSTEMS)
    for name in names:
        configs.choose(list(SYSTEMS), name, "--only")
    output, start_time = pathlib.Path(arguments.output), time.monotonic()
    (output / "systems").mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(names):
        folder = pathlib.Path(arguments.workdir) / name
        print(
            f"{name} ({index + 1} of {len(names)}, {(time.monotonic() - start_time) / 60:.0f} min so far)", flush=True
        )
        if not (folder / DEFAULT_PROTOCOL.file_name).is_file():
            process = subprocess.run(command(name, folder, arguments.idx, arguments.data_dir), check=False)
            if process.returncode not in (0, 3):
                raise UserError(f"{name} ended with exit code {process.returncode}; the same command continues the run")
        if grid := Workdir(str(folder)).last_grid():
            shutil.copy(grid, output / "systems" / f"{name}.png")
        rows = [row(system, pathlib.Path(arguments.workdir) / system) for system in SYSTEMS]
        (output / "systems.md").write_text(table([entry for entry in rows if entry]))
    print(f"table {output / 'systems.md'}")


if __name__ == "__main__":
    cli.execute(main)
