"""Checks, before anything is timed, that both frameworks compute the same losses from the same weights and z."""

from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import torch

from experiments.benchmarks import works
from experiments.benchmarks.forms import Form
from experiments.benchmarks.torch_layers import copy_weights
from experiments.benchmarks.torch_step import Trainer
from gan_jax import build
from gan_jax.runs.initial_state import init_state

_TOLERANCE = 1e-4  # relative, of a float32 loss after a forward pass (for G: after D's first update)
_TRAINED_STEPS = 10
_PLAIN = Form()


def _jax_losses(config, real: works.Batch, z: np.ndarray):
    """(untrained state, losses [steps, 2] of D and G)."""
    shape = real.images.shape[1:]
    fixed = mock.patch("gan_jax.gan.priors.make_prior", return_value=lambda key, size: jnp.asarray(z))
    # By default, accelerators round the factors of a matrix product.
    with fixed, jax.default_matmul_precision("highest"):
        gan = build.build(config, shape, works.NUM_CLASSES, 1000)
        first = state = init_state(gan, config.seed, real)
        step, batches, losses = jax.jit(gan.step), jax.tree.map(lambda leaf: leaf[None], real), []
        for _ in range(1 + _TRAINED_STEPS):
            state, metrics = step(state, batches, jax.random.key(1))
            losses.append([float(metrics["d_loss"]), float(metrics["g_loss"])])
    return first, np.array(losses)


def _torch_losses(config, real: works.Batch, z: np.ndarray, state, form: Form) -> np.ndarray:
    trainer = Trainer(config, real, form, latent=lambda: torch.from_numpy(z))
    copy_weights(trainer.generator, state.generator)
    copy_weights(trainer.discriminator, state.discriminator)
    return np.array([[float(loss) for loss in trainer.step()] for _ in range(1 + _TRAINED_STEPS)])


def check_equal_losses(name: str, batch_size: int = 32, form: Form = _PLAIN) -> dict[str, float]:
    """Relative differences between gan_jax and a form of PyTorch: first D loss, first G loss, after ten more steps.

    Dropout and noise are off and the rates are small; everything else is the work's. AssertionError if a first loss
    differs by more than float32 rounding, or if a loss does not change or is not finite after ten more steps. The
    largest difference after ten steps has no bound, because rounding errors grow from update to update.
    """
    config = works.load(name, quiet=True, batch_size=batch_size)
    real = works.as_floats(works.real_images(name, config))
    z = np.random.default_rng(1).uniform(-1, 1, (batch_size, config.prior.features)).astype(np.float32)
    state, jax_losses = _jax_losses(config, real, z)
    torch_losses = _torch_losses(config, real, z, state, form)
    difference = np.abs(jax_losses - torch_losses) / np.abs(torch_losses)
    for player, of_jax, of_torch, relative in zip("DG", jax_losses[0], torch_losses[0], difference[0], strict=True):
        text = f"{name}: the first {player} loss is {of_jax} in gan_jax and {of_torch} in PyTorch"
        assert relative <= _TOLERANCE, text
    for framework, losses in (("gan_jax", jax_losses), ("PyTorch", torch_losses)):
        assert np.isfinite(losses).all(), f"{name}: {framework}'s losses are not finite"
        assert (losses[0] != losses[-1]).all(), f"{name}: {framework} does not train"
    return {
        "d_loss": float(difference[0, 0]),
        "g_loss": float(difference[0, 1]),
        "after_10_steps": float(difference[-1].max()),
    }
