"""Which step is the best."""

from gan_jax.runs import best


def test_the_best_step_has_the_lowest_score_and_is_the_first_of_equal_ones():
    rows = [{"step": 1, "d_loss": 0.0}, *({"step": s, best.METRIC: v, "other": -v} for s, v in ((2, 5.0), (4, 3.0)))]
    rows += [{"step": 6, best.METRIC: 3.0}]
    assert best.scores(rows) == {2: 5.0, 4: 3.0, 6: 3.0}
    assert best.best_step(best.scores(rows)) == 4
    assert best.best_step(best.scores(rows, "other")) == 2
    assert best.best_step({}) is None
