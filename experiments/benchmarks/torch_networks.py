"""The CGAN and the CDCGAN in PyTorch: the same layers, losses and optimizers as this package's configs."""

import itertools
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def _mlp(widths: list[int], dropout: float) -> list[nn.Module]:
    layers = []
    for fan_in, fan_out in itertools.pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out), nn.LeakyReLU(0.2)] + ([nn.Dropout(dropout)] if dropout else [])
    return layers


class MlpGenerator(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(10, 10)
        self.layers = nn.Sequential(*_mlp([110, 256, 512, 1024], 0.0), nn.Linear(1024, 784), nn.Tanh())

    def forward(self, z, labels):
        return self.layers(torch.cat([z, self.embedding(labels)], 1)).view(-1, 1, 28, 28)


class MlpDiscriminator(nn.Module):
    def __init__(self, dropout: float = 0.3):
        super().__init__()
        self.embedding = nn.Embedding(10, 10)
        self.layers = nn.Sequential(*_mlp([794, 1024, 512, 256], dropout), nn.Linear(256, 1))

    def forward(self, images, labels):
        return self.layers(torch.cat([images.flatten(1), self.embedding(labels)], 1))[:, 0]


class ConvGenerator(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(10, 10)
        self.dense = nn.Linear(110, 128 * 7 * 7)
        self.norms = nn.ModuleList([nn.BatchNorm2d(128), nn.BatchNorm2d(64)])
        self.convs = nn.ModuleList([nn.ConvTranspose2d(128, 64, 4, 2, 1), nn.ConvTranspose2d(64, 1, 4, 2, 1)])

    def forward(self, z, labels):
        x = self.dense(torch.cat([z, self.embedding(labels)], 1)).view(-1, 128, 7, 7)
        x = self.convs[0](F.relu(self.norms[0](x)))
        return torch.tanh(self.convs[1](F.relu(self.norms[1](x))))


class ConvDiscriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(1, 64, 4, 2, 1), nn.Conv2d(64, 128, 4, 2, 1)])
        self.dense, self.embedding = nn.Linear(128 * 7 * 7, 1), nn.Embedding(10, 128 * 7 * 7)

    def forward(self, images, labels):
        x = images
        for conv in self.convs:
            x = F.leaky_relu(conv(x), 0.2)
        features = x.flatten(1)
        return self.dense(features)[:, 0] + (self.embedding(labels) * features).sum(1) / features.shape[1] ** 0.5


NETWORKS = {
    "cgan": (MlpGenerator, MlpDiscriminator),
    "cdcgan": (ConvGenerator, ConvDiscriminator),
}


def training_step(name: str, images: np.ndarray, labels: np.ndarray, *, channels_last: bool) -> Callable[[], float]:
    """One D and one G update on a fixed real batch; returns the discriminator's loss.

    images float32 [B, H, W, C] in [-1, 1]. The order of work is this package's: fresh fakes for each update.
    """
    generator, discriminator = (network() for network in NETWORKS[name])
    real, targets = torch.from_numpy(images.transpose(0, 3, 1, 2).copy()), torch.from_numpy(labels.astype(np.int64))
    if channels_last:
        generator, discriminator = (n.to(memory_format=torch.channels_last) for n in (generator, discriminator))
        real = real.contiguous(memory_format=torch.channels_last)
    adam = lambda network: torch.optim.Adam(network.parameters(), 2e-4, betas=(0.5, 0.999))  # noqa: E731
    d_optimizer, g_optimizer, bce = adam(discriminator), adam(generator), F.binary_cross_entropy_with_logits
    ones, zeros = torch.ones(len(real)), torch.zeros(len(real))

    def step() -> float:
        with torch.no_grad():
            fakes = generator(torch.randn(len(real), 100), targets)
        d_optimizer.zero_grad()
        d_loss = bce(discriminator(real, targets), ones) + bce(discriminator(fakes, targets), zeros)
        d_loss.backward()
        d_optimizer.step()
        g_optimizer.zero_grad()
        # D's own gradients are not needed here: as in this package, they are not computed.
        discriminator.requires_grad_(False)
        bce(discriminator(generator(torch.randn(len(real), 100), targets), targets), ones).backward()
        discriminator.requires_grad_(True)
        g_optimizer.step()
        return float(d_loss.detach())

    return step
