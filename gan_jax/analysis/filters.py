"""Guided backpropagation: the image structures that excite the filters of the discriminator's last hidden layer."""

import functools
import pathlib
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.analysis.representation import compiled_in_batches, hidden, untrained
from gan_jax.analysis.subject import NotApplicable, Subject, figure, save, show
from gan_jax.data.dataset import Split, to_float
from gan_jax.layers.reference import WithReference

_MAX_IMAGES = 5000  # test images
_TOP = 5
_SHOWN = 6  # channels


@jax.custom_vjp
def _guide(x: jax.Array, y: jax.Array) -> jax.Array:
    """Returns y, the output of an activation for x. The gradient flows to x only, by the guided rule."""
    del x
    return y


def _guide_forward(x: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
    return y, x > 0


def _guide_backward(positive: jax.Array, gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    return jnp.where(positive & (gradient > 0), gradient, 0.0), jnp.zeros_like(gradient)


_guide.defvjp(_guide_forward, _guide_backward)


def _guided_activation(make: Callable[[], Callable]) -> Callable[[jax.Array], jax.Array]:
    activation = make()
    return lambda x: _guide(x, activation(x))


def guided(module: nn.Module) -> nn.Module:
    """The same network with another backward pass: guided backpropagation (Springenberg et al. 2014, arXiv 1412.6806).

        R_l = (f_l > 0) (R_{l+1} > 0) R_{l+1}        at every activation, with its input f_l

    Outputs and variables are those of `module`. The rule replaces the gradient of every activation, also of leaky and
    smooth ones. Linear maps and norms keep their gradients. The result shows image structures that excite a unit; it is
    not the gradient of a function.
    """
    if isinstance(module, WithReference):
        return module.clone(network=guided(module.network))
    return module.clone(
        post_layers=tuple(
            functools.partial(make, activation=functools.partial(_guided_activation, make.keywords["activation"]))
            for make in module.post_layers
        )
    )


def _peaks(module: nn.Module, variables: dict, images: jax.Array, num_classes: int) -> jax.Array:
    """The highest response of each channel of the last hidden layer over all positions, [B, C]."""
    responses = hidden(module, variables, images, num_classes)[-1]
    return responses.reshape(len(responses), -1, responses.shape[-1]).max(axis=1)


def guided_gradients(
    module: nn.Module, variables: dict, images: np.ndarray, channels: np.ndarray, num_classes: int
) -> np.ndarray:
    """Guided gradients float32 [N, H, W, C]: of the highest response of channel channels[n] to image n.

    images uint8 [N, H, W, C]; channels int [N], of the last hidden layer.
    """
    network = guided(module)

    def excitement(x: jax.Array, chosen: jax.Array) -> jax.Array:
        return jnp.take_along_axis(_peaks(network, variables, x, num_classes), chosen[:, None], axis=1).sum()

    return compiled_in_batches(lambda batch, chosen: jax.grad(excitement)(to_float(batch), chosen), images, channels)


def selectivity(responses: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Class selectivity [C] in [0, 1]: (m - m') / (m + m') (Morcos et al. 2018, arXiv 1803.06959).

    m is the mean response to the class that excites a channel most, m' the mean of the other classes' means.
    0: no class is preferred; 1: the channel does not respond to the other classes.
    responses [N, C] >= 0; every channel needs a response above 0.
    """
    means = np.stack([responses[labels == label].mean(axis=0) for label in np.unique(labels)])
    highest = means.max(axis=0)
    other_mean = (means.sum(axis=0) - highest) / max(len(means) - 1, 1)
    return (highest - other_mean) / (highest + other_mean)


def ink_share(gradients: np.ndarray, images: np.ndarray) -> float | None:
    """Share of |gradient|^2 on pixels above mid-grey, mean over images with a gradient; None if no image has one."""
    ink, energy = to_float(images) > 0, np.square(gradients)
    total = energy.sum(axis=(1, 2, 3))
    shares = (energy * ink).sum(axis=(1, 2, 3))[total > 0] / total[total > 0]
    return float(shares.mean()) if len(shares) else None


def spread(top: np.ndarray, strength: np.ndarray, count: int) -> list[int]:
    """`count` channels: the strongest that share no top image with a stronger one, then the strongest of the others.

    top [C, T]: rows of the images that excite a channel most; strength [C].
    """
    order, distinct, used_images = np.argsort(-strength, kind="stable"), [], set()
    for channel in order:
        if used_images.isdisjoint(top[channel]):
            distinct.append(int(channel))
            used_images.update(top[channel])
    overlapping = [int(channel) for channel in order if channel not in distinct]
    return (distinct + overlapping)[:count]


def _examine(module: nn.Module, variables: dict, test: Split, num_classes: int) -> tuple[dict, dict]:
    """(numbers, arrays for the picture) of one discriminator."""
    responses = compiled_in_batches(lambda batch: _peaks(module, variables, to_float(batch), num_classes), test.images)
    responses = np.maximum(responses, 0.0)
    active = np.flatnonzero(responses.max(axis=0) > 0)
    if not len(active):
        raise NotApplicable("no channel of the last hidden layer responds above 0 to a test image")
    responses, num_silent = responses[:, active], responses.shape[1] - len(active)
    top = np.argsort(-responses, axis=0, kind="stable")[:_TOP].T  # [active, T]
    images = test.images[top.ravel()]
    gradients = guided_gradients(module, variables, images, np.repeat(active, top.shape[1]), num_classes)
    numbers = {
        "ink_share": ink_share(gradients, images),
        "selectivity": float(selectivity(responses, test.labels).mean()) if num_classes > 1 else None,
        "ink_area": ink_share(np.ones_like(gradients), images),
        "silent_channels": num_silent,
        "channels": len(active) + num_silent,
    }
    shown = spread(top, responses.max(axis=0), _SHOWN)
    return numbers, {
        "channels": active[shown],
        "images": images.reshape(*top.shape, *images.shape[1:])[shown],
        "gradients": gradients.reshape(*top.shape, *gradients.shape[1:])[shown],
    }


def filters(subject: Subject, folder: pathlib.Path) -> dict:
    """filters.png: the test images that excite channels of D's last hidden layer most, with their guided gradients.

    Section 6.2 and figure 5 of the DCGAN paper (arXiv 1511.06434). The response of a channel to an image is the maximum
    over positions of the layer's output after norm and activation; negative responses count as 0. At most 5,000 test
    images are used. The picture shows the strongest channels without common top images. The numbers are over all
    channels and the 5 top images of each.

    Each number has the suffix _trained, or _random for the untrained discriminator of the same config and seed:
    ink_share: share of the guided gradients' energy on pixels above mid-grey.
    ink_area: the ink_share of a constant gradient.
    selectivity: mean over channels, in [0, 1]; None if there is one class.
    silent_channels: number of channels that never respond above 0.

    A conditional discriminator gets no label: see `representation.hidden`.
    """
    (module, variables), classes = subject.run.discriminator(), subject.dataset.num_classes
    test, numbers, panels = subject.subset(subject.dataset.test, _MAX_IMAGES), {}, {}
    for name, d_variables in (("trained", variables), ("random", untrained(subject))):
        d_numbers, panels[name] = _examine(module, d_variables, test, classes)
        numbers |= {f"{key}_{name}": value for key, value in d_numbers.items()}
    _draw(panels, numbers, folder)
    first = ("selectivity_trained", "selectivity_random")
    return {**{key: numbers[key] for key in first}, **numbers, "num_test": len(test.labels)}


def _pictures(gradients: np.ndarray) -> np.ndarray:
    """uint8 pictures of gradients [N, H, W, C], each scaled by its largest entry: grey is 0, bright is positive."""
    largest = np.abs(gradients).max(axis=(1, 2, 3), keepdims=True) + 1e-30
    return np.rint(127.5 + 127.5 * gradients / largest).astype(np.uint8)


def _draw(panels: dict[str, dict], numbers: dict, folder: pathlib.Path) -> None:
    plot, axes = figure(1, len(panels), 15, 4.8)
    for panel, (name, arrays) in zip(axes[0], panels.items(), strict=True):
        rows, per_row, *shape = arrays["images"].shape
        pictures = _pictures(arrays["gradients"].reshape(-1, *shape)).reshape(arrays["images"].shape)
        cells = np.concatenate([arrays["images"], pictures], axis=1).reshape(-1, *shape)
        share, even = numbers[f"ink_share_{name}"], numbers[f"ink_area_{name}"]
        energy = "no gradient" if share is None else f"{share:.0%} of their energy on ink, {even:.0%} if spread evenly"
        title = (
            f"{name.capitalize()} filters: the images that excite a channel most, and the guided gradients;\n{energy}"
        )
        show(panel, cells, 2 * per_row, title)
        panel.title.set_fontsize(10)
        height = shape[0] + 2  # the grid's gap
        names = [f"channel {channel}" for channel in arrays["channels"]]
        panel.set_yticks(np.arange(rows) * height + height / 2, names)
        panel.tick_params(length=0)
    save(plot, folder / "filters.png")
