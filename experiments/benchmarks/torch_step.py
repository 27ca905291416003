"""One D and one G update in PyTorch, in the order of gan_jax/gan/step.py: each update generates new images."""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from ml_collections import ConfigDict
from torch import nn

from experiments.benchmarks.torch_layers import tensors
from experiments.benchmarks.torch_networks import NETWORKS
from gan_jax.gan.types import Batch, DiscriminatorOutput


class Form(NamedTuple):
    """The form in which PyTorch runs. compile_mode: of torch.compile, "" for eager."""

    channels_last: bool = False
    compile_mode: str = ""


def _bce(logits: torch.Tensor, target: float) -> torch.Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


# objective -> (D's loss of real and fake logits, G's of fake logits), as in gan_jax/losses/adversarial.py.
_OBJECTIVES = {
    "bce_logits": (lambda real, fake: _bce(real, 1.0) + _bce(fake, 0.0), lambda fake: _bce(fake, 1.0)),
    "hinge": (lambda real, fake: F.relu(1 - real).mean() + F.relu(1 + fake).mean(), lambda fake: -fake.mean()),
}
_PRIORS = {
    "normal": lambda size, features, device: torch.randn(size, features, device=device),
    "uniform": lambda size, features, device: torch.rand(size, features, device=device) * 2 - 1,
}


def _adam(network: nn.Module, section: ConfigDict) -> torch.optim.Adam:
    """Fused Adam: one pass over all parameters, the fastest of PyTorch's three forms on a CPU and on a GPU."""
    betas = (0.9 if section.b1 is None else section.b1, 0.999 if section.b2 is None else section.b2)
    return torch.optim.Adam(network.parameters(), section.learning_rate, betas=betas, fused=True)


class Trainer:
    """A GAN in PyTorch on a fixed real batch, from a work's config.

    real: float images [B, H, W, C], as in gan_jax.
    latent: () -> z [B, Z], which replaces the prior's samples.
    """

    def __init__(
        self,
        config: ConfigDict,
        real: Batch,
        form: Form,
        device: str = "cpu",
        latent: Callable[[], torch.Tensor] | None = None,
    ):
        self.config, real = config, tensors(real)
        image = tuple(real.images.shape[1:])
        layout = torch.channels_last if form.channels_last else torch.contiguous_format
        self.generator, self.discriminator = (
            NETWORKS[section.family][player](config, image).to(device, memory_format=layout)
            for player, section in enumerate((config.generator, config.discriminator))
        )
        move = lambda b: b._replace(images=b.images.to(device, memory_format=layout), labels=b.labels.to(device))  # noqa: E731
        self.real = move(real)._replace(labelled=move(real.labelled) if real.labelled else None)
        self.d_optimizer = _adam(self.discriminator, config.d_optimizer)
        self.g_optimizer = _adam(self.generator, config.g_optimizer)
        self.d_objective, self.g_objective = _OBJECTIVES[config.objective]
        prior, size = _PRIORS[config.prior.name], len(real.labels)
        self.latent = latent or (lambda: prior(size, config.prior.features, device))
        self.generate, self.discriminate = self.generator, self.discriminator
        if form.compile_mode:
            self.generate, self.discriminate = (
                torch.compile(network, mode=form.compile_mode) for network in (self.generator, self.discriminator)
            )

    def step(self) -> tuple[torch.Tensor, torch.Tensor]:
        """(D's loss, G's loss); the device may still be computing them."""
        # Before any forward pass: CUDA graphs reuse the memory of the previous step's gradients.
        self.d_optimizer.zero_grad()
        self.g_optimizer.zero_grad()
        return self._d_update(), self._g_update()

    def _fakes(self) -> torch.Tensor:
        return self.generate(self.latent(), self.real.labels)

    def _d_update(self) -> torch.Tensor:
        self.discriminator.iterate(keep=True)
        with torch.no_grad():
            fakes = self._fakes()
        labels = self.real.labels
        real, fake = self.discriminate(self.real.images, labels), self.discriminate(fakes, labels)
        weights = self.config.d_loss
        loss = weights.adversarial * self.d_objective(real.logits, fake.logits)
        if weights.classification:
            labelled = self.real.labelled
            class_logits = self.discriminate(labelled.images, labelled.labels).class_logits
            loss = loss + weights.classification * F.cross_entropy(class_logits, labelled.labels)
        loss.backward()
        self.d_optimizer.step()
        return loss.detach()

    def _g_update(self) -> torch.Tensor:
        self.discriminator.iterate(keep=False)
        # As in gan_jax, G's update does not compute the gradients of D's parameters.
        self.discriminator.requires_grad_(False)
        loss = self._g_loss(self.discriminate(self._fakes(), self.real.labels))
        loss.backward()
        self.discriminator.requires_grad_(True)
        self.g_optimizer.step()
        return loss.detach()

    def _g_loss(self, fake: DiscriminatorOutput) -> torch.Tensor:
        weight = self.config.g_loss.feature_matching
        if not weight:
            return self.g_objective(fake.logits)
        with torch.no_grad():
            real = self.discriminate(self.real.images, self.real.labels)
        return weight * ((real.features.mean(0) - fake.features.mean(0)) ** 2).sum()
