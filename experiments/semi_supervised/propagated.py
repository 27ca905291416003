"""Label propagation without a network: python -m experiments.semi_supervised.propagated --labels 20,50,100,200

Counts the training images whose propagated label is wrong, for each label subset. Writes to --output: propagated.json,
and the page propagated.md from it.
The recipes *_propagated begin with these labels. The true labels are used for this count only.
"""

import argparse
import pathlib
import statistics
import sys

if not __package__:  # Started as a file: python experiments/semi_supervised/propagated.py
    sys.path[0] = str(pathlib.Path(__file__).resolve().parents[2])

import numpy as np

from experiments.jobs.arguments import add_folders, check_at_least, idx_source
from experiments.reporting import markdown, record
from experiments.semi_supervised import recipes
from experiments.semi_supervised.__main__ import OUTPUT, whole_numbers
from gan_jax import cli
from gan_jax.runs.provenance import provenance
from gan_jax.semi_supervised.labels import few_labels
from gan_jax.semi_supervised.propagation import NUM_NEIGHBOURS, neighbour_graph
from gan_jax.system.errors import UserError
from gan_jax.training import session

NAME = "propagated"


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.semi_supervised.propagated", description=__doc__, allow_abbrev=False
    )
    parser.add_argument("--labels", default="20,50,100,200", help="numbers of labelled images with commas")
    parser.add_argument("--draws", type=int, default=10, help="number of label subsets (default 10)")
    add_folders(parser, OUTPUT)
    arguments = parser.parse_args()
    arguments.numbers = whole_numbers(arguments.labels)
    if min(arguments.numbers) < 1:
        raise UserError(f"--labels={arguments.labels}: labels are propagated from few: --labels 20,100")
    check_at_least(1, draws=arguments.draws)
    return arguments


def shares(config, dataset, graph, draws: int) -> list[float]:
    """For each draw, the share of the training images with a wrong label in training."""
    true, number = dataset.train.labels, config.data.num_labels
    return [float(np.mean(few_labels(dataset, number, draw, graph).labels != true)) for draw in range(draws)]


def page(table: dict) -> str:
    """The page of a record."""
    rows = []
    for number, wrong in table["wrong"].items():
        sd = f" ± {statistics.stdev(wrong):.1%}" if len(wrong) > 1 else ""
        rows.append([number, f"{statistics.fmean(wrong):.1%}{sd}", ", ".join(f"{share:.1%}" for share in wrong)])
    draws = max(map(len, table["wrong"].values()))
    note = (
        f"Share of wrong propagated labels among the {table['num_train']} training images of {table['data']}, "
        f"for label subsets 0 to {draws - 1} (the same as the recipes'). {table['num_neighbours']} nearest "
        f"neighbours of pixels; no network and no training; commit {markdown.commit(table['commit'])}."
    )
    return f"# Propagated labels\n\n{note}\n\n{markdown.table(['labels', 'wrong, mean', 'by draw'], rows)}\n"


def main() -> None:
    arguments = _parse()
    shared = idx_source(arguments.idx)
    tasks = [
        (number, recipes.config("short_propagated", number, arguments.draws, 0, shared)) for number in arguments.numbers
    ]
    dataset = session.load_data(tasks[0][1].data, arguments.data_dir)
    graph, wrong = neighbour_graph(dataset.train.images, arguments.data_dir), {}
    for number, config in tasks:
        wrong[str(number)] = shares(config, dataset, graph, arguments.draws)
        print(f"{number} labels: {statistics.fmean(wrong[str(number)]):.1%} of the labels are wrong", flush=True)
    table = {"wrong": wrong, "num_train": len(dataset.train.labels), "num_neighbours": NUM_NEIGHBOURS}
    table |= {"data": dataset.name, "commit": provenance()["commit"]}
    path = record.write(pathlib.Path(arguments.output), NAME, table, page(table))
    print(f"all done: {path}")


if __name__ == "__main__":
    cli.execute(main)
