"""The statistics of the ablation studies, against SciPy, hand numbers and simulation."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from experiments import statistics_check
from experiments.reporting import pooled, programs, results, simultaneous
from experiments.reporting.contrasts import Component, Estimate, Model
from experiments.reporting.families import find
from experiments.reporting.findings import Contrast, state
from experiments.reporting.statistics import holm, over_seeds
from tests.experiments.canned_studies import canned, of_scores, seed_record

A, B = (programs.Block("tuned", "full", "1", name, "", "", "") for name in "ab")


def values(rng, count, n=3, sd=1.0, block=A):
    return {(block, i): rng.normal(0, sd, n) for i in range(count)}


def stable_only(model):
    """The same model if no program could be unstable: then the textbook's tests must result."""
    pools = {b: p._replace(unstable=dict.fromkeys(p.unstable, 0.0), share=0.0) for b, p in model.pools.items()}
    own = {
        b: sum(
            float(np.sum((v - v.mean()) ** 2)) for c, v in model.cells.items() if c[0] == b and c in pools[b].unstable
        )
        for b in pools
    }
    dfs = {b: sum(len(model.cells[c]) - 1 for c in pools[b].unstable) for b in pools}
    pools = {b: p._replace(variance=own[b] / dfs[b], df=dfs[b]) for b, p in pools.items()}
    return Model(model.cells, pools)


@pytest.mark.parametrize("n", [(3, 3), (3, 8), (2, 5)])
def test_without_unstable_programs_it_is_the_pooled_t_test(n):
    rng = np.random.default_rng(sum(n))
    first, second = rng.normal(0.5, 1, n[0]), rng.normal(0, 1, n[1])
    model = stable_only(Model.of({(A, 0): first, (A, 1): second}))
    estimate = model.contrast({0: 1.0, 1: -1.0}, [A])
    expected = stats.ttest_ind(first, second)
    assert estimate.n == n
    assert estimate.difference == pytest.approx(first.mean() - second.mean())
    assert estimate.p_value == pytest.approx(expected.pvalue, rel=1e-6)
    interval = expected.confidence_interval(0.95)
    assert estimate.half_width(0.05) == pytest.approx((interval.high - interval.low) / 2, rel=1e-6)


def test_a_frozen_program_is_compared_by_welch():
    rng = np.random.default_rng(0)
    cells = values(rng, 20) | {(A, 20): np.array([0.3, 0.3 + 1e-6, 0.3 - 1e-6])}
    model = Model.of(cells)
    assert list(model.pools[A].frozen) == [(A, 20)]
    assert model.pools[A].frozen[A, 20] == (pytest.approx(1e-12), 2)
    # Its own error is nothing beside the other's, so the difference has nearly the other's error alone.
    frozen, one = (
        stable_only(model).contrast({20: 1.0, 0: -1.0}, [A]),
        stable_only(model).contrast({1: 1.0, 0: -1.0}, [A]),
    )
    assert frozen.components[0].scale == pytest.approx(one.components[0].scale / math.sqrt(2), rel=1e-3)


def test_the_two_variances_and_the_unstable_programs_are_found():
    rng = np.random.default_rng(1)
    cells = values(rng, 400, sd=0.06) | {(A, 400 + i): rng.normal(0, 0.4, 3) for i in range(40)}
    of_block = pooled.pool(cells)
    assert math.sqrt(of_block.variance) == pytest.approx(0.06, rel=0.1)
    assert math.sqrt(of_block.unstable_variance) == pytest.approx(0.4, rel=0.2)
    assert of_block.share == pytest.approx(40 / 440, abs=0.03)
    likely = {cell for cell, u in of_block.unstable.items() if u > 0.5}
    assert sum(cell[1] >= 400 for cell in likely) > 28
    assert sum(cell[1] < 400 for cell in likely) < 8


def test_programs_without_a_second_seed_or_without_any_variance():
    assert pooled.pool({(A, 0): np.array([1.0]), (A, 1): np.array([2.0])}) is None
    assert pooled.pool({(A, 0): np.array([1.0, 1.0]), (A, 1): np.array([2.0, 2.0])}) is None
    model = Model.of({(A, 0): np.array([1.0]), (A, 1): np.array([2.0])})
    estimate = model.contrast({0: 1.0, 1: -1.0}, [A])
    assert (estimate.difference, estimate.p_value, estimate.components) == (-1.0, None, ())
    # One seed has a test if other programs show the noise.
    model = Model.of(values(np.random.default_rng(0), 10) | {(A, 10): np.array([9.0])})
    assert 0 < model.contrast({10: 1.0, 0: -1.0}, [A]).p_value < 0.1


def test_two_machines_are_averaged_and_their_disagreement_widens_the_error():
    rng = np.random.default_rng(2)
    noise = {(block, i): rng.normal(0, 0.1, 4) for block in (A, B) for i in range(2, 30)}
    exact = np.array([-0.1, 0.1, -0.1, 0.1])
    agree = noise | {(A, 0): exact + 1.0, (A, 1): exact, (B, 0): exact + 6.0, (B, 1): exact + 5.0}
    model = stable_only(Model.of(agree))
    one, both = (model.contrast({0: 1.0, 1: -1.0}, blocks) for blocks in ([A], [A, B]))
    assert both.difference == pytest.approx(1.0)
    assert both.n == (8, 8)
    assert both.disagreement == pytest.approx(1.0)
    variances = [model.pools[block].variance for block in (A, B)]
    by_hand = math.sqrt(1 / sum(1 / (v * (1 / 4 + 1 / 4)) for v in variances))
    assert both.components[0].scale == pytest.approx(by_hand)
    assert both.components[0].scale < one.components[0].scale
    differ = agree | {(B, 0): exact + 5.5}
    estimate = stable_only(Model.of(differ)).contrast({0: 1.0, 1: -1.0}, [A, B])
    assert estimate.disagreement < 0.01
    chi2 = stats.chi2.isf(estimate.disagreement, 1)
    assert estimate.components[0].scale == pytest.approx(by_hand * math.sqrt(chi2), rel=1e-3)


def test_the_family_equals_dunnetts_test():
    rng = np.random.default_rng(3)
    control, arms = rng.normal(0, 1, 8), [rng.normal(shift, 1, 6) for shift in (0.0, 0.4, 1.2, 1.8, 2.5)]
    cells = {(A, 0): control} | {(A, i + 1): arm for i, arm in enumerate(arms)}
    # So many degrees of freedom that the normal approximation of the joint distribution is good.
    cells |= {(A, 10 + i): rng.normal(0, 1, 6) for i in range(200)}
    model = stable_only(Model.of(cells))
    estimates = [model.contrast({i + 1: 1.0, 0: -1.0}, [A]) for i in range(len(arms))]
    adjusted = simultaneous.adjust([(model, estimate) for estimate in estimates])
    scale = math.sqrt(model.pools[A].variance)
    z = [e.difference / (scale * math.sqrt(1 / 6 + 1 / 8)) for e in estimates]
    correlation = np.full((5, 5), (1 / 8) / (1 / 6 + 1 / 8)) + np.eye(5) * (1 / 6) / (1 / 6 + 1 / 8)
    joint = stats.multivariate_normal(np.zeros(5), correlation)
    for statistic, (p, _) in zip(z, adjusted, strict=True):
        inside = joint.cdf(np.full(5, abs(statistic)), lower_limit=np.full(5, -abs(statistic)))
        assert p == pytest.approx(1 - inside, abs=0.01)
    assert [p < 0.05 for p, _ in adjusted] == [not low <= 0 <= high for _, (low, high) in adjusted]


def test_rates_are_corrected_for_the_tests_that_can_be_significant():
    def rate(lost, total, other_lost, other_total):
        p = stats.fisher_exact([[lost, total - lost], [other_lost, other_total - other_lost]]).pvalue
        margins = [(k, lost + other_lost - k) for k in range(total + 1) if 0 <= lost + other_lost - k <= other_total]
        tables = [[[k, total - k], [o, other_total - o]] for k, o in margins]
        smallest = min(stats.fisher_exact(table).pvalue for table in tables)
        return Estimate((total, other_total), 0.0, p_value=float(p), smallest_p=float(smallest))

    # 3 of 3 against 0 of 6: 1 / 84. The tests without any failure cannot be significant and cost nothing.
    adjusted = simultaneous.adjust_rates([rate(3, 3, 0, 6), *[rate(0, 3, 0, 6)] * 20])
    assert adjusted[0].p == pytest.approx(1 / 84)
    assert adjusted[1].p == 1
    two = simultaneous.adjust_rates([rate(3, 3, 0, 6), rate(3, 3, 0, 6), *[rate(0, 3, 0, 6)] * 20])
    assert two[0].p == pytest.approx(2 / 84)
    assert simultaneous.adjust_rates([Estimate((0, 0))]) == [(None, None)]


def test_a_mixture_has_the_tails_of_its_parts():
    estimate = Estimate((3, 3), 1.0, (Component(0.9, 1.0, 100.0), Component(0.1, 5.0, 4.0)))
    assert estimate.tail(2.0) == pytest.approx(0.9 * stats.t.sf(2, 100) + 0.1 * stats.t.sf(0.4, 4))
    assert 2 * estimate.tail(estimate.half_width(0.05)) == pytest.approx(0.05, rel=1e-6)


def test_holm_and_means_by_hand():
    # Sorted 0.01, 0.02, 0.03, 0.5: multiplied by 4, 3, 2, 1, then made non-decreasing.
    assert holm([0.03, None, 0.01, 0.5, 0.02]) == pytest.approx([0.06, None, 0.04, 0.5, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
    assert over_seeds([1.0, 2.0, 3.0]) == (3, 2.0, 1.0)
    assert (over_seeds([4.0]), over_seeds([])) == ((1, 4.0, None), (0, None, None))


def studies_on_two_machines():
    """batch_size@tuned on one machine, and optimizer@tuned on another, with one program in common: the base."""
    first = canned(
        "batch_size",
        arms=of_scores(**{"64": [10, 12, 11], "32": [8, 9, 8.5], "sixty_four": [10, 12, 11]}),
        baseline="64",
    )
    second = canned("optimizer", arms=of_scores(adam=[10.5, 11.5, 12.5], sgd=[60, 50, 55]))
    for name, overrides in (("64", {"batch_size": 64}), ("32", {"batch_size": 32}), ("sixty_four", {"batch_size": 64})):
        first["arms"][name]["overrides"] = overrides
    second["arms"]["adam"]["overrides"] = {"d_optimizer.name": "adam"}
    second["provenance"] = {"commit": "4567"}
    return [results.parse(first), results.parse(second)]


def test_one_program_under_several_names_and_on_two_machines():
    both = studies_on_two_machines()
    found = programs.find_programs(both)
    base = found.of(both[0], "64")
    assert base == found.of(both[0], "sixty_four") == found.of(both[1], "adam")
    assert len({base, found.of(both[0], "32"), found.of(both[1], "sgd")}) == 3
    assert len(found.blocks({base})) == 2
    assert found.of(both[0], "absent") is None
    finding = find(both, {})["batch_size@tuned"][Contrast("sixty_four", "64", "frechet_distance")]
    assert (finding.one_program, finding.p, state(finding)) == (True, None, "the same program")
    assert find(both, {})["batch_size@tuned"][Contrast("32", "64", "frechet_distance")].estimate.n == (3, 3)


def test_runs_that_end_before_the_threshold_give_a_bound():
    reach = {"adam": (300, 400, 300), "sgd": (9999, 9999, 900), "radam": (9999,) * 3}
    reach |= {f"like_adam_{i}": (300, 300, 400) for i in range(8)}
    arms = {
        name: [seed_record(9 + i + index / 7, 0.9, reach=r) for i, r in enumerate(row)]
        for index, (name, row) in enumerate(reach.items())
    }
    tests = [Contrast(*pair, "steps_to_threshold") for pair in (("sgd", "adam"), ("adam", "sgd"), ("sgd", "radam"))]
    findings = find([results.parse(canned(arms=arms))], {"optimizer@tuned": tests})["optimizer@tuned"]
    slower, faster, unknown = (findings[test] for test in tests)
    assert (slower.at_least, slower.interval[1]) == (1, math.inf)
    assert (faster.at_least, faster.interval[0]) == (-1, -math.inf)
    # Interpolated: 283 and 383 steps, against two runs of 1,000 steps that never arrived and one of 883.
    expected = np.log([1000, 1000, 883.333]).mean() - np.log([283.333, 383.333, 283.333]).mean()
    assert slower.estimate.difference == pytest.approx(expected, rel=1e-5)
    assert slower.estimate.p_value == faster.estimate.p_value < 0.02
    assert (unknown.p, unknown.decided, state(unknown)) == (None, False, "no test")


@pytest.mark.thorough
def test_the_family_wise_error_is_held_and_the_power_is_higher_than_before():
    noise = statistics_check.noise_of(results.pathlib.Path("experiments/results/ablations"))
    null = statistics_check.simulate(noise, 1.0, 3, 150)
    assert null["any_decided"] <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 150)
    assert null["interval_missed"] == null["any_decided"]
    assert null["any_equal"] > 0 or null["power"] < 0.02
    real = statistics_check.simulate(noise, 1.3, 3, 40)
    assert real["power"] > 2 * real["power_of_the_paired_t_test"]
    assert real["interval_missed"] <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 40)


def test_frozen_programs_do_not_depend_on_the_order():
    rng = np.random.default_rng(5)
    cells = values(rng, 12) | {(A, 12): np.full(3, 2.0), (A, 13): np.array([1.0, 1.0001, 1.0])}
    for order in itertools.islice(itertools.permutations(cells), 0, 2000, 500):
        assert set(pooled.pool({cell: cells[cell] for cell in order}).frozen) == {(A, 12), (A, 13)}
