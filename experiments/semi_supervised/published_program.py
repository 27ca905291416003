"""The published program for MNIST, written again in PyTorch, for a comparison with gan_jax's recipe.

It follows train_mnist_feature_matching.py and nn.py of https://github.com/openai/improved-gan (arXiv 1606.03498),
operation by operation. It uses none of gan_jax's layers, losses or optimizers.
"""

import copy

import torch
import torch.nn.functional as F
from torch import nn

_NOISE = (0.3, 0.5, 0.5, 0.5, 0.5, 0.5)  # standard deviation at each layer's input
_LATENT = 100
_RATE, _BETA1, _BETA2, _EPSILON = 0.003, 0.5, 0.999, 1e-8
_AVERAGE_RATE = 1e-4


class Dense(nn.Module):
    """x V g / ||V|| + b: V [I, O] is initialised from N(0, 0.1), g and b are [O]. g trains if `train_scale`."""

    def __init__(self, inputs: int, outputs: int, train_scale: bool):
        super().__init__()
        self.v = nn.Parameter(torch.randn(inputs, outputs) * 0.1)
        self.g = nn.Parameter(torch.ones(outputs), requires_grad=train_scale)
        self.b = nn.Parameter(torch.zeros(outputs))

    def forward(self, x):
        return x @ (self.v * (self.g / self.v.square().sum(0).sqrt())) + self.b

    @torch.no_grad()
    def adjust(self, x) -> None:
        """Sets g and b so that the outputs for x have mean 0 and standard deviation 1 in each feature."""
        y = self(x)
        stddev = y.std(0, correction=0)
        self.g /= stddev
        self.b.copy_(-y.mean(0) / stddev)


class Discriminator(nn.Module):
    """Maps images [B, P] to class logits [B, K] and the last hidden features. Noise is added in training only."""

    def __init__(self, widths: tuple[int, ...]):
        """widths: of the images, of the hidden layers, and the number of classes."""
        super().__init__()
        pairs = list(zip(widths, widths[1:], strict=False))
        self.layers = nn.ModuleList([Dense(*pair, train_scale=pair is pairs[-1]) for pair in pairs])

    def forward(self, x, *, noise: bool = True, adjust: bool = False):
        for layer, stddev in zip(self.layers, _NOISE, strict=True):
            features = x
            x = x + stddev * torch.randn_like(x) if noise else x
            if adjust:
                layer.adjust(x)
            x = layer(x)
            x = x if layer is self.layers[-1] else F.relu(x)
        return x, features


class Generator(nn.Module):
    """Maps uniform z [B, 100] to images [B, P] in [0, 1].

    Two softplus layers with batch norm without a gain, then a sigmoid layer with weight norm.
    """

    def __init__(self, width: int, pixels: int):
        super().__init__()
        sizes = [(_LATENT, width), (width, width), (width, pixels)]
        self.kernels = nn.ParameterList([nn.init.xavier_uniform_(torch.empty(size)) for size in sizes])
        self.biases = nn.ParameterList([torch.zeros(outputs) for _, outputs in sizes])
        self.scale = nn.Parameter(torch.ones(pixels))

    def forward(self, z):
        x = z
        for kernel, bias in list(zip(self.kernels, self.biases, strict=True))[:-1]:
            x = x @ kernel
            x = x - x.mean(0)
            x = F.softplus(x / (1e-6 + x.square().mean(0)).sqrt() + bias)
        kernel = self.kernels[-1]
        kernel = kernel * (self.scale / (1e-6 + kernel.square().sum(0)).sqrt())
        return torch.sigmoid(x @ kernel + self.biases[-1])


class Adam:
    """Adam with epsilon inside the root: p -= rate m / sqrt(v + epsilon), with bias-corrected m and v."""

    def __init__(self, network: nn.Module):
        self.parameters = [p for p in network.parameters() if p.requires_grad]
        self.state = {
            "m": [torch.zeros_like(p) for p in self.parameters],
            "v": [torch.zeros_like(p) for p in self.parameters],
            "t": 0,
        }

    @torch.no_grad()
    def step(self, loss: torch.Tensor) -> None:
        """Takes a step down the loss."""
        gradients = list(torch.autograd.grad(loss, self.parameters))
        m, v = self.state["m"], self.state["v"]
        self.state["t"] = t = self.state["t"] + 1
        torch._foreach_lerp_(m, gradients, 1 - _BETA1)
        torch._foreach_mul_(v, _BETA2)
        torch._foreach_addcmul_(v, gradients, gradients, 1 - _BETA2)
        root = torch._foreach_div(v, 1 - _BETA2**t)
        torch._foreach_add_(root, _EPSILON)
        torch._foreach_sqrt_(root)
        torch._foreach_addcdiv_(self.parameters, m, root, -_RATE / (1 - _BETA1**t))


def d_losses(labelled, classes, real, fake) -> tuple[torch.Tensor, torch.Tensor]:
    """(cross-entropy, adversarial loss) of class logits [B, K]; classes [B] are those of the labelled images.

    Adversarial loss: (-log p(real) of real images - log p(generated) of G's images) / 2, with p(real) =
    sigmoid(logsumexp(logits)).
    """
    real, fake = torch.logsumexp(real, 1), torch.logsumexp(fake, 1)
    return F.cross_entropy(labelled, classes), (F.softplus(-real).mean() + F.softplus(fake).mean()) / 2


class Program:
    """D, its average, G and their optimizers. Trains one epoch at a time."""

    def __init__(self, images, labelled, classes, seed: int, widths=(1000, 500, 250, 250, 250), g_width=500, batch=100):
        """images [N, P] in [0, 1] without labels, labelled [L, P] with their classes [L]."""
        torch.manual_seed(seed)
        self.images, self.labelled, self.classes, self.batch = images, labelled, classes, batch
        pixels = images.shape[1]
        self.d = Discriminator((pixels, *widths, int(classes.max()) + 1))
        self.g = Generator(g_width, pixels)
        self.d(images[torch.randperm(len(images))[:500]], adjust=True)
        self.d_adam, self.g_adam = Adam(self.d), Adam(self.g)
        # The average starts at 0. Weight norm cancels the scale of the kernels' average, but the biases are too small.
        self.average = copy.deepcopy(self.d)
        self._averaged = [p for p in self.average.parameters() if p.requires_grad]
        torch._foreach_zero_([p.data for p in self._averaged])

    def _orders(self):
        """Indices of an epoch's batches: D's images, G's images, D's labelled images (repeated as often as needed)."""
        size = len(self.images)
        rounds = [torch.randperm(len(self.classes)) for _ in range(size // len(self.classes) + 1)]
        orders = torch.randperm(size), torch.randperm(size), torch.cat(rounds)
        full_batches = size // self.batch * self.batch
        return zip(*(order[:full_batches].split(self.batch) for order in orders), strict=True)

    def _fakes(self):
        return self.g(torch.rand(self.batch, _LATENT))

    def epoch(self):
        """Trains for an epoch; yields (cross-entropy, adversarial loss, G's matching loss) of each step."""
        for of_d, of_g, of_labelled in self._orders():
            with torch.no_grad():
                fakes = self._fakes()
            logits = (self.d(images)[0] for images in (self.images[of_d], fakes))
            class_logits = self.d(self.labelled[of_labelled])[0]
            classes, adversarial = d_losses(class_logits, self.classes[of_labelled], *logits)
            self.d_adam.step(classes + adversarial)
            with torch.no_grad():
                torch._foreach_lerp_(self._averaged, self.d_adam.parameters, _AVERAGE_RATE)
                target = self.d(self.images[of_g])[1].mean(0)
            matching = F.mse_loss(self.d(self._fakes())[1].mean(0), target)
            self.g_adam.step(matching)
            yield classes.item(), adversarial.item(), matching.item()

    @torch.no_grad()
    def errors(self, images, labels) -> int:
        """The number of images [N, P] that the averaged D does not classify as their labels [N]."""
        return int((self.average(images, noise=False)[0].argmax(1) != labels).sum())

    def state_dict(self) -> dict:
        """The complete state on which the next epoch depends."""
        networks = {name: getattr(self, name).state_dict() for name in ("d", "g", "average")}
        return networks | {"adam": [self.d_adam.state, self.g_adam.state], "rng": torch.get_rng_state()}

    def load_state_dict(self, state: dict) -> None:
        for name in ("d", "g", "average"):
            getattr(self, name).load_state_dict(state[name])
        self.d_adam.state, self.g_adam.state = state["adam"]
        torch.set_rng_state(state["rng"])
