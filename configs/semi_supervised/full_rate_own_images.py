"""improved with a rate that does not fall and real images of G's own, as in the published code.

`improved` is `configs/improved_mnist.py`. In the published code (arXiv 1606.03498) the learning rates are constant to
the end, and an update of G reads other real images than D's last update.

    python -m gan_jax.main --config configs/semi_supervised/full_rate_own_images.py
    python -m experiments.semi_supervised --recipes full_rate_own_images --labels 20,50,100,200 --seeds 10 \
        --at_once 10 --jobs 4 --score_every 23600

Not trained yet.
"""

from ml_collections import ConfigDict

from configs import improved_mnist

BASE = "improved"


def get_config() -> ConfigDict:
    """The differences from the paper's length."""
    config = improved_mnist.get_config()
    config.d_optimizer.schedule = "constant"
    config.g_optimizer.schedule = "constant"
    config.g_batch = "own"
    return config
