"""long with a second moment in G that lasts 100 updates, propagated labels over the first 3,000 steps, and from step
12,000 on the mean classes of a draw's networks in D.

The networks of one label subset train side by side. From step 12,000 on, when each D classifies most images correctly,
each D learns the mean of the class probabilities of all these networks (codistillation, arXiv 1804.03235).

    python -m gan_jax.main --config configs/semi_supervised/long_codistilled.py --config.num_seeds=2 \
        --config.data.num_label_subsets=1
    python -m experiments.semi_supervised --recipes long_codistilled --labels 100 --seeds 10 --members 2 --at_once 20 \
        --score_every 39400

Not trained to its end yet. `light_codistilled` has results.
"""

from ml_collections import ConfigDict

from configs.semi_supervised import long_propagated

BASE = "long"


def get_config() -> ConfigDict:
    """The difference from `long_propagated`."""
    config = long_propagated.get_config()
    config.d_loss.codistillation = 0.3
    config.ramp_up.start = 12_000
    return config
