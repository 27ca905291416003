"""How many dimensions for the generator's noise z?

The tutorial concluded, from one run each, that the dimension does not matter. Two dimensions limit the variety within a
class, even if every single sample is good, so read recall beside the Frechet distance. The label's embedding, 10
entries beside z, is fixed.

    python -m gan_jax.main --config configs/ablations/noise_dimension.py:2
    python -m gan_jax.main --config configs/ablations/noise_dimension.py:2@tuned
"""

from configs import study

BASELINE = {"tutorial": "100", "tuned": "100"}
ARMS = {str(features): {"prior.features": features} for features in (2, 8, 32, 100, 256, 512)}
VARIANTS, get_config = study.variants(ARMS, BASELINE)
