"""Verdicts on the tutorial's claims, and their statistics against SciPy and hand numbers."""

import importlib
import json
import math
import pathlib

import numpy as np
import pytest
from scipy import stats

from experiments import claims
from experiments.reporting import claims_section, results, statistics
from experiments.reporting.claim import DIRECTIONS, OSCILLATION, STEPS, Claim, Comparison
from experiments.reporting.claims_list import CLAIMS
from experiments.reporting.measures import METRICS
from experiments.reporting.statistics import Paired
from experiments.reporting.verdicts import direction_verdict, evaluate_claims
from tests.experiments.canned_studies import HOSTILE, canned, of_scores, seed_record
from tests.tiny import run


@pytest.mark.parametrize("n", [2, 3, 5, 12])
def test_paired_comparison_equals_scipy(n):
    rng = np.random.default_rng(n)
    arm, other = rng.normal(3, 1, n), rng.normal(2, 1, n)
    comparison = statistics.paired_comparison(dict(enumerate(arm)), dict(enumerate(other)))
    expected = stats.ttest_rel(arm, other)
    interval = expected.confidence_interval(0.95)
    assert comparison.p_value == pytest.approx(expected.pvalue, rel=1e-10)
    assert comparison.interval == pytest.approx((interval.low, interval.high), rel=1e-10)
    single_arm = statistics.confidence_interval(arm)
    expected = stats.t.interval(0.95, n - 1, loc=arm.mean(), scale=stats.sem(arm))
    assert single_arm.interval == pytest.approx(expected, rel=1e-10)


def test_paired_comparison_by_hand():
    # Differences 2, 2.5, 1.8 over the seeds 0, 1, 2: mean 2.1, sd sqrt(0.13), standard error 0.2082.
    comparison = statistics.paired_comparison({0: 10.0, 1: 12.0, 2: 11.0, 7: 5.0}, {2: 9.2, 0: 8.0, 1: 9.5, 9: 0.0})
    assert comparison.n == 3
    assert comparison.difference == pytest.approx(2.1)
    assert comparison.interval == pytest.approx((2.1 - 4.302653 * 0.2081666, 2.1 + 4.302653 * 0.2081666), rel=1e-6)
    assert comparison.p_value == pytest.approx(0.00969, abs=2e-5)
    # J(2) = Gamma(1) / (sqrt(1) Gamma(1/2)) = 1 / sqrt(pi).
    assert comparison.effect == pytest.approx(2.1 / math.sqrt(0.13) / math.sqrt(math.pi))


def test_the_correction_is_close_to_that_of_hedges():
    differences = np.arange(20.0)
    factor = statistics.effect_size(differences) / (differences.mean() / differences.std(ddof=1))
    assert factor == pytest.approx(1 - 3 / (4 * 19 - 1), abs=2e-4)


def test_few_or_equal_seeds():
    assert statistics.paired_comparison({0: 1.0}, {1: 1.0}) == (0, None, None, None, None)
    assert statistics.paired_comparison({0: 3.0}, {0: 1.0}) == (1, 2.0, None, None, None)
    equal = statistics.paired_comparison({0: 3.0, 1: 4.0, 2: 5.0}, {0: 3.0, 1: 4.0, 2: 5.0})
    assert equal == (3, 0.0, (0.0, 0.0), 1.0, None)
    assert statistics.paired_comparison({0: 3.0, 1: 4.5}, {0: 1.0, 1: 2.0}).effect is None
    assert statistics.confidence_interval([]) == (0, None, None, None)
    assert statistics.confidence_interval([4.0]) == (1, 4.0, None, None)


def test_failures_are_paired():
    comparison = statistics.paired_failures(dict.fromkeys(range(6), 1.0), dict.fromkeys(range(8), 0.0))
    assert (comparison.n, comparison.difference, comparison.p_value) == (6, 1.0, pytest.approx(2 * 0.5**6))
    assert statistics.paired_failures({0: 1.0, 1: 0.0}, {0: 0.0, 1: 1.0}).difference == 0
    assert statistics.paired_failures({0: 1.0}, {0: 1.0}).p_value == 1
    assert statistics.paired_failures({}, {0: 1.0}).n == 0


def test_holm_by_hand():
    # Sorted 0.01, 0.02, 0.03, 0.5: multiplied by 4, 3, 2, 1, then made non-decreasing.
    assert statistics.holm([0.03, None, 0.01, 0.5, 0.02]) == pytest.approx([0.06, None, 0.04, 0.5, 0.06])
    assert statistics.holm([0.9, 0.8]) == [1.0, 1.0]
    assert statistics.holm([]) == []


def claim(*compared, needs="all", metric="frechet_distance", study="optimizer", not_measured=""):
    """compared: (arm, arm to compare with, direction) of each comparison."""
    comparisons = tuple(Comparison(arm, other, metric, direction) for arm, other, direction in compared)
    return Claim("it", "A sentence.", study, comparisons, ("tuned",), needs=needs, not_measured=not_measured)


def verdict(claim_to_test, arms, **options):
    """The evaluated claim for canned arms."""
    (evaluated,) = evaluate_claims([claim_to_test], [results.parse(canned(arms=arms, **options))])
    return evaluated


def lists(**arms):
    return of_scores(**{name: list(values) for name, values in arms.items()})


LOW, HIGH = (10, 12, 11, 11.5, 10.5), (30, 33, 31, 32.5, 30)
NEAR = (10.1, 12.1, 10.9, 11.6, 10.4)  # LOW plus or minus 0.1


@pytest.mark.parametrize("path", sorted({(c.study, b) for c in CLAIMS for b in c.bases}), ids=lambda p: "@".join(p))
def test_every_claim_names_existing_arms_and_metrics(path):
    study, base = path
    module = importlib.import_module(f"configs.ablations.{study}")
    assert base in module.BASELINE
    for comparison in (comparison for c in CLAIMS if c.study == study for comparison in c.comparisons):
        arms = {comparison.arm, comparison.against or module.BASELINE[base], *(comparison.controls or ())}
        assert arms <= set(module.ARMS)
        assert comparison.arm != (comparison.against or module.BASELINE[base])
        assert comparison.metric in METRICS
        assert comparison.direction in DIRECTIONS


def test_claims_are_distinct_and_complete():
    assert len({each.id for each in CLAIMS}) == len({each.sentence for each in CLAIMS}) == len(CLAIMS)
    for each in CLAIMS:
        assert bool(each.comparisons) != bool(each.not_measured), each.id
        assert each.needs in ("all", "any")
        assert len(set(each.comparisons)) == len(each.comparisons)
    on_both_bases = {each.id for each in CLAIMS if {"tutorial", "tuned"} <= set(each.bases)}
    assert {each.id for each in CLAIMS if each.study != "improved_techniques"} == on_both_bases


@pytest.mark.parametrize(
    ("direction", "difference", "interval", "p", "expected"),
    [
        ("lower", -3, (-5, -1), 0.01, "supported"),
        ("lower", 3, (1, 5), 0.01, "refuted"),
        ("lower", -3, (-7, 1), 0.2, "undecided"),
        ("lower", 0, (-0.5, 0.5), 1.0, "refuted"),  # the interval excludes a difference of 2
        ("lower", -1, (-1.5, -0.5), 0.01, "supported"),  # small but significant
        ("higher", 3, (1, 5), 0.01, "supported"),
        ("higher", -3, (-5, -1), 0.01, "refuted"),
        ("higher", 1, (-1, 3), 0.3, "undecided"),
        ("same", 0.5, (-1, 1.9), 0.4, "supported"),
        ("same", 0.5, (-1, 2.1), 0.4, "undecided"),
        ("same", 4, (2.5, 6), 0.01, "refuted"),
        ("same", 2.5, (1, 4), 0.01, "undecided"),
        ("no_lower", 3, (1, 5), 0.01, "supported"),
        ("no_lower", 0, (-1, 1), 0.9, "supported"),
        ("no_lower", -3, (-5, -1), 0.01, "refuted"),
        ("no_lower", -1, (-5, 3), 0.5, "undecided"),
        ("no_higher", 3, (1, 5), 0.01, "refuted"),
        ("no_higher", 0, (-9, 1), 0.9, "supported"),
    ],
)
def test_the_rule_with_a_margin_of_2(direction, difference, interval, p, expected):
    assert direction_verdict(direction, Paired(5, difference, interval, p, None), p, 2.0) == expected
    assert direction_verdict(direction, Paired(1, difference, None, None, None), None, 2.0) == "undecided"


def test_four_verdicts_and_the_figure():
    arms = lists(adam=LOW, sgd=HIGH, radam=NEAR)
    evaluated = verdict(claim(("adam", "sgd", "lower")), arms)
    assert evaluated.verdict == "supported"
    figure = claims_section.figure(evaluated.outcomes[0])
    assert figure.startswith("adam < sgd, Frechet distance, last step: -20.30, simultaneous interval -21.")
    assert "n = 5, p (Holm) <0.001; supported" in figure
    assert verdict(claim(("sgd", "adam", "lower")), arms).verdict == "refuted"
    assert verdict(claim(("radam", "", "lower")), arms).verdict == "refuted"  # the interval excludes a tenth of 11
    assert verdict(claim(("radam", "", "same")), arms).verdict == "supported"
    assert verdict(claim(("adam", "radam", "lower")), lists(adam=(9, 12), radam=(11, 12.5))).verdict == "undecided"
    assert verdict(claim(("adam", "sgd", "lower")), lists(adam=[9], sgd=[50])).verdict == "undecided"
    for missing in ({"adam": []}, {}, {"sgd": [None]}):
        evaluated = verdict(claim(("adam", "sgd", "lower")), {**lists(adam=LOW), **missing})
        assert evaluated.verdict == "not run"
    assert evaluate_claims([claim(("adam", "sgd", "lower"))], [])[0].verdict == "not run"
    assert verdict(claim(not_measured="Nobody counts."), arms).verdict == "not measured"


def test_claims_of_several_comparisons():
    arms = lists(adam=LOW, sgd=HIGH, radam=HIGH)
    supported, refuted, undecided = ("adam", "sgd", "lower"), ("radam", "adam", "lower"), ("nadam", "adam", "lower")
    arms |= lists(nadam=(1, 20, 11, 15, 4))
    not_run = ("adamax", "adam", "lower")
    for compared, all_of, any_of in (
        ((supported, supported[:2] + ("no_higher",)), "supported", "supported"),
        ((supported, refuted), "refuted", "supported"),
        ((supported, undecided), "undecided", "supported"),
        ((refuted, undecided), "refuted", "undecided"),
        ((supported, not_run), "not run", "supported"),
        ((refuted, not_run), "refuted", "not run"),
    ):
        assert verdict(claim(*compared), arms).verdict == all_of
        assert verdict(claim(*compared, needs="any"), arms).verdict == any_of


def test_holm_and_intervals_are_over_the_claims_of_one_study():
    study = results.parse(canned(arms=lists(adam=LOW, sgd=(11, 13.5, 11.6, 13, 11), radam=NEAR)))
    family = [claim(("adam", "sgd", "lower"))._replace(id="one"), claim(("adam", "radam", "same"))._replace(id="two")]
    single_claim, (first, second) = evaluate_claims(family[:1], [study])[0], evaluate_claims(family, [study])
    (p,), (q,) = [outcome.p_holm for outcome in single_claim.outcomes], [outcome.p_holm for outcome in first.outcomes]
    assert q == pytest.approx(2 * p)
    d = np.array([0.1, 0.1, -0.1, 0.1, -0.1])
    half = stats.t.ppf(1 - 0.05 / 2 / 2, 4) * d.std(ddof=1) / math.sqrt(5)
    assert second.outcomes[0].paired.interval == pytest.approx((-d.mean() - half, -d.mean() + half))


def test_failed_and_dead_runs_support_no_claim():
    arms = lists(adam=LOW, sgd=HIGH)
    arms["adam"].append(seed_record(0, 0, status="diverged"))
    arms["sgd"].append(seed_record(31, 0.9))
    evaluated = verdict(claim(("adam", "sgd", "lower")), arms)
    assert evaluated.verdict == "undecided"
    assert evaluated.outcomes[0].remark == "1 failed seeds of adam are not in the difference"
    arms["adam"][-1], arms["sgd"][-1] = arms["sgd"][-1], arms["adam"][-1]
    assert verdict(claim(("adam", "sgd", "lower")), arms).verdict == "supported"
    oscillation_claim = claim(("adam", "sgd", "lower"), metric=OSCILLATION)
    oscillating = [seed_record(9, 0.9, wobble=1 + i / 10) for i in range(5)]
    alive = {"adam": [seed_record(9, 0.9, wobble=0.1)] * 5, "sgd": oscillating}
    assert verdict(oscillation_claim, alive).verdict == "supported"
    evaluated = verdict(oscillation_claim, alive | {"adam": [seed_record(9, 0.1, wobble=0.1)] * 5})
    assert evaluated.verdict == "undecided"
    assert "a dead run does not oscillate" in evaluated.outcomes[0].remark
    # Runs with an accuracy near chance that cross the threshold early, as if the baseline only got worse.
    steps_claim = claim(("adam", "sgd", "lower"), metric=STEPS)
    slow = [seed_record(9, 0.9, reach=reach) for reach in (800, 900, 800)]
    early = {"adam": [seed_record(9, 0.9, reach=200)] * 3, "sgd": slow}
    assert verdict(steps_claim, early).verdict == "supported"
    evaluated = verdict(steps_claim, early | {"adam": [seed_record(9, 0.1, reach=200)] * 3})
    assert (evaluated.verdict, evaluated.outcomes[0].p_holm < 0.05) == ("undecided", True)
    assert "a dead run does not converge" in evaluated.outcomes[0].remark


def test_rates_thresholds_and_controls():
    lost_runs = claim(("sgd", "adam", "higher"), metric="lost_runs")
    arms = {"adam": [seed_record(9, 0.9)] * 6, "sgd": [seed_record(0, 0, status="collapsed")] * 6}
    evaluated = verdict(lost_runs, arms)
    assert (evaluated.verdict, evaluated.outcomes[0].p_holm) == ("supported", pytest.approx(2 / 64))
    assert verdict(lost_runs, {name: runs[:5] for name, runs in arms.items()}).verdict == "undecided"
    never_reached = {name: [seed_record(9, 0.3, reach=9999)] * 3 for name in ("adam", "sgd")}
    never_reached["radam"] = [seed_record(9, 0.9, reach=300)] * 3
    evaluated = verdict(claim(("sgd", "adam", "higher"), metric=STEPS), never_reached)
    assert (evaluated.verdict, evaluated.outcomes[0].remark) == ("undecided", "neither arm reached the threshold")
    evaluated = verdict(claim(("radam", "adam", "lower"), metric=STEPS), never_reached)
    assert "count with their length: adam (1000 steps)" in evaluated.outcomes[0].remark
    # A run that is too short to reach the threshold does not count as faster.
    short = {
        "adam": [seed_record(9, 0.9, reach=r) for r in (800, 900, 800)],
        "sgd": [seed_record(9, 0.3, reach=9999)] * 3,
    }
    study = canned(arms=short)
    study["arms"]["sgd"]["steps"] = 200
    (evaluated,) = evaluate_claims([claim(("sgd", "adam", "lower"), metric=STEPS)], [results.parse(study)])
    assert evaluated.verdict == "undecided"
    assert "3 seeds of sgd, the faster by this number, ended at 200" in evaluated.outcomes[0].remark
    assert evaluated.outcomes[0].p_holm < 0.05
    difference_of_differences = Comparison("sgd", "adam", "frechet_distance", "higher", ("radam", "nadam"))
    arms = lists(adam=LOW, sgd=HIGH, nadam=LOW, radam=HIGH)
    evaluated = verdict(claim()._replace(comparisons=(difference_of_differences,)), arms)
    assert evaluated.outcomes[0].paired.difference == 0
    assert "(sgd - radam) > (adam - nadam)" in claims_section.figure(evaluated.outcomes[0])


def published():
    """When each published result was written: the command must leave those alone if --output is another folder."""
    paths = [path for path in pathlib.Path("experiments/results").rglob("*") if path.is_file()]
    assert pathlib.Path("experiments/results/ablations/claims.json") in paths
    return {path: path.stat().st_mtime_ns for path in paths}


def test_the_command_writes_data_and_a_page(tmp_path, capsys):
    before = published()
    rates = lists(**{"1e-4": LOW, "1e-5": HIGH, "1e-2": HIGH})
    for preset, base, baseline in (("quick", "tutorial", "1e-4"), ("full", "tuned", HOSTILE)):
        record = canned("learning_rate", base, rates | {HOSTILE: of_scores(a=LOW)["a"]}, baseline, preset, 5)
        (tmp_path / f"learning_rate@{base}.json").write_text(json.dumps(record))
    assert run(claims, "--input", tmp_path, "--output", tmp_path / "out") == 0
    assert "not run" in capsys.readouterr().out
    text = (tmp_path / "out" / "claims.json").read_text()
    entries = {(e["id"], e["base"]): e for e in json.loads(text, parse_constant=pytest.fail)["claims"]}
    assert len(entries) == sum(len(each.bases) for each in CLAIMS)
    missing = entries["flips-help", "tuned"]
    assert (missing["verdict"], missing["section"]) == ("not run", "report.html#study-labels-on-tuned")
    assert missing["command"] == "python -m experiments.ablations --preset full --studies labels --bases tuned"
    oscillates = entries["rate-large-oscillates", "tutorial"]
    assert (oscillates["verdict"], oscillates["preset"]) == ("refuted", "quick")
    assert oscillates["comparisons"][0]["n"] == 5
    assert entries["inverted-images", "tuned"]["verdict"] == "not measured"
    page = (tmp_path / "out" / "claims.md").read_text()
    assert "refuted (quick preset)" in page
    assert "<script" not in page
    assert published() == before
    assert run(claims, "--input", tmp_path / "none", "--output", tmp_path) == 2
