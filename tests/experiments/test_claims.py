"""Verdicts on the tutorial's claims, and their statistics against SciPy and hand numbers."""

import importlib
import json
import pathlib

import pytest

from experiments import claims
from experiments.reporting import claims_section, results
from experiments.reporting.claim import DIRECTIONS, OSCILLATION, STEPS, Claim, Comparison
from experiments.reporting.claims_list import CLAIMS
from experiments.reporting.contrasts import Estimate
from experiments.reporting.families import find
from experiments.reporting.findings import Contrast, Finding
from experiments.reporting.measures import METRICS, context, values
from experiments.reporting.verdicts import contrasts_of_claims, direction_verdict, evaluate_claims
from tests.experiments.canned_studies import HOSTILE, canned, of_scores, seed_record
from tests.tiny import run


def claim(*compared, needs="all", metric="frechet_distance", study="optimizer", not_measured=""):
    """compared: (arm, arm to compare with, direction) of each comparison."""
    comparisons = tuple(Comparison(arm, other, metric, direction) for arm, other, direction in compared)
    return Claim("it", "A sentence.", study, comparisons, ("tuned",), needs=needs, not_measured=not_measured)


def verdict(claim_to_test, arms, **options):
    """The evaluated claim for canned arms."""
    (evaluated,) = evaluated_claims([claim_to_test], [results.parse(canned(arms=arms, **options))])
    return evaluated


def evaluated_claims(claims_to_test, studies):
    return evaluate_claims(claims_to_test, studies, find(studies, contrasts_of_claims(claims_to_test, studies)))


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
    ("direction", "difference", "interval", "expected"),
    [
        ("lower", -3, (-5, -1), "supported"),
        ("lower", 3, (1, 5), "refuted"),
        ("lower", -3, (-7, 1), "undecided"),
        ("lower", 0, (-0.5, 0.5), "refuted"),  # the interval excludes a difference of 2
        ("lower", -1, (-1.5, -0.5), "supported"),  # small but real
        ("higher", 3, (1, 5), "supported"),
        ("higher", -3, (-5, -1), "refuted"),
        ("higher", 1, (-1, 3), "undecided"),
        ("same", 0.5, (-1, 1.9), "supported"),
        ("same", 0.5, (-1, 2.1), "undecided"),
        ("same", 1, (0.5, 1.5), "supported"),  # real, but smaller than the margin
        ("same", 4, (2.5, 6), "refuted"),
        ("same", 2.5, (1, 4), "undecided"),
        ("no_lower", 3, (1, 5), "supported"),
        ("no_lower", 0, (-1, 1), "supported"),
        ("no_lower", -3, (-5, -1), "refuted"),
        ("no_lower", -1, (-5, 3), "undecided"),
        ("no_higher", 3, (1, 5), "refuted"),
        ("no_higher", 0, (-9, 1), "supported"),
    ],
)
def test_the_rule_with_a_margin_of_2(direction, difference, interval, expected):
    """In points of accuracy, whose margin is 2."""
    bounds = tuple(bound / 100 for bound in interval)
    decided = not interval[0] <= 0 <= interval[1]
    estimate = Estimate((5, 5), difference / 100, p_value=0.01)
    test = Contrast("a", "b", "conditional_accuracy")
    assert METRICS["conditional_accuracy"].margin == 0.02
    assert direction_verdict(direction, Finding(test, estimate, 0.01 if decided else 0.3, bounds)) == expected
    assert direction_verdict(direction, Finding(test, estimate, None, None)) == "undecided"
    one_program = Finding(test, Estimate((0, 0)), None, None, one_program=True)
    supported = direction in ("same", "no_lower", "no_higher")
    assert direction_verdict(direction, one_program) == ("supported" if supported else "refuted")


def test_four_verdicts_and_the_figure():
    arms = lists(adam=LOW, sgd=HIGH, radam=NEAR)
    evaluated = verdict(claim(("adam", "sgd", "lower")), arms)
    assert evaluated.verdict == "supported"
    figure = claims_section.figure(evaluated.outcomes[0])
    # exp(mean of log LOW - mean of log HIGH)
    assert figure.startswith("adam < sgd, Frechet distance, last step: x0.35, simultaneous interval x0.31 to x0.40")
    assert "n = 5 and 5, p (family) <0.001; supported" in figure
    assert verdict(claim(("sgd", "adam", "lower")), arms).verdict == "refuted"
    exact = lists(adam=(10, 10.1, 9.9, 10.05, 9.95), radam=(10.05, 10, 9.9, 10.1, 9.96))
    assert verdict(claim(("radam", "", "lower")), exact).verdict == "refuted"  # the interval excludes a tenth
    assert verdict(claim(("radam", "", "same")), exact).verdict == "supported"
    assert verdict(claim(("radam", "", "same")), arms).verdict == "undecided"
    assert verdict(claim(("adam", "radam", "lower")), lists(adam=(9, 12), radam=(11, 12.5))).verdict == "undecided"
    assert verdict(claim(("adam", "sgd", "lower")), lists(adam=[9], sgd=[50])).verdict == "undecided"
    for missing in ({"adam": []}, {}, {"sgd": [None]}):
        evaluated = verdict(claim(("adam", "sgd", "lower")), {**lists(adam=LOW), **missing})
        assert evaluated.verdict == "not run"
    assert evaluated_claims([claim(("adam", "sgd", "lower"))], [])[0].verdict == "not run"
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


def test_a_family_has_the_tables_and_all_claims_of_one_study():
    study = results.parse(canned(arms=lists(adam=LOW, sgd=(11, 13.5, 11.6, 13, 11), radam=NEAR)))
    only_one = [claim(("adam", "sgd", "lower"))._replace(id="one")]
    more = [claim(("radam", "sgd", "lower"), metric=name)._replace(id=name) for name in METRICS]
    alone, together = (
        evaluated_claims(family, [study])[0].outcomes[0].finding for family in (only_one, only_one + more)
    )
    assert alone.estimate == together.estimate
    # The table of the study has two arms and two scores, of which the claim is one; more claims cost more.
    assert alone.estimate.p_value < alone.p < together.p
    width = lambda finding: finding.interval[1] - finding.interval[0]  # noqa: E731
    assert width(alone) < width(together)
    findings = find([study], contrasts_of_claims(only_one, [study]))["optimizer@tuned"]
    assert findings[Contrast("sgd", "adam", "frechet_distance")].p == alone.p


def test_the_false_discovery_rate_is_over_all_claims():
    study = results.parse(canned(arms=lists(adam=LOW, sgd=HIGH, radam=NEAR)))
    family = [claim(("adam", "sgd", "lower"))._replace(id=str(i)) for i in range(2)]
    family += [claim(("adam", "radam", "lower"))._replace(id=f"undecided {i}") for i in range(4)]
    by_id = {each.claim.id: each for each in evaluated_claims(family, [study])}
    p = by_id["0"].outcomes[0].finding.estimate.p_value
    undecided = [each for each in by_id.values() if each.verdict == "undecided"]
    assert by_id["0"].q == pytest.approx(p * 6 / 2 if undecided else by_id["0"].q)
    assert all(each.q is None for each in undecided)


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
    alive = {"adam": [seed_record(8, 0.9, wobble=0.1 + i / 100) for i in range(5)], "sgd": oscillating}
    assert verdict(oscillation_claim, alive).verdict == "supported"
    evaluated = verdict(
        oscillation_claim, alive | {"adam": [seed_record(8, 0.1, wobble=0.1 + i / 100) for i in range(5)]}
    )
    assert evaluated.verdict == "undecided"
    assert "a dead run does not oscillate" in evaluated.outcomes[0].remark
    # Runs with an accuracy near chance that cross the threshold early, as if the baseline only got worse.
    steps_claim = claim(("adam", "sgd", "lower"), metric=STEPS)
    slow = [seed_record(9, 0.9, reach=reach) for reach in (800, 900, 800, 900)]
    early = [seed_record(8, 0.9, reach=reach) for reach in (200, 210, 200, 210)]
    assert verdict(steps_claim, {"adam": early, "sgd": slow}).verdict == "supported"
    dead = [seed_record(8, 0.1, reach=reach) for reach in (200, 210, 200, 210)]
    evaluated = verdict(steps_claim, {"adam": dead, "sgd": slow})
    assert (evaluated.verdict, evaluated.outcomes[0].finding.decided) == ("undecided", True)
    assert "a dead run does not converge" in evaluated.outcomes[0].remark
    # Two arms at chance have different distances, which say nothing.
    chance = {name: [seed_record(d, 0.1) for d in row] for name, row in (("adam", LOW), ("sgd", HIGH))}
    evaluated = verdict(claim(("adam", "sgd", "lower")), chance)
    assert (evaluated.verdict, evaluated.outcomes[0].finding.decided) == ("undecided", True)
    assert "most runs of both arms are degenerate" in evaluated.outcomes[0].remark


def test_rates_of_failure_have_an_exact_test():
    lost_runs = claim(("sgd", "adam", "higher"), metric="lost_runs")
    arms = {"adam": [seed_record(9, 0.9)] * 4, "sgd": [seed_record(0, 0, status="collapsed")] * 4}
    evaluated = verdict(lost_runs, arms)
    # 2 / C(8, 4)
    assert (evaluated.verdict, evaluated.outcomes[0].finding.p) == ("supported", pytest.approx(2 / 70))
    assert verdict(lost_runs, {name: runs[:3] for name, runs in arms.items()}).verdict == "undecided"


def test_thresholds_that_are_not_reached():
    never = {name: [seed_record(9 + i, 0.3, reach=9999)] * 3 for i, name in enumerate(("adam", "sgd"))}
    never["radam"] = [seed_record(8, 0.9, reach=reach) for reach in (300, 310, 300)]
    never["nadam"] = [seed_record(7, 0.9, reach=reach) for reach in (300, 310, 290)]
    evaluated = verdict(claim(("sgd", "adam", "higher"), metric=STEPS), never)
    assert (evaluated.verdict, evaluated.outcomes[0].finding.p) == ("undecided", None)
    assert (
        evaluated.outcomes[0].remark == "too many runs ended before the threshold, so neither arm is known to be faster"
    )
    evaluated = verdict(claim(("radam", "adam", "lower"), metric=STEPS), never)
    assert evaluated.outcomes[0].remark == "at most this, since runs ended before the threshold"
    # A run that is too short to reach the threshold does not count as faster.
    short = {
        "adam": [seed_record(9, 0.9, reach=r) for r in (800, 900, 800)],
        "sgd": [seed_record(8, 0.3, reach=9999, steps=200)] * 3,
    }
    evaluated = verdict(claim(("sgd", "adam", "lower"), metric=STEPS), short)
    assert (evaluated.verdict, evaluated.outcomes[0].finding.p) == ("undecided", None)


def test_oscillation_needs_equal_updates_and_windows():
    """A run of a fifth of the updates has finer curves: its loss is averaged before it is compared."""
    arms = {
        "adam": [seed_record(9, 0.9, wobble=0.1 + i / 100, steps=5000) for i in range(3)],
        "sgd": [seed_record(8, 0.9, wobble=0.1 + i / 100, steps=1000) for i in range(3)],
    }
    study = results.parse(canned(arms=arms))
    assert context(study)[2:] == (1000, 10)
    values_of = {name: list(values(study, name, OSCILLATION).values()) for name in arms}
    assert values_of["adam"] == pytest.approx(values_of["sgd"], rel=0.05)
    arms["sgd"] = [seed_record(8, 0.9, wobble=0.1, steps=100)] * 3
    assert context(results.parse(canned(arms=arms)))[2:] == (100, 10)
    arms["adam"][0]["curves"] |= {name: curve[::5] for name, curve in arms["adam"][0]["curves"].items()}
    # Two windows of 50 updates are left of 100 updates: too few for a standard deviation about a line.
    assert context(results.parse(canned(arms=arms)))[2:] == (100, 50)
    assert values(results.parse(canned(arms=arms)), "sgd", OSCILLATION) == {}


def test_controls():
    difference_of_differences = Comparison("sgd", "adam", "frechet_distance", "higher", ("radam", "nadam"))
    higher = [value * 1.1 for value in HIGH]
    arms = lists(adam=LOW, sgd=HIGH, nadam=[v * 1.1 for v in LOW], radam=higher)
    evaluated = verdict(claim()._replace(comparisons=(difference_of_differences,)), arms)
    assert evaluated.outcomes[0].finding.estimate.difference == pytest.approx(0, abs=1e-9)
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
    assert (missing["verdict"], missing["section"]) == ("not run", "report.md#study-labels-on-tuned")
    assert missing["command"] == "python -m experiments.ablations --preset full --studies labels --bases tuned"
    oscillates = entries["rate-large-oscillates", "tutorial"]
    # All runs oscillate alike, so there is no variance and no test: a standard deviation of 0 proves nothing.
    assert (oscillates["verdict"], oscillates["preset"]) == ("undecided", "quick")
    assert oscillates["comparisons"][0]["n"] == [5, 5]
    assert entries["inverted-images", "tuned"]["verdict"] == "not measured"
    page = (tmp_path / "out" / "claims.md").read_text()
    assert "undecided at n = 5 (quick preset)" in page
    assert "<script" not in page
    assert published() == before
    assert run(claims, "--input", tmp_path / "none", "--output", tmp_path) == 2
