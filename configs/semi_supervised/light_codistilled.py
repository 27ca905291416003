"""light with the mean classes of a draw's networks in D from step 12,000 on.

`light` is `configs/improved_mnist.py:light`: half of D's width. The networks of one label subset train side by side.
Each D learns the mean of the class probabilities of all these networks (codistillation, arXiv 1804.03235).

    python -m gan_jax.main --config configs/semi_supervised/light_codistilled.py --config.num_seeds=4 \
        --config.data.num_label_subsets=1
    python -m experiments.semi_supervised --recipes light,light_codistilled --labels 100 --seeds 1 --members 4 \
        --at_once 4

100 labels, one label subset, float32: 112, 113, 110 and 124 errors. Four networks that learn alone (`light`) make 159,
151, 251 and 158 errors. Four networks train in 77 minutes on two CPU cores.
"""

from ml_collections import ConfigDict

from configs import improved_mnist

BASE = "light"


def get_config() -> ConfigDict:
    """The difference from `light`."""
    config = improved_mnist.get_config("light")
    config.d_loss.codistillation = 0.3
    config.ramp_up.start = 12_000
    return config
