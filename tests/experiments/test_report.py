"""The report of the ablation studies: tables against hand numbers, wording, escaping, curves."""

import json
import math
import re

import numpy as np
import pytest

from experiments import report
from experiments.reporting import curves, html, markdown, measures, overview, results
from experiments.reporting import study_section as sections
from experiments.reporting.document import Cell, Paragraph, Table
from experiments.reporting.families import find
from experiments.reporting.findings import Contrast
from experiments.reporting.formats import format_interval
from tests.experiments.canned_studies import ARMS, HOSTILE, canned, of_scores, page_of, parsed, seed_record
from tests.pages import Parsed
from tests.tiny import run


def row_of(table, title):
    return next([c.text if isinstance(c, Cell) else c for c in row] for row in table.rows if row[0] == title)


def findings_of(*studies):
    return find(list(studies), {})


def section_of(study):
    return sections.section(study, findings_of(study)[study.title], *[results.pathlib.Path("none")] * 2)


def test_tables_have_hand_computed_numbers():
    study = parsed()
    findings = findings_of(study)[study.title]
    # adam: mean 11, sd 1; accuracy 0.99 - 0.011, sd 0.001.
    assert row_of(sections.scores_table(study), "adam (baseline)") == [
        *("adam (baseline)", "3 of 3", "11.00", "1.00", "97.9%", "0.1%")
    ]
    assert row_of(sections.scores_table(study), "real training images")[:3] == ["real training images", "-", "6.25"]
    row = row_of(sections.differences_table(study, findings), "radam")
    finding = findings[Contrast("radam", "adam", "frechet_distance")]
    factor = math.exp(np.log([8, 9.5, 9.2]).mean() - np.log([10, 12, 11]).mean())
    assert row[:4] == ["radam", f"x{factor:.2f}", format_interval(finding.interval, finding.metric), "3 and 3"]
    assert row[4:7] == [f"{finding.estimate.p_value:.3f}", f"{finding.p:.3f}", "undecided"]
    assert row[7] == "+0.2"
    assert row[-2:] == ["0 of 3", "1.000"]
    row = row_of(sections.course_table(study), "sgd")
    assert row == [*("sgd", "0 of 3", "0 of 3", "55.00", "54.00", "93.5%", "93.5%"), "500", "483 (3 of 3)", "100", "0"]


def test_failed_seeds_missing_seeds_and_missing_arms():
    records = dict(ARMS)
    records["radam"] = [seed_record(8.0, 0.95), seed_record(0, 0, status="diverged"), None]
    records["sgd"] = [
        seed_record(90.0, 0.15),
        seed_record(90.0, 0.95, recall=0.0),
        seed_record(0, 0, status="collapsed"),
    ]
    records["never"] = []
    study = parsed(arms=records)
    findings = findings_of(study)[study.title]
    assert row_of(sections.scores_table(study), "radam")[1:4] == ["1 of 3", "8.00", "-"]
    row = row_of(sections.differences_table(study, findings), "radam")
    assert (row[1], row[3]) == (f"x{8 / math.exp(np.log([10, 12, 11]).mean()):.2f}", "1 and 3")
    assert row_of(sections.differences_table(study, findings), "sgd")[-2] == "3 of 3"
    assert row_of(sections.differences_table(study, findings), "never")[:4] == ["never", "-", "-", "0 and 0"]
    assert row_of(sections.course_table(study), "radam")[1:3] == ["1 of 2 (1 diverged)", "0 of 1"]
    assert row_of(sections.course_table(study), "sgd")[1:3] == ["1 of 3 (1 collapsed)", "2 of 2"]
    assert "0 of 0" in row_of(sections.course_table(study), "never")
    texts = " ".join(block.text for block in section_of(study) if hasattr(block, "text"))
    assert "radam, seed 1: it diverged" in texts
    assert "Not finished: up to 3 seeds" in texts
    assert "The baseline, absent, is missing." in str(section_of(parsed(baseline="absent")))


def test_threshold_is_accuracy_or_the_baselines_halfway_distance():
    study = parsed()
    assert measures.threshold(study).curve == "validation_conditional_accuracy"
    records = of_scores(adam=[10.0], sgd=[20.0])
    for arm in records.values():
        del arm[0]["curves"]["validation_conditional_accuracy"]
    study = parsed(arms=records)
    threshold = measures.threshold(study)
    assert (threshold.curve, threshold.bound) == ("validation_frechet_distance", pytest.approx(10 + 1000 / 500))
    reached = {name: measures.values(study, name, "steps_to_threshold") for name in records}
    assert reached == {"adam": {0: pytest.approx(500.0)}, "sgd": {0: math.inf}}
    assert row_of(sections.course_table(study), "sgd")[-3] == "never (0 of 1)"


def test_oscillation_is_the_deviation_from_a_line():
    record = seed_record(1, 0.9)
    record["curves"]["d_loss"] = np.linspace(5, 1, 100).tolist()
    study = parsed(arms={"adam": [record, seed_record(1, 0.9, wobble=0.3)]})
    steady, wobbling = measures.values(study, "adam", "d_loss_oscillation").values()
    assert steady == pytest.approx(0, abs=1e-9)
    assert wobbling == pytest.approx(0.3, rel=0.05)


def test_the_summary_claims_only_what_the_seeds_support():
    study = parsed(arms=of_scores(adam=[10, 12, 11, 11.5, 10.5], radam=[8, 9.5, 9.2, 9, 8.4], sgd=[60, 50, 55, 57, 53]))
    (table,) = [block for block in overview.summary([study], findings_of(study)) if isinstance(block, Table)]
    cells = [cell.text if isinstance(cell, Cell) else cell for cell in table.rows[0]]
    assert cells[2] == "2 of 2"
    assert cells[3].startswith("sgd x5.00 (x")
    assert cells[3].endswith("): higher")
    assert cells[4].startswith("radam x0.80 (x")
    assert cells[4].endswith("): lower")
    noisy = parsed(arms=of_scores(adam=[10.0, 12.0, 11.0], sgd=[9.0, 13.0, 12.5]))
    assert ": undecided" in str(overview.summary([noisy], findings_of(noisy)))
    single = parsed(arms=of_scores(adam=[10.0], sgd=[90.0]), seeds=1)
    assert "sgd x9.00: no test" in str(overview.summary([single], findings_of(single)))
    every = [study, noisy, single]
    assert not any("best" in str(overview.summary([each], findings_of(each))).lower() for each in every)


def test_the_noise_of_a_machine_names_the_unstable_programs():
    arms = of_scores(**{f"arm{i}": [10 + i, 10.2 + i, 10.1 + i] for i in range(12)}, adam=[10, 10.1, 9.9])
    arms |= of_scores(wild=[10, 40, 90])
    text = str(overview.homogeneity([parsed(arms=arms)]))
    assert "optimizer@tuned:wild (1.11)" in text
    assert "arm1" not in text


def test_bases_that_disagree():
    up, down = (
        of_scores(adam=[10, 12, 11, 11.5], sgd=[60, 50, 55, 57]),
        of_scores(adam=[60, 50, 55, 57], sgd=[6, 5, 5.5, 6.3]),
    )
    flat = of_scores(adam=[10, 12, 11, 11.5], sgd=[11.1, 11, 12, 10.5])
    on = {name: parsed(base=name, arms=arms, seeds=4) for name, arms in (("tutorial", up), ("tuned", down))}

    def text_of(*studies):
        return overview.where_bases_differ(list(studies), findings_of(*studies))

    assert "opposite ways" in str(text_of(*on.values()))
    assert "decided on tutorial only" in str(text_of(on["tutorial"], parsed(arms=flat, seeds=4)))
    same = text_of(on["tutorial"], parsed(arms=up, seeds=4))
    assert "1 differences are decided the same way" in str(same)
    assert not any(isinstance(block, Table) for block in same)
    assert "No study has been run on two bases" in str(text_of(on["tutorial"]))


def test_the_page_is_one_file_without_external_resources(tmp_path):
    page, text = page_of([canned(arms=ARMS), canned("labels", "tutorial", ARMS, preset="quick")], tmp_path)
    parsed_page = Parsed(page)
    policy = parsed_page.find("meta", **{"http-equiv": "Content-Security-Policy"})["content"]
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'")
    assert not re.search(r"https?:|//|@import|<script", re.sub(r"base64,[\w+/=]+", "", page))
    assert all(a["src"].startswith("data:image/png;base64,") for tag, a in parsed_page.attributes if tag == "img")
    assert sum(tag == "img" for tag, _ in parsed_page.attributes) == 6
    ids = [a["id"] for _, a in parsed_page.attributes if "id" in a]
    assert len(ids) == len(set(ids))
    links = {
        a[key][1:] for _, a in parsed_page.attributes for key in ("href", "xlink:href") if a.get(key, "")[:1] == "#"
    }
    assert links <= set(ids)
    assert set(re.findall(r"url\(#([^)]*)\)", page)) <= set(ids)
    assert sum(tag == "svg" and "viewbox" in a for tag, a in parsed_page.attributes) == 2 * (
        4 + 3
    )  # panels and swatches
    assert page.count(sections.QUICK) == 2
    for expected in ("11.00", "x0.81", "Preset full, 1000 steps, 3 seeds", "frechet_distance_real 6.25"):
        assert expected in page
    assert "| radam | x0.81 | x" in text
    assert "(grids/0000-seed0.png)" in text


def test_hostile_names_are_escaped(tmp_path):
    name = f'x"|@BODY@{HOSTILE}'
    arms = {name: ARMS["adam"], f"{HOSTILE}&amp;": ARMS["sgd"]}
    record = canned(HOSTILE, f"t'{HOSTILE}", arms, baseline=name)
    record |= {
        "question": HOSTILE,
        "protocol": {HOSTILE: HOSTILE},
        "provenance": {"commit": HOSTILE},
        "preset": HOSTILE,
    }
    record["arms"][name]["hash"] = "../../etc/x"
    record["arms"][name]["seeds"]["1"] = seed_record(0, 0, status="crashed") | {"reason": HOSTILE}
    page, text = page_of([record], tmp_path, grids=False)
    assert "<script" not in page + text
    assert "alert(1)" in page
    parsed_page = Parsed(page)
    assert "script" not in parsed_page.texts
    assert any(cell == f"{name} (baseline)" for cell in parsed_page.texts["th"])
    assert not any(key.startswith("on") for _, attributes in parsed_page.attributes for key in attributes)
    # For any name, a row in Markdown is one line with the right number of cells.
    rows = [line for line in text.splitlines() if line.startswith("| x")]
    assert rows
    assert all(re.search(r"\\\|@BODY@", line) for line in rows)


def test_curves_are_means_over_the_common_steps():
    records = [seed_record(1, 0.9), seed_record(1, 0.9, wobble=0.3), seed_record(0, 0, status="diverged", steps=200)]
    study = parsed(arms={"adam": records})
    steps, mean, low, high = curves.band(study.arms["adam"], "g_loss")
    assert len(steps) == 100
    assert mean[:2] == pytest.approx([1.9, 1.5])
    assert (low[0], high[0]) == pytest.approx((1.8, 2.0))
    assert curves.band(study.arms["adam"], "absent") is None
    records[0]["curves"]["g_loss"][3] = math.nan
    long = results.parse(canned(arms={"adam": [seed_record(1, 0.9, steps=100_000)]}))
    assert len(curves.band(long.arms["adam"], "d_loss")[0]) == curves.POINTS
    assert curves.charts(parsed(arms={"adam": [seed_record(1, 0.9) | {"curves": {}}]})) is None


def test_escaping():
    assert html.escape("<a & \"b\" 'c' \u00e9>") == "&lt;a &amp; &quot;b&quot; &#x27;c&#x27; &#233;&gt;"
    assert markdown.page([Paragraph("a | <b> [c](d) *e* `f`\n# g")]) == (
        "a \\| &lt;b&gt; \\[c\\](d) \\*e\\* \\`f\\` # g\n"
    )


def test_a_commit_is_shortened_and_its_changes_are_reported():
    assert [markdown.commit("a" * 40), markdown.commit("a" * 40 + "+changes")] == ["a" * 12, "a" * 12 + "+changes"]
    assert markdown.commit("unknown") == "unknown"


def test_mistakes_get_one_line_of_output(tmp_path, capsys):
    assert run(report, "--input", tmp_path / "none") == 2
    assert run(report, "--input", tmp_path) == 2
    assert "has no <study>@<base>.json" in capsys.readouterr().err
    (tmp_path / "broken@tuned.json").write_text('{"study": 1')
    assert run(report, "--input", tmp_path) == 2
    assert "broken@tuned.json cannot be read" in capsys.readouterr().err
    (tmp_path / "broken@tuned.json").write_text(json.dumps(canned(arms=ARMS)))
    (tmp_path / "file").write_text("")
    assert run(report, "--input", tmp_path, "--output", tmp_path / "file" / "deeper") == 2
    assert "cannot be written" in capsys.readouterr().err


def summary_of(*studies):
    return str(overview.summary(list(studies), findings_of(*studies)))


def test_studies_with_scores_of_several_versions_are_named():
    old, new = canned("optimizer"), canned("noise")
    new["protocol"] = new["protocol"] | {"scores_version": 2}
    text = lambda *records: summary_of(*(results.parse(record) for record in records))  # noqa: E731
    assert "version 1: optimizer on tuned; version 2: noise on tuned" in text(old, new)
    assert "do not compare" not in text(old, canned("noise"))
