"""long with a second moment in G that lasts 100 updates, and propagated labels over the first 3,000 steps.

Before training, label propagation over the nearest-neighbour graph (Zhou et al. 2003) gives a class to every image
without a label. D learns these classes beside the true labels, with a weight that falls from 1 to 0. Its errors
beside the published ones are in experiments/results/semi_supervised/README.md.

    python -m gan_jax.main --config configs/semi_supervised/long_propagated.py --config.data.num_labels=50
    python -m experiments.semi_supervised --recipes long_propagated --labels 20,50,200 --seeds 10 --at_once 10 \
        --jobs 3 --score_every 39400
    python -m experiments.semi_supervised --recipes long_propagated --labels 100 --seeds 10 --members 2 --at_once 10 \
        --jobs 2 --score_every 39400

Errors over ten label subsets, float32, one H200: 960.7 +- 462.8 with 20 labels, 128.0 +- 58.1 with 50, 96.3 +- 11.2
with 100 (two networks per subset; 89.7 +- 11.7 by the mean of their probabilities) and 88.6 +- 9.0 with 200. Ten
networks train in one program in 11 to 13 minutes, beside other programs.
"""

from ml_collections import ConfigDict

from configs.semi_supervised import long_brief_moment

BASE = "long"


def get_config() -> ConfigDict:
    """The difference from `long_brief_moment`."""
    config = long_brief_moment.get_config()
    config.d_loss.propagated_label = 1.0
    config.terms.propagated_label.decay_steps = 3000
    return config
