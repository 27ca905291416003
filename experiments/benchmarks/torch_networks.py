"""gan_jax's networks in PyTorch, from the same configs, layer by layer as in gan_jax/networks.

Only the knobs that a work uses are here. Names are gan_jax's.
"""

import itertools

import torch
from ml_collections import ConfigDict
from torch import nn

from experiments.benchmarks.torch_layers import CONV, LINEAR, GaussianNoise, Network
from experiments.benchmarks.works import NUM_CLASSES
from gan_jax.gan.types import DiscriminatorOutput

_NORM = "Finish_{}/BatchNorm_0/BatchNorm_0"


def _activation(section: ConfigDict) -> nn.Module:
    # In place, as in PyTorch's own DCGAN, except in a residual block, which needs its input again.
    inplace = section.family != "resnet"
    return {
        "leaky_relu": lambda: nn.LeakyReLU(section.slope, inplace),
        "relu": lambda: nn.ReLU(inplace),
        "softplus": nn.Softplus,
    }[section.activation]()


class _Base(Network):
    """Common parts of the generators and discriminators of every family."""

    def finish(self, section: ConfigDict, index: int, features: int, *, image: bool) -> nn.Sequential:
        """The layers after hidden layer `index`.

        norm - activation - dropout - noise, or activation - dropout - norm - noise.
        """
        norms, dropouts = [], []
        if section.norm == "batch" and (section.norm_layers == "all" or index > 0):
            kind = nn.BatchNorm2d if image else nn.BatchNorm1d
            norms = [kind(features, section.norm_epsilon, 1 - section.norm_momentum)]
            norms[0].weight.requires_grad_(section.norm_gain)
            self.at(_NORM.format(index), norms[0])
        if section.dropout:
            dropouts = [(nn.Dropout2d if section.channel_dropout and image else nn.Dropout)(section.dropout)]
        noises = [GaussianNoise(section.noise)] if section.noise else []
        active = [_activation(section), *dropouts]
        return nn.Sequential(*(norms + active if section.norm_order == "norm_activation" else active + norms), *noises)

    def linear(
        self, section: ConfigDict, path: str, fan_in: int, fan_out: int, *, last: bool = False, **shapes
    ) -> nn.Module:
        kind = last and section.output_kernel_norm or section.kernel_norm
        return self.at(path, LINEAR[kind](fan_in, fan_out), **shapes)

    def conv(self, section: ConfigDict, index: int, fan_in: int, fan_out: int, size: int, stride: int = 1) -> nn.Module:
        return self.at(f"Conv_{index}", CONV[section.kernel_norm](fan_in, fan_out, size, stride, (size - 1) // 2))

    def label_embedding(self, section: ConfigDict) -> nn.Embedding | None:
        """The embedding of the label that is appended to a vector; None without conditioning."""
        if section.conditioning == "none":
            return None
        return self.at("Concat_0/LabelEmbedding_0", nn.Embedding(NUM_CLASSES, section.embedding_features))

    def append(self, x, labels):
        return x if self.embedding is None else torch.cat([x, self.embedding(labels)], 1)


class _Generator(_Base):
    def __init__(self, config: ConfigDict):
        super().__init__()
        self.embedding = self.label_embedding(config.generator)
        self.inputs = config.prior.features + (self.embedding.embedding_dim if self.embedding else 0)


class _Discriminator(_Base):
    def __init__(self, config: ConfigDict):
        super().__init__()
        section = config.discriminator
        self.noise = GaussianNoise(section.input_noise) if section.input_noise else nn.Identity()
        self.last_noise = nn.Identity()  # The returned features are without this noise, the head's input is with it.
        self.embedding = self.label_embedding(section)

    def add_head(self, section: ConfigDict, features: int, **shapes) -> None:
        """Adds the last layer; its input is a vector of `features` entries."""
        self.kind, outputs = section.head, NUM_CLASSES if section.head == "class" else 1
        self.head = self.linear(section, f"{section.head.title()}_0/Dense_0", features, outputs, last=True, **shapes)
        if self.kind == "projection":
            outputs = {"outputs": shapes.get("inputs")}
            self.projection = nn.Embedding(NUM_CLASSES, features)
            self.at("Projection_0/LabelEmbedding_0", self.projection, **outputs)

    def apply_head(self, features, labels) -> DiscriminatorOutput:
        noisy = self.last_noise(features)
        output = self.head(noisy)
        if self.kind == "class":
            return DiscriminatorOutput(torch.logsumexp(output, 1), features, output)
        logits = output[:, 0]
        if self.kind == "projection":
            logits = logits + (self.projection(labels) * noisy).sum(1) / features.shape[1] ** 0.5
        return DiscriminatorOutput(logits, features)


class MlpGenerator(_Generator):
    def __init__(self, config: ConfigDict, image: tuple[int, int, int]):
        super().__init__(config)
        section, layers = config.generator, []
        widths = (self.inputs, *section.widths)
        for index, (fan_in, fan_out) in enumerate(itertools.pairwise(widths)):
            layers += [self.linear(section, f"Dense_{index}", fan_in, fan_out)]
            layers += [self.finish(section, index, fan_out, image=False)]
        pixels = image[0] * image[1] * image[2]
        layers += [
            self.linear(section, f"Dense_{len(section.widths)}", widths[-1], pixels, last=True, outputs=image),
            nn.Tanh() if section.output == "tanh" else nn.Sigmoid(),
        ]
        self.layers, self.image, self.signed = nn.Sequential(*layers), image, section.output == "tanh"

    def forward(self, z, labels):
        images = self.layers(self.append(z, labels)).unflatten(1, self.image)
        return images if self.signed else images * 2 - 1


class MlpDiscriminator(_Discriminator):
    def __init__(self, config: ConfigDict, image: tuple[int, int, int]):
        super().__init__(config)
        section, layers = config.discriminator, []
        pixels = image[0] * image[1] * image[2] + (self.embedding.embedding_dim if self.embedding else 0)
        for index, (fan_in, fan_out) in enumerate(itertools.pairwise((pixels, *section.widths))):
            layers += [self.linear(section, f"Dense_{index}", fan_in, fan_out, inputs=None if index else image)]
            layers += [self.finish(section, index, fan_out, image=False)]
        if section.noise:
            self.last_noise = layers[-1].pop(-1)
        self.layers, self.unit = nn.Sequential(*layers), section.pixels == "unit"
        self.add_head(section, section.widths[-1])

    def forward(self, images, labels):
        images = (images + 1) / 2 if self.unit else images
        return self.apply_head(self.layers(self.append(self.noise(images).flatten(1), labels)), labels)


class DcganGenerator(_Generator):
    def __init__(self, config: ConfigDict, image: tuple[int, int, int]):
        super().__init__(config)
        section, nearest = config.generator, config.generator.upsampling == "nearest"
        size, widths = section.kernel_size or 4, section.widths
        factor = 2 ** (len(widths) - nearest)
        self.base = (widths[0], image[1] // factor, image[2] // factor)
        flat = self.base[0] * self.base[1] * self.base[2]
        self.dense = self.linear(section, "Dense_0", self.inputs, flat, outputs=self.base)
        layers = [self.finish(section, 0, widths[0], image=True)]
        for index, (fan_in, fan_out) in enumerate(itertools.pairwise((*widths, image[0]))):
            last = index == len(widths) - 1
            if nearest:
                layers += [] if last else [nn.Upsample(scale_factor=2)]
                layers += [self.conv(section, index, fan_in, fan_out, size)]
            else:
                conv = nn.ConvTranspose2d(fan_in, fan_out, size, 2, (size - 1) // 2)
                layers += [self.at(f"Conv_{index}", conv)]
            layers += [nn.Tanh() if last else self.finish(section, index + 1, fan_out, image=True)]
        self.layers = nn.Sequential(*layers)

    def forward(self, z, labels):
        return self.layers(self.dense(self.append(z, labels)).unflatten(1, self.base))


class DcganDiscriminator(_Discriminator):
    def __init__(self, config: ConfigDict, image: tuple[int, int, int]):
        super().__init__(config)
        section, layers = config.discriminator, []
        for index, (fan_in, fan_out) in enumerate(itertools.pairwise((image[0], *section.widths))):
            layers += [self.conv(section, index, fan_in, fan_out, section.kernel_size or 4, 2)]
            layers += [self.finish(section, index, fan_out, image=True)]
        self.layers, factor = nn.Sequential(*layers), 2 ** len(section.widths)
        last = (section.widths[-1], image[1] // factor, image[2] // factor)
        self.add_head(section, last[0] * last[1] * last[2], inputs=last)

    def forward(self, images, labels):
        return self.apply_head(self.layers(self.noise(images)).flatten(1), labels)


class ResnetGenerator(_Generator):
    def __init__(self, config: ConfigDict, image: tuple[int, int, int]):
        super().__init__(config)
        section, factor = config.generator, 2 ** len(config.generator.widths)
        widths = (section.widths[0], *section.widths)
        self.base = (widths[0], image[1] // factor, image[2] // factor)
        flat = self.base[0] * self.base[1] * self.base[2]
        self.dense, self.blocks = self.linear(section, "Dense_0", self.inputs, flat, outputs=self.base), nn.ModuleList()
        for index, (fan_in, fan_out) in enumerate(itertools.pairwise(widths)):
            block = [
                self.finish(section, 2 * index, fan_in, image=True),
                nn.Upsample(scale_factor=2),
                self.conv(section, 3 * index, fan_in, fan_out, 3),
                self.finish(section, 2 * index + 1, fan_out, image=True),
                self.conv(section, 3 * index + 1, fan_out, fan_out, 3),
            ]
            shortcut = [self.conv(section, 3 * index + 2, fan_in, fan_out, 1), nn.Upsample(scale_factor=2)]
            self.blocks.append(nn.ModuleList([nn.Sequential(*block), nn.Sequential(*shortcut)]))
        last = len(section.widths)
        self.end = nn.Sequential(
            self.finish(section, 2 * last, widths[-1], image=True),
            self.conv(section, 3 * last, widths[-1], image[0], 3),
            nn.Tanh(),
        )

    def forward(self, z, labels):
        x = self.dense(self.append(z, labels)).unflatten(1, self.base)
        for block, shortcut in self.blocks:
            x = block(x) + shortcut(x)
        return self.end(x)


class ResnetDiscriminator(_Discriminator):
    def __init__(self, config: ConfigDict, image: tuple[int, int, int]):
        super().__init__(config)
        section, self.blocks, convs = config.discriminator, nn.ModuleList(), itertools.count()
        for index, (fan_in, fan_out) in enumerate(itertools.pairwise((image[0], *section.widths))):
            halve = index < 2
            pool = [nn.AvgPool2d(2)] if halve else []
            block = [] if index == 0 else [self.finish(section, 2 * index - 1, fan_in, image=True)]
            block += [self.conv(section, next(convs), fan_in, fan_out, 3)]
            block += [self.finish(section, 2 * index, fan_out, image=True)]
            block += [self.conv(section, next(convs), fan_out, fan_out, 3), *pool]
            changes = halve or fan_in != fan_out
            shortcut = [self.conv(section, next(convs), fan_in, fan_out, 1), *pool] if changes else []
            self.blocks.append(nn.ModuleList([nn.Sequential(*block), nn.Sequential(*shortcut)]))
        self.end = self.finish(section, 2 * len(section.widths) - 1, section.widths[-1], image=True)
        self.add_head(section, section.widths[-1])

    def forward(self, images, labels):
        x = self.noise(images)
        for block, shortcut in self.blocks:
            x = block(x) + shortcut(x)
        return self.apply_head(self.end(x).sum((2, 3)), labels)


NETWORKS = {
    "dcgan": (DcganGenerator, DcganDiscriminator),
    "mlp": (MlpGenerator, MlpDiscriminator),
    "resnet": (ResnetGenerator, ResnetDiscriminator),
}
