"""The metrics of a training step besides the losses. Each is a function of one update of a player.

The prefix of a name, d_ or g_, is the player in whose update the metric is computed. A new metric is a function
Update -> scalar and its entry in EXTRA_METRICS; `config.extra_metrics` then enables it by its name.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from gan_jax.gan.types import Batch, LossInputs
from gan_jax.system.config import choose


class Update(NamedTuple):
    """One update of a player, after its gradients and before its optimizer step.

    params: the parameters of the player.
    gradients: the gradients of its loss by `params`.
    fakes: the generated images and their labels.
    inputs: params -> LossInputs, the inputs of the loss if the player has these parameters, with the same random draws.
        For metrics that differentiate something else.
    loss: LossInputs -> (scalar, metrics by name).
    """

    params: Any
    gradients: Any
    fakes: Batch
    inputs: Callable[[Any], LossInputs]
    loss: Callable[[LossInputs], tuple[jax.Array, dict]]


Metric = Callable[[Update], jax.Array]


def gradient_norm(update: Update) -> jax.Array:
    """L2 norm of all gradients together."""
    return optax.tree.norm(update.gradients)


def pixel_std(update: Update) -> jax.Array:
    """Mean over pixels of the standard deviation over the batch of generated images; 0: all images are equal."""
    return jnp.mean(jnp.std(update.fakes.images, axis=0))


def logit_gradients(update: Update) -> tuple[Any, Any]:
    """The gradients of D's loss by its parameters through the logits of real images, and of generated ones.

    Their sum is the gradient of the loss if the loss reads nothing of D but these logits.
    """

    def logits(params: Any) -> tuple[jax.Array, jax.Array]:
        inputs = update.inputs(params)
        return inputs.real.logits, inputs.fake.logits

    def loss(real: jax.Array, fake: jax.Array) -> jax.Array:
        inputs = update.inputs(update.params)
        real, fake = inputs.real._replace(logits=real), inputs.fake._replace(logits=fake)
        return update.loss(inputs._replace(real=real, fake=fake))[0]

    (real, fake), pull_back = jax.vjp(logits, update.params)
    by_real, by_fake = jax.grad(loss, argnums=(0, 1))(real, fake)
    return pull_back((by_real, jnp.zeros_like(fake)))[0], pull_back((jnp.zeros_like(real), by_fake))[0]


def gradient_cosine(update: Update) -> jax.Array:
    """Cosine of both `logit_gradients`, in [-1, 1]: -1 if real and generated images move D in opposite directions.

    0 if one of them is 0. Needs additional forward and backward passes through D.
    """
    real, fake = logit_gradients(update)
    norms = optax.tree.norm(real) * optax.tree.norm(fake)
    return optax.tree.vdot(real, fake) / jnp.maximum(norms, jnp.finfo(norms.dtype).tiny)


# Every run computes these metrics.
METRICS: dict[str, Metric] = {
    "d_grad_norm": gradient_norm,
    "g_grad_norm": gradient_norm,
    "g_pixel_std": pixel_std,
}
# These cost time. They are computed only if `config.extra_metrics` names them.
EXTRA_METRICS: dict[str, Metric] = {
    "d_gradient_cosine": gradient_cosine,
}


def choose_metrics(names: str) -> dict[str, Metric]:
    """METRICS and the named EXTRA_METRICS. names: separated by commas. UserError for an unknown name."""
    chosen = [name.strip() for name in names.split(",") if name.strip()]
    return METRICS | {name: choose(EXTRA_METRICS, name, "extra_metrics") for name in chosen}


def measure(metrics: Mapping[str, Metric], prefix: str, update: Update) -> dict[str, jax.Array]:
    """The values of the metrics that belong to the updates of one player. prefix: d or g."""
    return {name: metric(update) for name, metric in metrics.items() if name.startswith(f"{prefix}_")}
