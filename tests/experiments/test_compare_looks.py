"""The statistics of `compare`: looks against hand numbers and simulation, earlier records, plans."""

import math
import types

import numpy as np
import pytest

from experiments.ablations import one_run
from experiments.compare import arms as arms_of
from experiments.compare import planning, prior, proof, sequential
from experiments.compare.prior import NONE, Prior
from experiments.compare.sequential import BASE, Data, Rule
from experiments.statistics_check import Noise
from gan_jax.system.errors import UserError
from tests.experiments.canned_studies import seed_record

RULE = Rule("frechet_distance", True, math.log(1.1))


def data(scores, lost=0):
    return Data(np.array(scores, np.float64), lost, len(scores) + lost)


def test_the_error_rate_of_all_looks_is_spent_once():
    assert sum(RULE.alpha(look) for look in range(1, 100_000)) == pytest.approx(0.05, abs=1e-6)
    assert [RULE.alpha(look) for look in (1, 9, 10, 11)] == pytest.approx([0.005, 0.005, 0.0025, 0.005 / 6])


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        ((-0.3, -0.05), "better"),
        ((0.2, 0.4), "worse"),
        ((-0.08, -0.01), "better, but by less than the margin"),
        ((0.01, 0.09), "worse, but by less than the margin"),
        ((-0.09, 0.09), "no difference larger than the margin"),
        ((-0.09, 0.11), "undecided"),
        ((-math.inf, math.inf), "undecided"),
    ],
)
def test_the_verdict_follows_from_the_interval(interval, expected):
    assert sequential.verdict(RULE, interval, interval) == expected
    higher = RULE._replace(lower_is_better=False)
    turned = {"better": "worse", "worse": "better"}
    word, _, rest = expected.partition(",")
    assert sequential.verdict(higher, interval, interval) == turned.get(word, word) + ("," + rest if rest else "")


def test_statements_about_the_margin_are_one_sided():
    assert sequential.verdict(RULE, (-0.1, 0.1), (-0.09, 0.09)) == "no difference larger than the margin"
    assert sequential.verdict(RULE, (0.01, 0.1), (0.02, 0.09)) == "worse, but by less than the margin"
    # The narrower interval does not say that there is a difference.
    assert sequential.verdict(RULE, (-0.01, 0.2), (0.01, 0.19)) == "undecided"
    rng = np.random.default_rng(0)
    arms = {BASE: data(rng.normal(0, 0.05, 12)), "a": data(rng.normal(0, 0.05, 12))}
    look = sequential.look(1, RULE, arms, {})["a"]
    wider = sequential.look(1, RULE._replace(error_rate=0.1), arms, {})["a"]
    assert look.margin_interval == pytest.approx(wider.interval)


def test_looks_narrow_and_a_verdict_stays():
    rng = np.random.default_rng(0)
    base, arm = rng.normal(0, 0.05, 40), rng.normal(0.5, 0.05, 40)
    first = sequential.look(1, RULE, {BASE: data(base[:3]), "a": data(arm[:3])}, {})
    second = sequential.look(2, RULE, {BASE: data(base[:20]), "a": data(arm[:20])}, first)
    width = lambda look: look["a"].interval[1] - look["a"].interval[0]  # noqa: E731
    assert width(second) < width(first)
    assert second["a"].verdict == "worse"
    assert second["a"].seeds == (20, 20)
    # A decided arm keeps its verdict, whatever later looks show.
    third = sequential.look(3, RULE, {BASE: data(base), "a": data(base + 0.001)}, second)
    assert third["a"].verdict == "worse"


def test_an_arm_that_fails_more_often_than_the_base():
    lost = data([], lost=6)
    result = sequential.look(1, RULE, {BASE: data(np.arange(8) / 100), "a": lost}, {})["a"]
    assert result.verdict == "fails"
    assert result.failure_p == pytest.approx(1 / math.comb(14, 6))
    fewer = sequential.look(1, RULE, {BASE: data([], lost=8), "a": data(np.arange(6) / 100)}, {})["a"]
    assert fewer.verdict != "fails"
    assert sequential.failure_p(data([]), data([1.0])) is None


def test_numbers_of_seeds():
    assert [sequential.more_seeds(n) for n in (3, 4, 6, 9, 13)] == [4, 6, 9, 13, 19]
    assert [sequential.base_seeds(3, k) for k in (0, 1, 4, 8)] == [3, 3, 6, 8]
    assert sequential.wanted_seeds(4, ["a"], cost_ratio=4.0) == {BASE: 8, "a": 4}
    assert sequential.base_seeds(4, 1, cost_ratio=0.01) == 3
    arm = sequential.ArmLook((4, 4), 0.1, (-0.1, 0.3), (-0.1, 0.3), (0, 0), 1.0, "undecided")
    assert sequential.seeds_to_decide(RULE, 1, arm) == 16  # half width 0.2 must fall below 0.1
    assert sequential.seeds_to_decide(RULE, 9, arm) > 16  # at a smaller error rate
    unknown = arm._replace(interval=(-math.inf, math.inf))
    assert sequential.seeds_to_decide(RULE, 1, unknown) == 6


NOISE = Noise(np.random.default_rng(0).normal(0, 0.06, 300), np.array([0.3]), 20)


@pytest.mark.thorough
def test_null_arms_are_seldom_called_different_and_large_effects_are_found_early():
    null = proof.simulate(NOISE, proof.Case(3), 40)
    allowed = 0.05 + 3 * math.sqrt(0.05 * 0.95 / 40)
    assert max(null[way]["any_wrong"] for way in ("sequential", "prior", "fixed")) <= allowed
    assert null["prior"]["trainings"] < null["sequential"]["trainings"]
    large = proof.simulate(NOISE, proof.Case(1, 0.5), 80)
    assert large["num_comparisons"] == 20
    assert large["sequential"]["decided"] > 0.9
    assert large["sequential"]["trainings"] < large["fixed"]["trainings"] / 2
    failing = proof.simulate(NOISE, proof.Case(1, failure=0.9), 80)
    assert failing["sequential"]["decided"] > failing["fixed"]["decided"] - 0.2


def prior_of(sd, programs=10, seeds=5):
    rng = np.random.default_rng(1)
    return Prior({("b", i): rng.normal(0, sd, seeds) for i in range(programs)}, ["earlier"])


def test_earlier_records_narrow_the_first_interval_and_are_left_out_if_they_are_quieter():
    arms = {BASE: data([-0.06, 0.0, 0.06]), "a": data([0.0, 0.06, 0.12])}
    alone = sequential.look(1, RULE, arms, {})["a"]
    earlier = prior_of(0.06)
    cells = earlier.fitting(arms)
    assert len(cells) == 10
    helped = sequential.look(1, RULE, arms, {}, cells)["a"]
    width = lambda look: look.interval[1] - look.interval[0]  # noqa: E731
    assert width(helped) < 0.7 * width(alone)
    assert helped.difference == alone.difference
    assert prior_of(0.01).fitting(arms) == {}
    assert earlier.describe()["sd"] == pytest.approx(0.06, rel=0.2)
    assert NONE.describe() == NONE.fitting(arms) == {}


@pytest.fixture
def earlier_runs(tmp_path):
    """A folder of runs, as a comparison leaves them: two programs of three seeds and one with a single seed."""
    distances = {"aaaa": (10.0, 11.0, 12.0), "bbbb": (20.0, 21.0, 22.0), "cccc": (5.0,)}
    protocol = {"num_images": 1000, "features": "classifier-1"}
    for name, values in distances.items():
        for seed, distance in enumerate(values):
            record = seed_record(distance, 0.9) | {"protocol": protocol, "provenance": {"data": {"fingerprint": "f1"}}}
            (tmp_path / "runs" / name).mkdir(parents=True, exist_ok=True)
            one_run.write(tmp_path / "runs" / name, seed, record)
    return tmp_path / "runs"


@pytest.mark.parametrize(
    ("fingerprint", "features", "message"),
    [
        ("f1", "classifier-1", ""),
        ("f2", "classifier-1", "data is f1, and that of this comparison f2"),
        ("f1", "classifier-2", "features is classifier-1, and that of this comparison classifier-2"),
    ],
)
def test_earlier_records_are_of_the_same_data_and_features(earlier_runs, monkeypatch, fingerprint, features, message):
    monkeypatch.setitem(prior.EXTRACTORS, "classifier", lambda *arguments: (None, features))
    dataset = types.SimpleNamespace(fingerprint=lambda: fingerprint)
    (base,) = arms_of.parse("configs/cgan.py:tuned", "eval.at_end_num_images=1000", [])
    if message:
        with pytest.raises(UserError, match=message):
            prior.read_prior([str(earlier_runs)], RULE, base, dataset, "")
        return
    read = prior.read_prior([str(earlier_runs)], RULE, base, dataset, "")
    assert sorted(map(tuple, read.cells.values())) == [
        tuple(np.log(values)) for values in ((10.0, 11.0, 12.0), (20.0, 21.0, 22.0))
    ]
    for folder, reason in ((earlier_runs / "aaaa", "no two finished seeds"), (earlier_runs / "none", "is no folder")):
        with pytest.raises(UserError, match=reason):
            prior.read_prior([str(folder)], RULE, base, dataset, "")


def test_a_plan_needs_more_seeds_for_smaller_effects_and_more_arms():
    needed = [planning.seeds_for(math.log1p(effect), RULE, 1, 0.07, 100)[0] for effect in (0.5, 0.2, 0.1)]
    assert needed == sorted(needed)
    assert needed[0] < needed[2]
    total = lambda needed, num_arms: needed[0] * num_arms + needed[1]  # noqa: E731
    eight, one = (planning.seeds_for(0.1, RULE, num_arms, 0.07, 100) for num_arms in (8, 1))
    assert total(one, 1) < total(eight, 8) < 8 * total(one, 1)
    # No difference is shown by an interval inside the margin; half of the margin is hardest to place.
    none, half = (planning.seeds_for(effect, RULE, 1, 0.07, 200)[0] for effect in (0.0, RULE.margin / 2))
    assert needed[1] < none < half
    assert planning.seeds_for(0.0, RULE._replace(margin=0.01), 1, 0.07, 100) is None
