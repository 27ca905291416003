"""The tables of feature_networks.json in Markdown, as they are in docs/scores.md."""

import math

import numpy as np

from experiments.reporting import markdown


def conditions(part: dict) -> str:
    """The line under a table: data, device, versions and commit. part: "sides" or "orders" of the record."""
    return (
        f"{part['data']}; {part['cpu_cores']} CPU cores ({part['cpu']}) with a load of {part['load_average']:.1f} from "
        f"other programs; jax {part['versions']['jax']}; commit {markdown.commit(part['commit'])}."
    )


def sides_table(part: dict) -> str:
    """A row for each side of the network's input. +- is the binomial standard error over the test images."""
    rows = []
    for row in part["rows"]:
        speed = f"{row['images_per_second']:.0f}" if "side" in row else "-"
        error = math.sqrt(row["test"] * (1 - row["test"]) / part["num_test"])
        name = f"{row['side']} x {row['side']}" if "side" in row else "none: the pixels"
        rows.append([name, speed, f"{row['validation']:.3f}", f"{row['test']:.3f} +- {error:.3f}"])
    return markdown.table(["input of the network", "images/s", "accuracy, validation", "accuracy, test"], rows)


def orders_table(part: dict) -> str:
    """A row for each set, with its distances in each of the features. The first set is of real images."""
    head, by_set = ["set"], zip(*(column["sets"] for column in part["columns"]), strict=True)
    for column in part["columns"]:
        head += [f"Frechet, {column['extractor']}", f"kernel, {column['extractor']}"]
    real = [np.mean(column["sets"][0]["frechet_distance"]) for column in part["columns"]]
    rows = []
    for sets in by_set:
        cells = [sets[0]["set"]]
        for distances, of_real in zip(sets, real, strict=True):
            cells.append(_distance(distances["frechet_distance"], of_real))
            cells.append(_with_spread(distances["kernel_distance"], 5))
        rows.append(cells)
    return markdown.table(head, rows)


def _distance(values: list[float], real: float) -> str:
    """Mean and standard deviation of several sets; of one set its distance and the multiple of that of real images."""
    return _with_spread(values, 2) if len(values) > 1 else f"{values[0]:.2f} ({values[0] / real:.1f} x)"


def _with_spread(values: list[float], digits: int) -> str:
    spread = f" +- {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else ""
    return f"{np.mean(values):.{digits}f}{spread}"
