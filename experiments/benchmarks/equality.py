"""Proof, before anything is timed, that both frameworks compute the same: from the same weights and the same z."""

from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import torch

from experiments.benchmarks import works
from experiments.benchmarks.torch_layers import take_weights
from experiments.benchmarks.torch_step import Form, Trainer
from gan_jax import build
from gan_jax.runs.initial_state import init_state

_TOLERANCE = 1e-4  # relative, of a loss after a whole forward pass (and for G after D's first update) in float32
_TRAINED_STEPS = 10


def _jax_losses(config, real: works.Batch, z: np.ndarray):
    """(the untrained state, losses [steps, 2] of D and G)."""
    shape = real.images.shape[1:]
    fixed = mock.patch("gan_jax.gan.priors.make_prior", return_value=lambda key, size: jnp.asarray(z))
    # Accelerators round the factors of a product by default.
    with fixed, jax.default_matmul_precision("highest"):
        gan = build.build(config, shape, works.NUM_CLASSES, 1000)
        first = state = init_state(gan, config.seed, real)
        step, batches, losses = jax.jit(gan.step), jax.tree.map(lambda leaf: leaf[None], real), []
        for _ in range(1 + _TRAINED_STEPS):
            state, metrics = step(state, batches, jax.random.key(1))
            losses.append([float(metrics["d_loss"]), float(metrics["g_loss"])])
    return first, np.array(losses)


def _torch_losses(config, real: works.Batch, z: np.ndarray, state) -> np.ndarray:
    trainer = Trainer(config, real, Form(), latent=lambda: torch.from_numpy(z))
    take_weights(trainer.generator, state.generator)
    take_weights(trainer.discriminator, state.discriminator)
    return np.array([[float(loss) for loss in trainer.step()] for _ in range(1 + _TRAINED_STEPS)])


def check_equal_losses(name: str, batch_size: int = 32) -> dict[str, float]:
    """Relative differences between the frameworks of the first D loss and the first G loss.

    Dropout and noise are off and the rates small; everything else is the work's own. AssertionError where a first loss
    differs by more than float32 rounding explains, or where a loss does not change or is not finite after ten more
    steps. The largest difference after these is returned too: rounding grows from update to update, so it is told and
    not bounded.
    """
    config = works.load(name, quiet=True, batch_size=batch_size)
    real = works.as_floats(works.real_images(name, config))
    z = np.random.default_rng(1).uniform(-1, 1, (batch_size, config.prior.features)).astype(np.float32)
    state, ours = _jax_losses(config, real, z)
    theirs = _torch_losses(config, real, z, state)
    difference = np.abs(ours - theirs) / np.abs(theirs)
    for player, of_jax, of_torch, relative in zip("DG", ours[0], theirs[0], difference[0], strict=True):
        text = f"{name}: the first {player} loss is {of_jax} in gan_jax and {of_torch} in PyTorch"
        assert relative <= _TOLERANCE, text
    for framework, losses in (("gan_jax", ours), ("PyTorch", theirs)):
        assert np.isfinite(losses).all(), f"{name}: {framework}'s losses are not finite"
        assert (losses[0] != losses[-1]).all(), f"{name}: {framework} does not train"
    return {
        "d_loss": float(difference[0, 0]),
        "g_loss": float(difference[0, 1]),
        "after_10_steps": float(difference[-1].max()),
    }
