"""The tables of feature_networks.json in Markdown, as they are in docs/scores.md."""

import math

import numpy as np

from experiments.reporting import markdown


def tables(record: dict) -> str:
    """The tables of the parts that the record has."""
    found = []
    if {"accuracies", "speeds"} <= set(record):
        found.append(sides_table(record["accuracies"], record["speeds"]))
    if "orders" in record:
        found.append(orders_table(record["orders"]))
    return "\n\n".join([*found, *(f"{part}: {conditions(record[part])}" for part in sorted(record))])


def conditions(part: dict) -> str:
    """Data, device, versions and commit of a part of the record."""
    return (
        f"{part['data']}; {part['cpu_cores']} CPU cores ({part['cpu']}); a load of {part['load_average']:.1f} at the "
        f"start; jax {part['versions']['jax']}; commit {markdown.commit(part['commit'])}."
    )


def sides_table(accuracies: dict, speeds: dict) -> str:
    """A row for each side of the network's input. +- is the binomial standard error over the test images."""
    speed_of, rows = {row["side"]: row for row in speeds["rows"]}, []
    for row in accuracies["rows"]:
        error = math.sqrt(row["test"] * (1 - row["test"]) / accuracies["num_test"])
        cells = ["none: the pixels", "-", "-"]
        if speed := speed_of.get(row.get("side")):
            side, cpu = speed["side"], 1000 * speed["cpu_seconds_per_image"]
            cells = [f"{side} x {side}", f"{speed['images_per_second']:.0f}", f"{cpu:.1f}"]
        rows.append([*cells, f"{row['validation']:.3f}", f"{row['test']:.3f} +- {error:.3f}"])
    head = ["input of the network", "images/s", "CPU ms an image", "accuracy, validation", "accuracy, test"]
    return markdown.table(head, rows)


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
