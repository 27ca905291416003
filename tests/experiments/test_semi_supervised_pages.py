"""The page of experiments.semi_supervised from given results: rows, pairs and collapsed networks."""

import json
import pathlib
import shutil

from experiments.semi_supervised import report

RESULTS = pathlib.Path("experiments/results/semi_supervised")


def result(folder, recipe, errors, dtype="float32", seeds=(0, 1, 2), status=(), device="cpu"):
    """Writes the file of a cell; errors: test errors of each seed; status: seed -> status, if not completed."""
    provenance = {
        "commit": "c" * 40 + "+changes",
        "data": {"used": "mnist"},
        "device": {"kind": device},
        "versions": {"jax": "0"},
    }
    record = {"test_errors_raw": 99, "validation_errors": 8, "num_validation": 1000, "num_test": 10000, "epochs": 1.0}
    record |= {"seconds": 60.0, "status": "completed", "curve": [[1, 0.02], [2, 0.0]], "frechet_distance": [45.27]}
    record["confusions"] = [[4, 9, 19], [7, 2, 3]]
    table = {"recipe": recipe, "title": "t", "config": "c", "changes": {}, "num_labels": 100, "ensembles": {}}
    seeds = [
        record
        | {
            "seed": seed,
            "draw": seed,
            "test_errors": num_errors,
            "provenance": provenance,
            "status": dict(status).get(seed, "completed"),
        }
        for seed, num_errors in zip(seeds, errors, strict=False)
    ]
    cell = recipe + ("" if dtype == "float32" else f"-{dtype}") + ("" if device == "cpu" else "-gpu")
    (folder / f"{cell}@labels-100.json").write_text(json.dumps(table | {"dtype": dtype, "seeds": seeds}))


def test_a_page_has_the_published_rows(tmp_path):
    for dtype in ("float32", "bfloat16"):
        result(tmp_path, "quick", [90], dtype)
    report.write(tmp_path)
    page = (tmp_path / report.PAGE).read_text()
    assert "](curves.png)" in page
    assert f"trained at commit {'c' * 12}+changes." in page
    assert (tmp_path / "curves.png").stat().st_size > 1000
    assert "| quick | 100 | 1 | 90.0 | 90 | 4 as 9: 19 | 99.0 | - | 0.80% | - | 45.3 | 1 | 1 |" in page
    assert "| quick, bfloat16 | 100 | 1 |" in page
    assert "| published | 100 | 10 | 93.0 ± 6.5 |" in page
    assert "One change" not in page
    assert "Samples" not in page, "there are none"


def test_a_page_compares_each_change_with_its_base_in_pairs(tmp_path):
    result(tmp_path, "quick", [90, 120, 100])
    result(tmp_path, "entropy", [97, 131])  # +7 and +11: the third draw has no pair
    result(tmp_path, "cosine", [80], "bfloat16")  # Its base was trained only with another dtype.
    report.write(tmp_path)
    page = (tmp_path / report.PAGE).read_text()
    assert "## One change to quick" in page
    assert "| entropy | 100 | 2 | 114.0 ± 24.0 | 97, 131 | +9.0 ± 2.8 | +0.0 ± 0.0 points | 0.80 ± 0.00% |" in page
    assert "| cosine, bfloat16 | 100 | 1 | 80.0 | 80 |  |  | 0.80% |" in page
    assert page.index("| cosine") < page.index("| entropy"), "the fewest errors first"
    assert "](curves-quick.png)" in page


def test_networks_trained_on_a_gpu_have_separate_rows(tmp_path):
    result(tmp_path, "quick", [90, 100])
    result(tmp_path, "quick", [80, 60], device="GPU X")
    result(tmp_path, "entropy", [85, 67], device="GPU X")
    report.write(tmp_path)
    page = (tmp_path / report.PAGE).read_text()
    assert "| quick, GPU X | 100 | 2 | 70.0 ± 14.1 |" in page
    assert "| entropy, GPU X | 100 | 2 | 76.0 ± 12.7 | 85, 67 | +6.0 ± 1.4 |" in page
    assert "Devices: GPU X, cpu (cpu where none is named)" in page


def test_a_change_with_ten_label_subsets_is_compared_with_the_published_errors(tmp_path):
    for recipe, draws in (("entropy", 10), ("cosine", 9)):
        result(tmp_path, recipe, range(90, 90 + draws), seeds=range(draws))
    report.write(tmp_path)
    first, changes = (tmp_path / report.PAGE).read_text().split("## One change to quick")
    assert "| entropy | 100 | 10 | 94.5 ± 3.0 |" in first
    assert "| published | 100 | 10 | 93.0 ± 6.5 |" in first
    assert "| cosine" not in first
    assert "| entropy" in changes
    assert "| cosine" in changes


def test_a_collapsed_network_is_counted_and_the_mean_of_all_stands_beside_the_mean(tmp_path):
    result(tmp_path, "quick", [90, 1111, 100], status={1: "collapsed"})
    result(tmp_path, "entropy", [91, 95, 105])  # +1 and +5: the second draw has no pair
    result(tmp_path, "cosine", [8000], status={0: "collapsed"})
    result(tmp_path, "pull_away", [92, 5000, 94], status={1: "collapsed"})
    report.write(tmp_path)
    page = (tmp_path / report.PAGE).read_text()
    mean = "95.0 ± 7.1 (1 of 3 collapsed; all: 433.7 ± 586.6)"
    assert f"| quick | 100 | 2 of 3 (seed 0, 2) | {mean} | 90, 100; collapsed: 1111 |" in page
    assert "| entropy | 100 | 3 | 97.0 ± 7.2 | 91, 95, 105 | +3.0 ± 2.8 |" in page
    assert "| cosine (collapsed) | 100 | 1 | 8000.0 (1 of 1 collapsed) | 8000 | +7910.0 |" in page
    assert page.index("| pull_away") < page.index("| entropy"), "in the order of the means that are shown"


def test_the_page_on_record_is_what_its_results_give(tmp_path, monkeypatch):
    for path in RESULTS.glob("*@labels-*.json"):
        shutil.copyfile(path, tmp_path / path.name)
    for folder in ("samples", "mistakes"):
        (tmp_path / folder).symlink_to((RESULTS / folder).resolve())
    monkeypatch.setattr(report, "_draw", lambda *arguments: None)  # The curves take seconds and are no text.
    report.write(tmp_path)
    assert (tmp_path / report.PAGE).read_text() == (RESULTS / report.PAGE).read_text()


def test_a_page_with_only_one_change(tmp_path):
    result(tmp_path, "entropy", [97])
    result(tmp_path, "cosine", [97], seeds=[2])
    report.write(tmp_path)
    page = (tmp_path / report.PAGE).read_text()
    assert "published errors" not in page
    assert "| cosine | 100 | 1 (seed 2) | 97.0 |" in page
    assert "| entropy | 100 | 1 | 97.0 | 97 |  |  |" in page
