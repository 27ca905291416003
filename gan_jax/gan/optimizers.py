"""One optax optimizer per player: clipping, weight decay, a gradient rule and a learning rate.

g is the gradient at update t = 1, 2, ..., and theta are the parameters. Every rule returns the direction u of the
update theta <- theta - rate(t) u. The moments m and v start at 0. A hat means that the moment is divided by
1 - decay^t, which corrects the bias of that start.
"""

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from gan_jax.gan.values import bounds, parse
from gan_jax.system.config import choose
from gan_jax.system.errors import UserError


class Rule(NamedTuple):
    """A gradient rule. `transform(**keywords)` creates it; `decay_kind` is the default kind of its weight decay."""

    transform: Callable[..., optax.GradientTransformation]
    decay_kind: str


def sgd() -> optax.GradientTransformation:
    """u = g."""
    return optax.identity()


def momentum(momentum=0.9, nesterov=False) -> optax.GradientTransformation:
    """m <- momentum m + g; u = m, or with nesterov u = g + momentum m (arXiv 1212.0901)."""
    return optax.trace(decay=momentum, nesterov=nesterov)


def rmsprop(decay=0.9, eps=1e-8, momentum=0.0) -> optax.GradientTransformation:
    """v <- decay v + (1 - decay) g^2; n <- momentum n + g / (sqrt(v) + eps); u = n.

    Tieleman and Hinton 2012, Coursera, lecture 6.5. As in PyTorch, eps is outside the root, and n does not contain the
    learning rate (PyTorch's `alpha` is our decay; its default is 0.99). `optax.rmsprop` has eps inside the root, and
    its n sums rate(t) g / sqrt(v), which is the same only if the rate is constant.
    """
    rule = optax.scale_by_rms(decay=decay, eps=eps, eps_in_sqrt=False)
    return optax.chain(rule, optax.trace(decay=momentum)) if momentum else rule


def adam(b1=0.9, b2=0.999, eps=1e-8, eps_root=0.0) -> optax.GradientTransformation:
    """m <- b1 m + (1 - b1) g; v <- b2 v + (1 - b2) g^2; u = m_hat / (sqrt(v_hat + eps_root) + eps).

    arXiv 1412.6980, algorithm 1, in which eps_root is 0. If eps_root is above 0, parameters whose gradients are smaller
    than its root get smaller steps. `adamw` is the same rule with decoupled weight decay (arXiv 1711.05101).
    """
    return optax.scale_by_adam(b1=b1, b2=b2, eps=eps, eps_root=eps_root)


def adamax(b1=0.9, b2=0.999, eps=1e-8) -> optax.GradientTransformation:
    """m as in adam; v <- max(b2 v, |g| + eps); u = m_hat / v (arXiv 1412.6980, algorithm 2; eps as in PyTorch)."""
    return optax.scale_by_adamax(b1=b1, b2=b2, eps=eps)


def radam(b1=0.9, b2=0.999, eps=1e-8) -> optax.GradientTransformation:
    """m, v as in adam; rho_t = rho - 2 t b2^t / (1 - b2^t), rho = 2 / (1 - b2) - 1 (arXiv 1908.03265, algorithm 2).

    u = r_t m_hat / (sqrt(v_hat) + eps) once rho_t >= 5, and m_hat before; r_t^2 is the ratio of
    (rho_t - 4)(rho_t - 2) / rho_t to the same expression of rho. The paper has rho_t > 4; its authors' code and PyTorch
    have 5. PyTorch adds eps to sqrt(v) instead, so its result differs if sqrt(v_hat) is near eps. If b2 < 2/3, rho_t
    never reaches 5, and the rule is momentum for all updates. If b2 > 0.999, float32 is not precise enough for rho_t in
    the first updates.
    """
    return optax.scale_by_radam(b1=b1, b2=b2, eps=eps)


def nadam(b1=0.9, b2=0.999, eps=1e-8) -> optax.GradientTransformation:
    """v as in adam; u = (b1 m / (1 - b1^(t+1)) + (1 - b1) g / (1 - b1^t)) / (sqrt(v_hat) + eps).

    Adam with Nesterov's look-ahead (Dozat 2016, openreview.net OM0jvwB8jIp57ZJjtNEZ) at a constant b1. PyTorch and
    Dozat's algorithm 2 let b1 grow with t, as b1 (1 - 0.96^(t momentum_decay) / 2); PyTorch's
    NAdam(momentum_decay=1e6) is this rule.
    """
    return optax.scale_by_adam(b1=b1, b2=b2, eps=eps, nesterov=True)


def lion(b1=0.9, b2=0.99) -> optax.GradientTransformation:
    """u = sign(b1 m + (1 - b1) g), then m <- b2 m + (1 - b2) g (arXiv 2302.06675, algorithm 2)."""
    return optax.scale_by_lion(b1=b1, b2=b2)


def decays(params: Any) -> Any:
    """True for every leaf that weight decay shrinks: leaves named "kernel" or "embedding" outside "scale" and "bias".

    Weight decay leaves out biases, the gains of norms (in a conditional norm, they are embeddings inside "scale" and
    "bias") and the scales of weight norm, because these set the mean and the size of an output.
    """

    def decayed(path: tuple, _: jax.Array) -> bool:
        names = [getattr(part, "key", None) for part in path]
        return bool(names) and names[-1] in ("kernel", "embedding") and not {"scale", "bias"} & set(names)

    return jax.tree_util.tree_map_with_path(decayed, params)


def clip_parameters(bound: float) -> optax.GradientTransformation:
    """Changes updates so that theta + update is in [-bound, bound] up to rounding (arXiv 1701.07875, algorithm 1).

    Every parameter is clipped, including biases and the gains of norms. So a gain of 1 becomes the bound in the first
    update.
    """

    def update(updates, state, params):
        return jax.tree.map(lambda u, theta: jnp.clip(theta + u, -bound, bound) - theta, updates, params), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def _rule_of(
    rule: Rule, name: str, keywords: Mapping[str, Any], num_updates: int, knob: str
) -> optax.GradientTransformation:
    known = list(inspect.signature(rule.transform).parameters)
    for keyword, value in keywords.items():
        if keyword not in known:
            advice = f"takes {', '.join(known)}" if known else "has no knobs of its own"
            raise UserError(f"{knob}.{keyword}={value} does nothing for {name}, which {advice}; leave it unset")
        if keyword == "eps" and not 0 < value < math.inf:
            raise UserError(f"{knob}.eps={value}: must be a number above 0, for example 1e-8")
        if keyword == "eps_root" and not 0 <= value < math.inf:
            raise UserError(f"{knob}.eps_root={value}: must be a number from 0 on, for example 1e-8")
        if keyword not in ("eps", "eps_root", "nesterov"):
            low, high = bounds(value, f"{knob}.{keyword}")
            if not 0 <= low <= high < 1:
                raise UserError(f"{knob}.{keyword}={value}: must be at least 0 and less than 1")
    scheduled = {keyword: parse(value, knob) for keyword, value in keywords.items() if isinstance(value, str)}
    if not scheduled:
        return rule.transform(**keywords)
    functions = {
        keyword: lambda count, value=value: value.at(count, num_updates) for keyword, value in scheduled.items()
    }
    constants = [keyword for keyword in known if keyword not in scheduled]
    return optax.inject_hyperparams(rule.transform, static_args=constants)(**keywords | functions)


def make_optimizer(
    name_or_rule: str | Rule,
    keywords: Mapping[str, Any],
    rate: float | Callable[[int], float],
    *,
    weight_decay: float = 0.0,
    decay_kind: str = "",
    clip_norm: float = 0.0,
    clip_weights: float = 0.0,
    num_updates: int = 0,
    knob: str = "optimizer",
) -> optax.GradientTransformation:
    """theta <- clip(theta - rate(t) u): the optimizer of one player. Its `update` needs the parameters.

    keywords: those of the rule that differ from its defaults. A decay may be a schedule (values.py). PyTorch's Adam
        corrects the bias with the present decay as if it had always been that, and so do ours.
    rate: a constant, or a schedule of schedules.py.
    weight_decay: the factor w. Only the leaves decay that `decays` selects.
    decay_kind: "coupled" adds w theta to g before the rule (L2, PyTorch's Adam). "decoupled" adds w theta to u, which
        shrinks theta by rate w (arXiv 1711.05101, PyTorch's AdamW). "" is the kind of the rule.
    clip_norm: largest L2 norm of all gradients together, applied first (arXiv 1211.5063). 0: no clipping.
    clip_weights: bound of every parameter after the update (arXiv 1701.07875). 0: no bound.
    num_updates: of the whole run, for schedules.
    knob: the config section, for error messages.
    """
    for setting, value in (("weight_decay", weight_decay), ("clip_norm", clip_norm), ("clip_weights", clip_weights)):
        if not 0 <= value < math.inf:
            raise UserError(f"{knob}.{setting}={value}: must be a number above 0, or 0 for none")
    rule, name = name_or_rule, "this rule"
    if isinstance(name_or_rule, str):
        rule, name = choose(RULES, name_or_rule, f"{knob}.name"), name_or_rule
    kind = choose(("", "coupled", "decoupled"), decay_kind, f"{knob}.decay_kind") or rule.decay_kind
    decay = optax.add_decayed_weights(weight_decay, mask=decays)
    return optax.chain(
        *([optax.clip_by_global_norm(clip_norm)] if clip_norm else []),
        *([decay] if weight_decay and kind == "coupled" else []),
        _rule_of(rule, name, keywords, num_updates, knob),
        *([decay] if weight_decay and kind == "decoupled" else []),
        optax.scale_by_learning_rate(rate),
        *([clip_parameters(clip_weights)] if clip_weights else []),
    )


# The kind of weight decay is that of PyTorch's optimizer. For SGD, both kinds are the same.
RULES = {
    "sgd": Rule(sgd, "coupled"),
    "momentum": Rule(momentum, "coupled"),
    "rmsprop": Rule(rmsprop, "coupled"),
    "adam": Rule(adam, "coupled"),
    "adamw": Rule(adam, "decoupled"),
    "adamax": Rule(adamax, "coupled"),
    "radam": Rule(radam, "coupled"),
    "nadam": Rule(nadam, "coupled"),
    "lion": Rule(lion, "decoupled"),
}
