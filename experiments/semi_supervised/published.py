"""The published program on gan_jax's label subsets: python -m experiments.semi_supervised.published --labels 20

The program is published_program.py, which needs PyTorch: pip install torch. --epochs 300 is the published length.
Ctrl-C stops and keeps the last complete epoch; the same command continues. Each label subset (draw) has a JSON file in
--output, and published.md has a table of all.
"""

import argparse
import importlib.metadata
import pathlib
import re
import statistics
import sys
import time

if not __package__:  # Started as a file: python experiments/semi_supervised/published.py
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[2])

from experiments.jobs import records
from experiments.jobs.arguments import add_folders, check_at_least, idx_source
from experiments.reporting import markdown
from experiments.semi_supervised import recipes
from experiments.semi_supervised.__main__ import OUTPUT, whole_numbers
from gan_jax import cli
from gan_jax.data.dataset import Dataset
from gan_jax.runs.dataset import describe, without_source_folder
from gan_jax.runs.provenance import provenance
from gan_jax.semi_supervised.labels import training_batches
from gan_jax.system.errors import Interrupted, UserError
from gan_jax.system.files import atomic_write, write_sealed, write_text
from gan_jax.system.interrupts import Interrupts
from gan_jax.system.progress import Progress
from gan_jax.training import session

PAGE, _FOLDER = "published.md", "published"
_SHOWN = (1, 2, 5, 10, 20, 50, 100, 200, 300)  # epochs with a column in the table, as far as they were trained


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.semi_supervised.published", description=__doc__, allow_abbrev=False
    )
    parser.add_argument("--labels", default="20", help="numbers of labelled images with commas (default 20)")
    parser.add_argument("--draws", default="0,1,2", help="label subsets with commas (default 0,1,2)")
    parser.add_argument("--epochs", type=int, default=20, help="length (default 20; published: 300)")
    add_folders(parser, OUTPUT, "runs/semi_supervised_published")
    arguments = parser.parse_args()
    if min(whole_numbers(arguments.labels)) < 1:
        raise UserError(f"--labels={arguments.labels}: the published program learns from few labels: --labels 20,100")
    check_at_least(1, epochs=arguments.epochs)
    if not re.fullmatch(r"\d{1,9}(,\d{1,9})*", arguments.draws, re.ASCII):
        raise UserError(f"--draws={arguments.draws}: whole numbers with commas: --draws 0,1,2")
    arguments.draws = [int(word) for word in arguments.draws.split(",")]
    return arguments


def _torch_version() -> str:
    try:
        return importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        raise UserError("the published program needs PyTorch beside the requirements: pip install torch") from None


def _tensors(images, labels):
    """uint8 [N, H, W, C] and classes -> [N, P] in [0, 1] and int64 [N]."""
    import torch

    return torch.tensor(images.reshape(len(images), -1)) / 255, torch.tensor(labels).long()


def _program(dataset: Dataset, config):
    import torch

    from experiments.semi_supervised.published_program import Program

    torch.set_flush_denormal(True)  # numbers below 1e-38 cost several times the time
    (data,) = training_batches(config, dataset, [config.seed])
    images, _ = _tensors(data.images, data.labels)
    return Program(images, *_tensors(data.labelled.images, data.labelled.labels), config.seed)


def _draw(dataset: Dataset, config, epochs: int, saved: pathlib.Path, interrupts: Interrupts) -> dict:
    """Trains on one label subset, from the saved epoch if there is one, and scores it; Interrupted after a signal."""
    import torch

    program, rows, seconds = _program(dataset, config), [], 0.0
    if saved.is_file():
        state = torch.load(saved, weights_only=True)
        program.load_state_dict(state["program"])
        rows, seconds = state["rows"], state["seconds"]
    held_out = _tensors(*dataset.validation)
    per_epoch = len(dataset.train.labels) // program.batch
    progress = Progress(epochs * per_epoch, len(rows) * per_epoch)
    while len(rows) < epochs:
        start_time, losses = time.monotonic(), []
        for loss in program.epoch():
            losses.append(loss)
            progress.update(len(rows) * per_epoch + len(losses))
            if interrupts.received:
                progress.close()
                raise Interrupted(f"{interrupts.received}: {len(rows)} epochs are saved; the same command continues")
        seconds += time.monotonic() - start_time
        means = [statistics.fmean(values) for values in zip(*losses, strict=True)]
        rows.append([*means, program.errors(*held_out)])
        with atomic_write(saved) as partial:
            torch.save({"program": program.state_dict(), "rows": rows, "seconds": seconds}, partial)
    progress.close()
    run_info = provenance()
    return {
        "num_labels": config.data.num_labels,
        "draw": config.seed,
        "epochs": epochs,
        "columns": ["class loss", "adversarial loss", "matching loss", "wrong of those held out"],
        "rows": rows,
        "num_validation": len(held_out[1]),
        "test_errors": program.errors(*_tensors(*dataset.test)),
        "num_test": len(dataset.test.labels),
        "seconds": seconds,
        "provenance": {name: run_info[name] for name in ("commit", "python", "cpu_cores")}
        | {"torch": _torch_version(), "device": "cpu", "data": without_source_folder(describe(dataset))},
    }


def _write_page(output: pathlib.Path) -> None:
    """published.md, from every draw in the folder."""
    paths = output.joinpath(_FOLDER).glob("*.json")
    draws = sorted(
        map(records.read, paths), key=lambda record: (record["num_labels"], record["epochs"], record["draw"])
    )
    shown = [epoch for epoch in _SHOWN if epoch <= max(record["epochs"] for record in draws)]
    lines = []
    for record in draws:
        held_out = [100 * row[-1] / record["num_validation"] for row in record["rows"]]
        matching = [row[2] for row in record["rows"]]
        lines.append(
            [record["num_labels"], record["draw"], record["epochs"], record["test_errors"]]
            + [f"{held_out[epoch - 1]:.1f}%" if epoch <= len(held_out) else "" for epoch in shown]
            + [f"{max(matching):.3g}", f"{matching[-1]:.3g}", round(record["seconds"] / 60)]
        )
    head = ["labels", "draw", "epochs", "errors", *(f"held out, epoch {epoch}" for epoch in shown)]
    first = draws[0]
    commits = ", ".join(sorted({markdown.commit(record["provenance"]["commit"]) for record in draws}))
    note = (
        f"The program of arXiv 1606.03498, written again in PyTorch, on the label subsets of gan_jax's recipes (draw s "
        f"is the subset of seed s). Errors: wrong classes of {first['num_test']} test images of "
        f"{first['provenance']['data']['used']} by the averaged discriminator, counted once, after the last epoch. "
        f"Held out: share of wrong classes among {first['num_validation']} training images that it does not train on. "
        f"These held-out images are the only difference from the published program. The matching loss is the mean of "
        f"an epoch. PyTorch {first['provenance']['torch']}, CPU, commit {commits}. Minutes are wall time; other "
        f"programs ran at the same time."
    )
    head += ["matching loss, most", "at the end", "minutes"]
    write_text(output / PAGE, f"# The published program\n\n{note}\n\n{markdown.table(head, lines)}\n")


def main() -> None:
    arguments = _parse()
    _torch_version()
    output, workdir = pathlib.Path(arguments.output), pathlib.Path(arguments.workdir)
    shared = idx_source(arguments.idx)
    with Interrupts() as interrupts:
        for number in whole_numbers(arguments.labels):
            for draw in arguments.draws:
                config = recipes.config("quick", number, 0, arguments.epochs, shared)
                config.seed = draw
                name = f"labels-{number}-epochs-{arguments.epochs}-draw-{draw}"
                record = output / _FOLDER / f"{name}.json"
                if record.is_file():
                    print(f"{name}: done", flush=True)
                    continue
                for folder in (record.parent, workdir):
                    folder.mkdir(parents=True, exist_ok=True)
                print(name, flush=True)
                dataset = session.load_data(config.data, arguments.data_dir)
                result = _draw(dataset, config, arguments.epochs, workdir / f"{name}.pt", interrupts)
                write_sealed(record, result)
                _write_page(output)
                print(f"{name}: {result['test_errors']} errors of {result['num_test']}", flush=True)
    _write_page(output)
    print(f"all done: {output / PAGE}")


if __name__ == "__main__":
    cli.execute(main)
