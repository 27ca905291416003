"""Which distribution for the generator's noise z?

The tutorial concluded, from one run each, that uniform noise is unsuitable and that Laplace noise equals normal noise.
The dimension, 100, is fixed, but the variance is not. An entry's variance is 1 for normal, multivariate_normal and
sphere, 1/3 for uniform on [-1, 1], 2 for Laplace and about 0.77 for the normal truncated at 2. So an arm changes both
the scale and the shape of G's input distribution. multivariate_normal is an AR(1) series: neighbouring entries have a
correlation of 0.5. In 100 dimensions the normal distribution is nearly the sphere.

    python -m gan_jax.main --config configs/ablations/noise.py:laplace
    python -m gan_jax.main --config configs/ablations/noise.py:uniform@tuned
"""

from configs import study

BASELINE = {"tutorial": "normal", "tuned": "normal"}
ARMS = {
    **{name: {"prior.name": name} for name in ("normal", "uniform", "laplace", "truncated_normal", "sphere")},
    "multivariate_normal": {"prior.name": "multivariate_normal", "prior.covariance": "ar1"},
}
VARIANTS, get_config = study.variants(ARMS, BASELINE)
