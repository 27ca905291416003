"""What the filters of the discriminator's last hidden layer respond to, by guided backpropagation."""

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

_MOST = 5000  # test images
_TOP = 5
_SHOWN = 6  # channels


@jax.custom_vjp
def _guide(x: jax.Array, y: jax.Array) -> jax.Array:
    """y, an activation's output for x; the gradient goes to x by the guided rule, and never by y."""
    del x
    return y


def _guide_forward(x: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
    return y, x > 0


def _guide_backward(positive: jax.Array, above: jax.Array) -> tuple[jax.Array, jax.Array]:
    return jnp.where(positive & (above > 0), above, 0.0), jnp.zeros_like(above)


_guide.defvjp(_guide_forward, _guide_backward)


def _guided_activation(make: Callable[[], Callable]) -> Callable[[jax.Array], jax.Array]:
    activation = make()
    return lambda x: _guide(x, activation(x))


def guided(module: nn.Module) -> nn.Module:
    """The same network with another backward pass: guided backpropagation (Springenberg et al. 2014, arXiv 1412.6806).

        R_l = (f_l > 0) (R_{l+1} > 0) R_{l+1}        at every activation, f_l its input

    Outputs and variables are those of `module`, whatever its activation; leaky slopes and curves pass nothing back but
    this. Linear maps and norms keep their gradients. The result is a picture of what excites a unit, not a gradient of
    anything.
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
    last = hidden(module, variables, images, num_classes)[-1]
    return last.reshape(len(last), -1, last.shape[-1]).max(axis=1)


def guided_gradients(
    module: nn.Module, variables: dict, images: np.ndarray, channels: np.ndarray, num_classes: int
) -> np.ndarray:
    """float32 [N, H, W, C]: the guided gradient of image n's highest response in channels[n] of the last hidden layer.

    images uint8 [N, H, W, C], channels int [N].
    """
    network = guided(module)

    def excitement(x: jax.Array, chosen: jax.Array) -> jax.Array:
        return jnp.take_along_axis(_peaks(network, variables, x, num_classes), chosen[:, None], axis=1).sum()

    return compiled_in_batches(lambda batch, chosen: jax.grad(excitement)(to_float(batch), chosen), images, channels)


def selectivity(responses: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """[C] in [0, 1]: (m - m') / (m + m'), m the mean response to the class that excites a channel most.

    m' is the mean of the other classes' means (Morcos et al. 2018, arXiv 1803.06959). responses [N, C] >=
    0, some above 0 in every channel; 0: no class is preferred, 1: the others leave the channel silent.
    """
    means = np.stack([responses[labels == label].mean(axis=0) for label in np.unique(labels)])
    most = means.max(axis=0)
    others = (means.sum(axis=0) - most) / max(len(means) - 1, 1)
    return (most - others) / (most + others)


def ink_share(gradients: np.ndarray, images: np.ndarray) -> float | None:
    """Share of |g|^2 on pixels brighter than the middle, mean over images with a gradient; None without one."""
    ink, energy = to_float(images) > 0, np.square(gradients)
    total = energy.sum(axis=(1, 2, 3))
    shares = (energy * ink).sum(axis=(1, 2, 3))[total > 0] / total[total > 0]
    return float(shares.mean()) if len(shares) else None


def spread(top: np.ndarray, strength: np.ndarray, count: int) -> list[int]:
    """`count` channels, the strongest first, of which no two share a top image, as far as there are such.

    top [C, T]: rows of the images that excite a channel most; strength [C].
    """
    order, taken, seen = np.argsort(-strength, kind="stable"), [], set()
    for channel in order:
        if seen.isdisjoint(top[channel]):
            taken.append(int(channel))
            seen.update(top[channel])
    rest = [int(channel) for channel in order if channel not in taken]
    return (taken + rest)[:count]


def _look(module: nn.Module, variables: dict, test: Split, num_classes: int) -> tuple[dict, dict]:
    """(numbers, what to draw) of one discriminator."""
    responses = compiled_in_batches(lambda batch: _peaks(module, variables, to_float(batch), num_classes), test.images)
    responses = np.maximum(responses, 0.0)
    awake = np.flatnonzero(responses.max(axis=0) > 0)
    if not len(awake):
        raise NotApplicable("no channel of the last hidden layer responds above 0 to a test image")
    responses, silent = responses[:, awake], responses.shape[1] - len(awake)
    top = np.argsort(-responses, axis=0, kind="stable")[:_TOP].T  # [awake, T]
    images = test.images[top.ravel()]
    gradients = guided_gradients(module, variables, images, np.repeat(awake, top.shape[1]), num_classes)
    numbers = {
        "ink_share": ink_share(gradients, images),
        "selectivity": float(selectivity(responses, test.labels).mean()),
        "ink_area": ink_share(np.ones_like(gradients), images),
        "silent_channels": silent,
        "channels": len(awake) + silent,
    }
    shown = spread(top, responses.max(axis=0), _SHOWN)
    split = (len(awake), top.shape[1])
    return numbers, {
        "channels": awake[shown],
        "images": images.reshape(*split, *images.shape[1:])[shown],
        "gradients": gradients.reshape(*split, *gradients.shape[1:])[shown],
    }


def filters(subject: Subject, folder: pathlib.Path) -> dict:
    """filters.png: test images that excite channels of D's last hidden layer most, and what in them does; random D too.

    Section 6.2 and figure 5 of the DCGAN paper (arXiv 1511.06434). A channel's response to an image is the layer's
    output after norm and activation, at the position where it is highest; negative ones count as 0. Shown are the
    strongest channels of which no two share a top image; numbers are over all channels and their 5 top images.

    <number>_trained and _random (the untrained discriminator of the run's config and seed): ink_share, the share of the
    guided gradient's energy on pixels brighter than the middle, and ink_area, what a gradient
    spread evenly would get; selectivity, in [0, 1], mean over channels; silent_channels never respond above 0. At most
    5,000 test images. No label enters a conditional discriminator: see `representation.hidden`.
    """
    (module, variables), classes = subject.run.discriminator(), subject.dataset.num_classes
    test, numbers, looks = subject.some(subject.dataset.test, _MOST), {}, {}
    for name, used in (("trained", variables), ("random", untrained(subject))):
        found, looks[name] = _look(module, used, test, classes)
        numbers |= {f"{key}_{name}": value for key, value in found.items()}
    _draw(looks, numbers, folder)
    first = ("selectivity_trained", "selectivity_random")
    return {**{key: numbers[key] for key in first}, **numbers, "num_test": len(test.labels)}


def _pictures(gradients: np.ndarray) -> np.ndarray:
    """uint8 of [N, H, W, C], each scaled by its own largest entry: gray is 0, brighter excites, darker inhibits."""
    largest = np.abs(gradients).max(axis=(1, 2, 3), keepdims=True) + 1e-30
    return np.rint(127.5 + 127.5 * gradients / largest).astype(np.uint8)


def _draw(looks: dict[str, dict], numbers: dict, folder: pathlib.Path) -> None:
    drawn, axes = figure(1, len(looks), 15, 4.8)
    for place, (name, look) in zip(axes[0], looks.items(), strict=True):
        rows, per_row, *shape = look["images"].shape
        pictures = _pictures(look["gradients"].reshape(-1, *shape)).reshape(look["images"].shape)
        cells = np.concatenate([look["images"], pictures], axis=1).reshape(-1, *shape)
        share, even = numbers[f"ink_share_{name}"], numbers[f"ink_area_{name}"]
        energy = "no gradient" if share is None else f"{share:.0%} of their energy on ink, {even:.0%} if spread evenly"
        title = (
            f"{name.capitalize()} filters: the images that excite a channel most, and the guided gradients;\n{energy}"
        )
        show(place, cells, 2 * per_row, title)
        place.title.set_fontsize(10)
        height = shape[0] + 2  # the grid's gap
        place.set_yticks(np.arange(rows) * height + height / 2, [f"channel {channel}" for channel in look["channels"]])
        place.tick_params(length=0)
    save(drawn, folder / "filters.png")
