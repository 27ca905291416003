"""The docstrings of recipes for few labels: every number of a result is one of its record."""

import itertools
import json
import pathlib
import re

import numpy as np
import pytest

RESULTS = pathlib.Path("experiments/results/semi_supervised")
RECIPES = {path.stem: path for path in sorted(pathlib.Path("configs/semi_supervised").glob("[!_]*.py"))}
RECIPES["sgan"] = pathlib.Path("configs/sgan.py")


def result_paragraphs(path):
    """The paragraphs of a docstring that report errors."""
    docstring = path.read_text().split('"""')[1]
    paragraphs = [paragraph.replace("\n", " ") for paragraph in docstring.split("\n\n")]
    return [text for text in paragraphs if re.search(r"\d errors|errors? [a-z ]*\d|Errors [a-z ]*", text)]


def mean_and_sd(values):
    return (f"{np.mean(values):.1f}", f"{np.std(values, ddof=1):.1f}") if len(values) > 1 else ()


def numbers_of(recipe):
    """Every number that a sentence may quote of a recipe: labels, errors, distances, minutes, images."""
    numbers = set()
    for path in RESULTS.glob(f"{recipe}@*.json"), RESULTS.glob(f"{recipe}-*@*.json"):
        for cell in map(json.loads, (file.read_text() for file in path)):
            rows = cell["seeds"]
            errors, minutes = [row["test_errors"] for row in rows], [round(row["seconds"] / 60) for row in rows]
            by_subset = [
                np.mean([row["test_errors"] for row in subset])
                for _, subset in itertools.groupby(sorted(rows, key=lambda row: row["draw"]), lambda row: row["draw"])
            ]
            distances = [row["frechet_distance"][0] for row in rows if row.get("frechet_distance")]
            numbers |= {str(number) for number in [cell["num_labels"], *errors, *minutes, rows[0]["num_test"]]}
            numbers |= {f"{distance:.1f}" for distance in distances}
            for values in (by_subset, distances, list(cell["ensembles"].values())):
                numbers |= set(mean_and_sd(values))
    return numbers


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_results_of_a_docstring_are_on_record(recipe):
    paragraphs = result_paragraphs(RECIPES[recipe])
    docstring = RECIPES[recipe].read_text().split('"""')[1]
    if not numbers_of(recipe):
        assert "Not trained" in docstring
        return
    assert paragraphs
    for text in paragraphs:
        allowed = set.union(*map(numbers_of, [recipe, *re.findall(r"`(\w+)`", text)]))
        quoted = {
            number.replace(",", "")
            for number in re.findall(r"\d[\d,]*\.?\d*(?<=\d)", re.sub(r"H200|bfloat16|float32", "", text))
        }
        assert quoted
        assert quoted <= allowed, f"{recipe}: {sorted(quoted - allowed)} have no record"
