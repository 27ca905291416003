"""Should a run end when its validation score has stopped improving, and how soon?

An arm's name is its patience: the run ends after this number of scores in a row without a better Frechet distance to
the held-out images. The best state of every run is kept. So patience can save time or miss a later best state, but it
cannot find a better one: compare the best states and the numbers of steps. The Frechet distance of few images is noisy,
so a small patience may stop at noise. Everything about training is fixed. The baseline, never, is the base with a score
every 200 steps, as in the other arms; with the base's 1,000, the tutorial's run would have only two scores.

    python -m gan_jax.main --config configs/ablations/early_stopping.py:2
    python -m gan_jax.main --config configs/ablations/early_stopping.py:5@tuned
"""

from configs import study

BASELINE = {"tutorial": "never", "tuned": "never"}
PATIENCE = {"never": 0, "2": 2, "5": 5}
ARMS = {name: {"eval.patience": patience, "eval.every_steps": 200} for name, patience in PATIENCE.items()}
VARIANTS, get_config = study.variants(ARMS, BASELINE)
