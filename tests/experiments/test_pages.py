"""Pages whose numbers come from records: templates, references, and links between the pages."""

import collections
import json
import pathlib
import re
import shutil

import pytest
from scipy import stats

import experiments.benchmarks.report
import experiments.benchmarks.streaming
import experiments.scaling.report
from experiments import claims, report, scoring_classifier, statistics_check
from experiments.compare import proof
from experiments.reporting import curves, markdown, sweeps
from experiments.reporting.document import Charts
from experiments.reporting.families import find
from experiments.reporting.references import References, bare_numbers, page_of, templates
from experiments.reporting.results import parse, read
from experiments.reporting.verdicts import contrasts_of_claims, evaluate_claims
from experiments.semi_supervised import propagated
from experiments.semi_supervised import report as few_labels_report
from gan_jax.system.errors import UserError
from tests.experiments.canned_studies import canned, seed_record

ROOT = pathlib.Path()
TEMPLATES = templates(ROOT)
RESULTS = ROOT / "experiments/results"
ABLATIONS, SEMI_SUPERVISED = RESULTS / "ablations", RESULTS / "semi_supervised"
BRIEF = "long_brief_moment-gpu@labels-100"
_LINK = re.compile(r"\]\(([^)\s#]*)(?:#([^)\s]+))?\)")


def network(draw, test_errors, status="completed", **more):
    return {"draw": draw, "test_errors": test_errors, "status": status} | more


@pytest.fixture
def references(tmp_path):
    """One cell: three subsets of the four that were asked for, two networks each, one of them collapsed."""
    folder = tmp_path / "semi_supervised"
    folder.mkdir()
    errors = [(0, 90), (1, 110), (2, 100), (0, 94), (1, 1110), (2, 104)]
    rows = [network(draw, number, confusions=[[4, 9, number // 10]]) for draw, number in errors]
    rows[4] |= {"status": "collapsed", "confusions": []}
    table = {"draws": 4, "seeds": rows, "ensembles": {"0": 88, "1": 120, "2": 98}}
    (folder / "long@labels-100.json").write_text(json.dumps(table))
    one = {"draws": 1, "seeds": [network(0, 1372, frechet_distance=[45.27])], "ensembles": {}}
    (folder / "one@labels-100.json").write_text(json.dumps(one))
    published = {"100": {"mean": 93, "sd": 6.5, "n": 10, "ensembles": {"mean": 1134, "sd": 445}}}
    (folder / "published_errors.json").write_text(json.dumps(published))
    return References(tmp_path)


def test_there_are_templates():
    found = {path.as_posix() for path in TEMPLATES}
    assert found >= {"README.in.md", "docs/first_run.in.md", "docs/scaling.in.md", "experiments/README.in.md"}
    assert {path.name for path in TEMPLATES} >= {"additions.in.md", "draws.in.md", "collapse.in.md"}


@pytest.mark.parametrize("template", TEMPLATES, ids=str)
def test_a_page_on_record_is_what_its_template_gives(template):
    rendered = References().render(template.read_text(encoding="utf-8"))
    assert page_of(template).read_text(encoding="utf-8") == rendered, "run python -m experiments.pages"


@pytest.mark.parametrize(
    ("page", "module"),
    [
        ("benchmark", experiments.benchmarks.report),
        ("streaming", experiments.benchmarks.streaming),
        ("scaling", experiments.scaling.report),
        ("scoring_classifier", scoring_classifier),
        ("ablations/statistics_check", statistics_check),
        ("semi_supervised/propagated", propagated),
        ("compare_proof", proof),
    ],
)
def test_a_generated_page_is_that_of_its_record(page, module):
    record = json.loads((RESULTS / f"{page}.json").read_text())
    assert (RESULTS / f"{page}.md").read_text() == module.page(record)


def test_the_page_of_few_labels_is_that_of_its_records(tmp_path, monkeypatch):
    monkeypatch.setattr(few_labels_report, "_draw", lambda tables, path: None)
    for path in SEMI_SUPERVISED.glob("*.json"):
        shutil.copy(path, tmp_path)
    for folder in ("samples", "mistakes"):
        (tmp_path / folder).symlink_to((SEMI_SUPERVISED / folder).resolve())
    few_labels_report.write(tmp_path)
    page = few_labels_report.PAGE
    assert (SEMI_SUPERVISED / page).read_text() == (tmp_path / page).read_text()


def leaves_of(value, path=()):
    """path -> number or text, of a tree of lists and dictionaries."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        return {path: value}
    return {inner: leaf for key, item in items for inner, leaf in leaves_of(item, (*path, key)).items()}


@pytest.mark.thorough
def test_the_pages_of_the_studies_are_those_of_their_records(monkeypatch):
    """The Markdown has a line in place of the curves, so they are not drawn."""
    monkeypatch.setattr(curves, "charts", lambda study: Charts([], []))
    studies = read(ABLATIONS)
    blocks = report.document(studies, ABLATIONS, ABLATIONS)
    assert (ABLATIONS / "report.md").read_text() == markdown.page(blocks), "run python -m experiments.report"
    findings = find(studies, contrasts_of_claims(claims.CLAIMS, studies))
    results = evaluate_claims(claims.CLAIMS, studies, findings)
    assert (ABLATIONS / "claims.md").read_text() == claims.page(results, ABLATIONS), "run python -m experiments.claims"
    stored = json.loads((ABLATIONS / "claims.json").read_text())
    expected, actual = leaves_of(stored), leaves_of(json.loads(json.dumps(claims.data(results))))
    assert expected.keys() == actual.keys()
    for path, value in expected.items():  # The last digits depend on the processor.
        assert value == (pytest.approx(actual[path], rel=1e-9) if isinstance(value, float) else actual[path]), path


@pytest.mark.parametrize("template", TEMPLATES, ids=str)
def test_no_result_of_a_template_was_typed(template):
    assert bare_numbers(template.read_text(encoding="utf-8")) == []


def test_typed_results_are_found():
    assert bare_numbers("131.8 ± 97.7 errors, 27% fewer, +4 points") == ["131.8", "± 9", "7.7", "27%", "+4"]
    assert bare_numbers("{{errors long@labels-100 mean}} with `b2=0.99` (arXiv 1606.03498)") == []


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        ("errors long@labels-100", "90, 110, 100, 94, 1110, 104"),
        ("errors long@labels-100 mean", "268 ± 296"),  # 92, 610 and 102: the collapsed network is in the mean
        ("errors long@labels-100 ensembles", "102.0 ± 16.4"),
        ("errors long@labels-100 n", "3 of 4"),
        ("errors long@labels-100 collapsed", "1 of 6"),
        ("errors one@labels-100 n", "1"),
        ("errors one@labels-100 mean", "1,372"),
        ("each one@labels-100 frechet_distance", "45.3"),
        ("each long@labels-100 mistake", "4 as 9: 9, 4 as 9: 11, 4 as 9: 10, 4 as 9: 9, -, 4 as 9: 10"),
        ("row long@labels-100 test_errors 1", "94 | 1110 | 104"),
        ("row long@labels-100 ensembles", "88 | 120 | 98"),
        ("published 100", "93 ± 6.5"),
        ("published 100 ensembles", "1,134 ± 445"),
        ("record semi_supervised/long@labels-100.json seeds/4/test_errors ,", "1,110"),
    ],
)
def test_references_to_results_with_few_labels(references, reference, text):
    assert references.resolve(reference) == text


def test_welchs_test_is_over_label_subsets(references):
    subsets = [92, 610, 102]
    published = [93 + 6.5 * (9 / 10) ** 0.5 * sign for sign in (-1, 1) * 5]  # ten numbers with this mean and deviation
    expected = stats.ttest_ind(subsets, published, equal_var=False).pvalue
    assert references.resolve("welch long@labels-100 100") == f"{expected:.3f}"


@pytest.mark.parametrize(
    "reference",
    [
        "medians long@labels-100",
        "errors no_such_recipe@labels-100",
        "errors long@labels-100 median",
        "each long@labels-100 no_such_field",
        "row long@labels-100 test_errors 2",
        "published 7",
        "welch one@labels-100 100",  # one subset has no standard deviation
        "record semi_supervised/long@labels-100.json seeds/6/test_errors",
        "mean no_such_study@tuned 1",
        "errors",
    ],
)
def test_an_unknown_reference_is_one_clear_line(references, reference):
    with pytest.raises(UserError) as error:
        references.render(f"text {{{{{reference}}}}} text")
    assert "\n" not in str(error.value)
    assert reference in str(error.value), "the line names what was typed"


@pytest.mark.parametrize(
    "reference", ["mean beta1@tuned 0.7", "mean beta2@tuned 0.9", "factor beta1@tuned 0.5", "mean"]
)
def test_an_arm_without_a_number_is_one_clear_line(reference):
    with pytest.raises(UserError, match="no such number") as error:
        References().render(f"about {{{{{reference}}}}}.")
    assert "\n" not in str(error.value)


def test_a_wrong_kind_lists_all_kinds(references):
    with pytest.raises(UserError, match=r"begins with mean, sd, low, .*, errors, welch, published, .*record"):
        references.resolve("medians long@labels-100")


def test_a_mistyped_verdict_is_no_count_of_zero(references):
    references.__dict__["_claims"] = collections.Counter({("tuned", "supported"): 10})  # the cached property's value
    assert references.resolve("claims tuned supported") == "10"
    assert references.resolve("claims tuned not run") == "0"
    for reference in ("claims tuned suported", "claims tunes supported", "claims tuned"):
        with pytest.raises(UserError, match=reference):
            references.resolve(reference)


def test_the_hours_of_a_sweep():
    """The median of the trainings that took the study's steps to the end: 30,000 of them on 1, 8, 64, 256 workers."""
    records = [seed_record(1.0, 0.9, seconds=seconds) for seconds in (120.0, 480.0, 360.0)]
    records += [seed_record(1.0, 0.9, seconds=9.0, status="collapsed"), seed_record(1.0, 0.9, seconds=9.0, steps=400)]
    study = parse(canned(arms={"adam": records}))
    none_timed = parse(canned("loss", arms={"adam": [records[3]]}))
    *_, row = sweeps.table([study, none_timed]).splitlines()
    assert row == "| optimizer@tuned | 1000 | 3 | 360 | 3,000.0 | 375.0 | 46.9 | 11.8 |"


def anchors(page):
    """The anchors of a page's headings, and those that it sets itself."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    plain = [re.sub(r"[^\w\- ]", "", re.sub(r"\]\([^)]*\)", "", heading)) for heading in headings]
    return {heading.lower().replace(" ", "-") for heading in plain} | set(re.findall(r'id="([^"]+)"', text))


@pytest.mark.parametrize(
    "folder", [".", "docs", "experiments", "experiments/results", "experiments/results/semi_supervised"]
)
def test_links_lead_to_files_and_headings(folder):
    dead = []
    for page in sorted((ROOT / folder).glob("*.md")):
        for address, anchor in _LINK.findall(page.read_text(encoding="utf-8")):
            target = page.parent / address if address else page
            if "://" in address:
                continue
            if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
                dead.append(f"{page}: {address}#{anchor}")
    assert not dead


def networks(cell):
    return json.loads((SEMI_SUPERVISED / f"{cell}.json").read_text())["seeds"]


def top_mistakes(cell, mistake):
    """The label subsets whose most frequent mistake is [true class, predicted class], one entry per network."""
    return sorted(row["draw"] for row in networks(cell) if row["confusions"][0][:2] == mistake)


def test_sentences_in_words_follow_from_the_records():
    """Counts and comparisons of draws.md, additions.md, collapse.md and README.md that are words, not references."""
    table = json.loads((SEMI_SUPERVISED / "long_propagated-gpu@labels-100.json").read_text())
    errors = [[row["test_errors"] for row in table["seeds"] if row["draw"] == draw] for draw in range(10)]
    ensembles = [table["ensembles"][str(draw)] for draw in range(10)]
    assert all(ensemble < max(pair) for ensemble, pair in zip(ensembles, errors, strict=True))
    assert [draw for draw in range(10) if ensembles[draw] < min(errors[draw])] == [0, 3, 7, 8, 9]
    assert top_mistakes("long_propagated-gpu@labels-100", [9, 8]) == [3, 4, 4, 5, 7, 8]
    assert top_mistakes(BRIEF, [9, 8]) == [4, 6, 8]
    assert top_mistakes(BRIEF, [2, 7]) == [7]
    gains = [row["test_errors"] - sum(pair) / 2 for row, pair in zip(networks(BRIEF), errors, strict=True)]
    assert gains[7] > sum(gains) / 2, "most of the difference comes from subset 7"
    assert all(3 * row["confusions"][0][2] > row["test_errors"] for row in networks("long_propagated-gpu@labels-20"))
    pairs = list(zip(networks("long_sure_virtual@labels-100"), networks("long@labels-100"), strict=True))
    assert all(with_terms["frechet_distance"] < without["frechet_distance"] for with_terms, without in pairs)
    assert sum(with_terms["test_errors"] < without["test_errors"] for with_terms, without in pairs) == 1
    for path in SEMI_SUPERVISED.glob("published/labels-20-*.json"):
        record = json.loads(path.read_text())
        assert 3 * record["rows"][-1][-1] > record["num_validation"]
    for path in SEMI_SUPERVISED.glob("*@labels-*.json"):
        table = json.loads(path.read_text())
        if table["changes"].get("g_optimizer.b2") == 0.99 or table["recipe"].startswith("light"):
            assert {row["status"] for row in table["seeds"]} == {"completed"}, path


def test_sentences_on_scaling_in_words_follow_from_the_record():
    """docs/scaling.md: the model beside the compiled program, and the cost of splitting a batch."""
    record = json.loads((RESULTS / "scaling.json").read_text())
    for config in ("configs/cgan.py:tuned", "configs/cdcgan.py"):
        alone, *sharded = (program for program in record["programs"] if program["config"] == config)
        assert alone["devices"] == 0
        assert {sharded[0]["devices"], sharded[-1]["devices"]} == {8, 256}
        (flops,) = {program["flops_a_device"] for program in sharded}
        ((size, model),) = {(program["bytes"], program["model_bytes"]) for program in sharded}
        assert abs(flops / alone["flops_a_device"] - 1) < 0.005 > abs(size / model - 1)
        by_devices = {speed["devices"]: speed for speed in record["speeds"] if speed["config"] == config}
        assert by_devices[8]["steps_per_second"] < by_devices[1]["steps_per_second"]
    assert [(speed["config"], speed["devices"]) for speed in map(record["speeds"].__getitem__, (0, 3, 4, 7))] == [
        ("configs/cgan.py:tuned", 1),
        ("configs/cgan.py:tuned", 8),
        ("configs/cdcgan.py", 1),
        ("configs/cdcgan.py", 8),
    ], "the page refers to these rows"
