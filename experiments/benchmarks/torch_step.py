"""One D and one G update in PyTorch, in the order of gan_jax/gan/step.py: each update generates new images."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from ml_collections import ConfigDict
from torch import nn

from experiments.benchmarks.forms import Form
from experiments.benchmarks.torch_layers import tensors
from experiments.benchmarks.torch_networks import NETWORKS
from gan_jax.gan.types import Batch, DiscriminatorOutput


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
        self.single_pass, self.autocast = form.single_pass, torch.autocast(device, torch.bfloat16, form.autocast)
        self.generate, self.discriminate, self.update = self.generator, self.discriminator, self._update
        # After eight programs of one function, PyTorch would go on in eager form, so it would time another form.
        torch._dynamo.config.fail_on_recompile_limit_hit = bool(form.compiled)
        if form.compiled == "networks":
            self.generate, self.discriminate = (
                torch.compile(network, mode=form.mode) for network in (self.generator, self.discriminator)
            )
        elif form.compiled == "step":
            self.update = torch.compile(self._update, mode=form.mode)

    def step(self) -> tuple[torch.Tensor, torch.Tensor]:
        """(D's loss, G's loss); the device may still be computing them."""
        # Before any forward pass: CUDA graphs reuse the memory of the previous step's gradients.
        self.d_optimizer.zero_grad()
        self.g_optimizer.zero_grad()
        return self.update()

    def _update(self) -> tuple[torch.Tensor, torch.Tensor]:
        return self._d_update(), self._g_update()

    def _fakes(self) -> torch.Tensor:
        return self.generate(self.latent(), self.real.labels)

    def _d_outputs(self, batches: list[Batch]) -> list[DiscriminatorOutput]:
        """D's output for each batch."""
        if not self.single_pass:
            return [self.discriminate(batch.images, batch.labels) for batch in batches]
        images, labels = (torch.cat(parts) for parts in zip(*((b.images, b.labels) for b in batches), strict=True))
        merged, sizes = self.discriminate(images, labels), [len(batch.labels) for batch in batches]
        class_logits = [None] * len(sizes) if merged.class_logits is None else merged.class_logits.split(sizes)
        outputs = zip(merged.logits.split(sizes), merged.features.split(sizes), class_logits, strict=True)
        return [DiscriminatorOutput(*output) for output in outputs]

    def _d_update(self) -> torch.Tensor:
        self.discriminator.iterate(keep=True)
        weights, labelled = self.config.d_loss, self.real.labelled
        with self.autocast:
            with torch.no_grad():
                fakes = Batch(self._fakes(), self.real.labels)
            uses_labelled = bool(weights.classification)
            batches = [self.real, fakes, labelled] if uses_labelled else [self.real, fakes]
            real, fake, *of_labelled = self._d_outputs(batches)
            loss = weights.adversarial * self.d_objective(real.logits, fake.logits)
            if uses_labelled:
                class_logits = of_labelled[0].class_logits
                loss = loss + weights.classification * F.cross_entropy(class_logits, labelled.labels)
        loss.backward()
        self.d_optimizer.step()
        return loss.detach()

    def _g_update(self) -> torch.Tensor:
        self.discriminator.iterate(keep=False)
        # As in gan_jax, G's update does not compute the gradients of D's parameters.
        self.discriminator.requires_grad_(False)
        with self.autocast:
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
