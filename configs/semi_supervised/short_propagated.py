"""short with a second moment in G that lasts 100 updates, and propagated labels over the first 3,000 steps.

Half of the length of long_propagated.py, which explains the propagated labels.

    python -m gan_jax.main --config configs/semi_supervised/short_propagated.py --config.data.num_labels=20
    python -m experiments.semi_supervised --recipes short_propagated --labels 20,200 --seeds 1 --dtype bfloat16

The first label subset, bfloat16: 380 errors with 20 labels (`short`: 4,970) and 109 with 200 (`short`: 102). These took
64 and 65 minutes on a CPU core.
"""

from ml_collections import ConfigDict

from configs.semi_supervised import short_brief_moment

BASE = "short"


def get_config() -> ConfigDict:
    """The difference from `short_brief_moment`."""
    config = short_brief_moment.get_config()
    config.d_loss.propagated_label = 1.0
    config.terms.propagated_label.decay_steps = 3000
    return config
