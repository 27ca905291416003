"""Latent distributions: (key, shape [..., Z]) -> z."""

import math
import os
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.system.config import choose
from gan_jax.system.errors import UserError


def normal(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """z ~ N(0, I)."""
    return jax.random.normal(key, shape)


def uniform(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """z ~ U(-1, 1) per entry, the prior of DCGAN (arXiv 1511.06434, section 4); variance 1/3."""
    return jax.random.uniform(key, shape, minval=-1.0, maxval=1.0)


def laplace(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """z ~ exp(-|z|) / 2 per entry; variance 2."""
    return jax.random.laplace(key, shape)


def sphere(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """z = sqrt(Z) e / |e| with e ~ N(0, I): uniform on the sphere of radius sqrt(Z); uncorrelated entries, variance 1.

    In many dimensions, N(0, I) is nearly the same (arXiv 1609.04468, section 2). For Z = 1, z is -1 or 1.
    """
    e = jax.random.normal(key, shape)
    length = jnp.linalg.norm(e, axis=-1, keepdims=True)
    return math.sqrt(shape[-1]) * e / jnp.maximum(length, jnp.finfo(e.dtype).tiny)


def truncated_normal(key: jax.Array, shape: tuple[int, ...], threshold: float) -> jax.Array:
    """z ~ N(0, 1) per entry, given |z| <= threshold (the truncation trick, arXiv 1809.11096, section 3.1).

    The paper draws values outside of the threshold again. Here, the distribution function is inverted, which results in
    the same distribution.
    Variance 1 - 2 c p(c) / (P(c) - P(-c)) for threshold c, density p and distribution function P of N(0, 1).
    """
    return jax.random.truncated_normal(key, -threshold, threshold, shape)


def multivariate_normal(key: jax.Array, shape: tuple[int, ...], factor: jax.Array) -> jax.Array:
    """z = L e ~ N(0, L L^T) with e ~ N(0, I); factor: L [Z, Z]."""
    e = jax.random.normal(key, shape)
    # By default, accelerators round the factors of a matrix product, which would change the covariance.
    return jnp.matmul(e, factor.T, precision=jax.lax.Precision.HIGHEST)


def identity_covariance(features: int, correlation: float) -> np.ndarray:
    """S = I."""
    return np.eye(features)


def autoregressive_covariance(features: int, correlation: float) -> np.ndarray:
    """S_ij = correlation^|i - j|: entries of a stationary AR(1) series, variance 1; |correlation| < 1."""
    index = np.arange(features)
    return np.float64(correlation) ** np.abs(index[:, None] - index)


def _load(path: str, knob: str) -> np.ndarray:
    try:
        with open(path, "rb") as file:
            # Not `numpy.load`: that also opens archives and pickles.
            return np.lib.format.read_array(file, allow_pickle=False)
    except Exception as error:  # A damaged file can fail in many ways.
        reason = "no such file" if isinstance(error, FileNotFoundError) else "not an array of numbers"
        raise UserError(f"{knob}={path} cannot be read: {reason}; write the matrix with numpy.save") from error


def covariance_factor(
    covariance: str | os.PathLike | np.ndarray, features: int, correlation: float, knob: str = "prior"
) -> np.ndarray:
    """L [Z, Z] float64 with L L^T = S, from S = V diag(w) V^T, L = V diag(sqrt(w)). S may be singular.

    covariance: a name in COVARIANCES, the path of a .npy file with S [Z, Z], or S itself.
    """
    source, knob = "the given matrix", f"{knob}.covariance"
    if isinstance(covariance, str | os.PathLike):
        source = os.fspath(covariance)
        if source.endswith(".npy"):
            covariance = _load(source, knob)
        else:
            choose([*COVARIANCES, "PATH.npy"], source, knob)
            covariance = COVARIANCES[source](features, correlation)
    matrix = np.asarray(covariance)
    problem = _problem(matrix, features)
    if problem:
        raise UserError(f"{knob}={source} {problem}")
    eigenvalues, vectors = np.linalg.eigh(np.float64(matrix))
    # If the matrix was rounded to float32, an eigenvalue of 0 may have become slightly negative.
    if eigenvalues[0] < -1e-6 * eigenvalues[-1]:
        raise UserError(
            f"{knob}={source} has the eigenvalue {eigenvalues[0]:.3g}, and a covariance has none below 0; "
            "give a positive semidefinite matrix"
        )
    return vectors * np.sqrt(np.maximum(eigenvalues, 0))


def _problem(matrix: np.ndarray, features: int) -> str:
    """Why a matrix is no covariance of Z = features, and the correction to make; "" if it is one."""
    if matrix.dtype.kind not in "fiu":
        return f"contains {matrix.dtype}; give real numbers"
    if matrix.shape != (features, features):
        return f"has shape {list(matrix.shape)}; give [{features}, {features}], a row for every latent feature"
    matrix = np.float64(matrix)  # differences of unsigned integers would overflow
    if not np.isfinite(matrix).all():
        return "contains numbers that are not finite; give finite ones"
    if np.abs(matrix - matrix.T).max() > 1e-6 * np.abs(matrix).max():
        return "is not symmetric; give (S + S.T) / 2 if that is what you mean"
    return ""


def make_prior(
    name: str,
    features: int,
    *,
    covariance: str | os.PathLike | np.ndarray = "identity",
    correlation: float = 0.5,
    threshold: float = 2.0,
    knob: str = "prior",
) -> Callable[[jax.Array, int], jax.Array]:
    """(key, size) -> z [size, features] of the named distribution.

    covariance: for multivariate_normal, see `covariance_factor`.
    correlation: for multivariate_normal with covariance "ar1", the correlation of neighbouring entries.
    threshold: for truncated_normal, the largest |z|.
    knob: the config section, for error messages.
    """
    draw = choose(PRIORS, name, f"{knob}.name")
    if features < 1:
        raise UserError(f"{knob}.features={features}: must be at least 1")
    settings = {}
    if draw is truncated_normal:
        if not 0 < threshold < math.inf:
            raise UserError(f"{knob}.threshold={threshold}: must be a number above 0, for example 2.0")
        settings = {"threshold": threshold}
    if draw is multivariate_normal:
        if not -1 < correlation < 1:
            raise UserError(f"{knob}.correlation={correlation}: must be between -1 and 1, and neither of them")
        settings = {"factor": jnp.asarray(covariance_factor(covariance, features, correlation, knob), jnp.float32)}
    return lambda key, size: draw(key, (size, features), **settings)


COVARIANCES = {"identity": identity_covariance, "ar1": autoregressive_covariance}

PRIORS = {
    "normal": normal,
    "uniform": uniform,
    "laplace": laplace,
    "multivariate_normal": multivariate_normal,
    "truncated_normal": truncated_normal,
    "sphere": sphere,
}
