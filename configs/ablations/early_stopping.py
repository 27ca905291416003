"""Should a run end when its validation score has stopped improving, and how soon?

An arm is named by its patience, the scores in a row without a better Frechet distance to the held-out images that end a
run. The best state of every run is kept, so patience can save time and miss a later best, but never find a better one:
compare the best states, and the steps that were made. A Frechet distance of few images is noisy, which is what a small
patience stops at. Everything that trains is held fixed. The baseline, never, is the base but for a score every 200
steps, as in the other arms: the base's 1,000 would give the tutorial's run two scores in all.

    python -m gan_jax.main --config configs/ablations/early_stopping.py:2
    python -m gan_jax.main --config configs/ablations/early_stopping.py:5@tuned
"""

from configs import study

BASELINE = {"tutorial": "never", "tuned": "never"}
PATIENCE = {"never": 0, "2": 2, "5": 5}
ARMS = {name: {"eval.patience": patience, "eval.every_steps": 200} for name, patience in PATIENCE.items()}
VARIANTS, get_config = study.variants(ARMS, BASELINE)
