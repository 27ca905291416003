"""Latent distributions against their definitions: moments, supports, and Kolmogorov-Smirnov tests of every marginal."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from gan_jax.gan.priors import PRIORS, covariance_factor, make_prior
from gan_jax.system.errors import UserError

SIZE, FEATURES = 20_000, 4


def draw(name, features=FEATURES, size=SIZE, **settings):
    z = make_prior(name, features, **settings)(jax.random.key(0), size)
    assert z.shape == (size, features)
    assert z.dtype == jnp.float32
    return np.asarray(z)


@pytest.mark.parametrize("name", PRIORS)
def test_every_prior_draws_any_number_of_features_and_follows_its_key(name):
    for features in (1, 100):
        prior = jax.jit(make_prior(name, features), static_argnums=1)
        z = prior(jax.random.key(0), 16)
        assert np.isfinite(z).all()
        np.testing.assert_array_equal(z, prior(jax.random.key(0), 16))
        assert (z != prior(jax.random.key(1), 16)).any()


MARGINALS = {
    "normal": scipy.stats.norm(),
    "uniform": scipy.stats.uniform(-1, 2),
    "laplace": scipy.stats.laplace(),
    "multivariate_normal": scipy.stats.norm(),
    "truncated_normal": scipy.stats.truncnorm(-2, 2),
    # Of a uniform point on the unit sphere in Z dimensions, (x + 1) / 2 ~ Beta((Z - 1) / 2, (Z - 1) / 2).
    "sphere": scipy.stats.beta(1.5, 1.5, loc=-2, scale=4),
}


@pytest.mark.parametrize("name", PRIORS)
def test_entries_have_their_distribution_and_are_uncorrelated(name):
    """With 20,000 draws, an error of 0.03 of a mean has a probability below 1e-4; a wrong distribution has p < 1e-3."""
    z, expected = draw(name), MARGINALS[name]
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=0.05)
    np.testing.assert_allclose(np.cov(z.T), expected.var() * np.eye(FEATURES), atol=0.05 * expected.var())
    for column in z.T:
        assert scipy.stats.kstest(column, expected.cdf).pvalue > 1e-3


@pytest.mark.parametrize("name", PRIORS)
def test_the_check_of_distributions_can_fail(name):
    """The test rejects draws that come from another distribution with the same variance."""
    other = scipy.stats.norm if name in ("uniform", "laplace", "sphere") else scipy.stats.laplace
    z = draw(name)[:, 0]
    assert scipy.stats.kstest(z / z.std(), other(scale=1 / other.std()).cdf).pvalue < 1e-6


@pytest.mark.parametrize("threshold", [0.1, 1.0, 3.0])
def test_truncated_normal(threshold):
    z = draw("truncated_normal", threshold=threshold)
    assert np.abs(z).max() <= threshold
    assert np.abs(z).max() > 0.98 * threshold
    assert scipy.stats.kstest(z.ravel(), scipy.stats.truncnorm(-threshold, threshold).cdf).pvalue > 1e-3
    redrawn = np.random.RandomState(0).standard_normal(1_000_000)
    redrawn = redrawn[np.abs(redrawn) <= threshold]
    assert scipy.stats.ks_2samp(z.ravel(), redrawn).pvalue > 1e-3


def test_truncated_normal_at_an_unreachable_threshold_is_normal():
    assert scipy.stats.kstest(draw("truncated_normal", threshold=50.0).ravel(), "norm").pvalue > 1e-3


@pytest.mark.parametrize("features", [1, 2, 3, 64])
def test_sphere(features):
    z = draw("sphere", features)
    np.testing.assert_allclose((z**2).sum(axis=1), features, rtol=1e-5)
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=0.05)
    if features == 3:  # every coordinate of a point on a sphere in 3 dimensions is uniform (Archimedes)
        assert scipy.stats.kstest(z[:, 0], scipy.stats.uniform(-(3**0.5), 2 * 3**0.5).cdf).pvalue > 1e-3


def test_uniform_stays_inside():
    assert np.abs(draw("uniform")).max() <= 1


@pytest.mark.parametrize("correlation", [-0.9, 0.0, 0.5, 0.95])
def test_ar1(correlation):
    expected = np.array([[correlation ** abs(i - j) for j in range(6)] for i in range(6)])
    factor = covariance_factor("ar1", 6, correlation)
    np.testing.assert_allclose(factor @ factor.T, expected, atol=1e-12)
    z = draw("multivariate_normal", 6, covariance="ar1", correlation=correlation)
    np.testing.assert_allclose(np.cov(z.T), expected, atol=0.04)
    # The first principal component is also normal.
    variances, directions = np.linalg.eigh(expected)
    assert scipy.stats.kstest(z @ directions[:, -1] / np.sqrt(variances[-1]), "norm").pvalue > 1e-3


def test_identity_covariance_is_the_identity():
    np.testing.assert_array_equal(covariance_factor("identity", 5, 0.5), np.eye(5))


def test_custom_covariance(tmp_path):
    """From a file, its path as a string, an array or a list; of rank 2, in float64, float32 and integers."""
    covariance = np.array([[4.0, 2.0, 6.0], [2.0, 2.0, 4.0], [6.0, 4.0, 10.0]])  # the last row is the others' sum
    path = tmp_path / "covariance.npy"
    for array in (covariance, np.float32(covariance), np.uint8(covariance)):
        np.save(path, array)
        for source in (path, str(path), array, array.tolist()):
            factor = covariance_factor(source, 3, 0.5)
            np.testing.assert_allclose(factor @ factor.T, covariance, atol=1e-6)
    z = draw("multivariate_normal", 3, covariance=str(path))
    np.testing.assert_allclose(np.cov(z.T), covariance, rtol=0.05)
    np.testing.assert_allclose(z[:, 0] + z[:, 1], z[:, 2], atol=1e-4)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("laplacian", {}, "prior.name='laplacian' is unknown; did you mean laplace"),
        ("normal", {"features": 0}, "prior.features=0: must be at least 1"),
        ("truncated_normal", {"threshold": 0.0}, "prior.threshold=0.0: must be"),
        ("truncated_normal", {"threshold": float("nan")}, "prior.threshold=nan: must be"),
        ("multivariate_normal", {"correlation": 1.0}, "prior.correlation=1.0: must be"),
        ("multivariate_normal", {"correlation": -1.5}, "prior.correlation=-1.5: must be"),
        ("multivariate_normal", {"covariance": "ar"}, "prior.covariance='ar' is unknown; did you mean ar1?"),
        ("multivariate_normal", {"covariance": "wishart"}, "choose one of: PATH.npy, ar1, identity"),
        ("multivariate_normal", {"covariance": "missing.npy"}, "missing.npy cannot be read: no such file"),
    ],
)
def test_refusals(name, settings, message):
    with pytest.raises(UserError) as refusal:
        make_prior(name, **{"features": 2, **settings})
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.eye(3), "has shape [3, 3]; give [2, 2]"),
        (np.ones(2), "has shape [2]; give [2, 2]"),
        ([[1, 0], [0, np.nan]], "not finite"),
        ([[1, 0], [0, np.inf]], "not finite"),
        ([[1, 0.5], [0.4, 1]], "not symmetric"),
        (np.array([[1, 3], [2, 9]], np.uint8), "not symmetric"),
        ([[1, 2], [2, 1]], "has the eigenvalue -1"),
        (-np.eye(2), "has the eigenvalue -1"),
        (np.eye(2) * 1j, "contains complex128; give real numbers"),
        ([["1", "0"], ["0", "1"]], "give real numbers"),
    ],
)
def test_refused_matrices(matrix, message, tmp_path):
    np.save(tmp_path / "matrix.npy", matrix)
    for source in (matrix, tmp_path / "matrix.npy"):
        with pytest.raises(UserError) as refusal:
            make_prior("multivariate_normal", 2, covariance=source)
        assert message in str(refusal.value)
        assert "\n" not in str(refusal.value)


def test_refused_files(tmp_path):
    path = tmp_path / "matrix.npy"
    np.save(path, np.array([{}]), allow_pickle=True)
    contents = [path.read_bytes(), b"", b"1.0, 0.0\n", b"PK\x03\x04damaged", b"\x93NUMPY\x01\x00"]
    for content in contents:
        path.write_bytes(content)
        with pytest.raises(UserError, match="cannot be read: not an array of numbers; write the matrix with numpy.sav"):
            make_prior("multivariate_normal", 2, covariance=path)
