"""One optax optimizer per player: clipping, weight decay, a gradient rule and a learning rate.

g is the gradient at update t = 1, 2, ..., theta the parameters, and every rule returns the direction u of
theta <- theta - rate(t) u. m, v start at 0; a hat divides a moment by 1 - decay^t, which removes that start.
"""

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from gan_jax.system.config import choose
from gan_jax.system.errors import UserError


class Rule(NamedTuple):
    """A gradient rule: `transform(**keywords)` makes it; decay_kind is what its `weight_decay` means by default."""

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

    Tieleman and Hinton 2012, Coursera, lecture 6.5. As PyTorch, whose `alpha` (our decay) is 0.99 by default: eps is
    outside the root, and n is free of the learning rate. `optax.rmsprop` has eps inside, and n sums
    rate(t) g / sqrt(v), which is the same only while the rate is constant.
    """
    rule = optax.scale_by_rms(decay=decay, eps=eps, eps_in_sqrt=False)
    return optax.chain(rule, optax.trace(decay=momentum)) if momentum else rule


def adam(b1=0.9, b2=0.999, eps=1e-8, eps_root=0.0) -> optax.GradientTransformation:
    """m <- b1 m + (1 - b1) g; v <- b2 v + (1 - b2) g^2; u = m_hat / (sqrt(v_hat + eps_root) + eps).

    arXiv 1412.6980, algorithm 1, where eps_root is 0. Above 0 it makes the steps of parameters smaller whose gradients
    are smaller than its root. `adamw` is the same rule with decoupled weight decay (arXiv 1711.05101).
    """
    return optax.scale_by_adam(b1=b1, b2=b2, eps=eps, eps_root=eps_root)


def adamax(b1=0.9, b2=0.999, eps=1e-8) -> optax.GradientTransformation:
    """m as in adam; v <- max(b2 v, |g| + eps); u = m_hat / v (arXiv 1412.6980, algorithm 2; eps as in PyTorch)."""
    return optax.scale_by_adamax(b1=b1, b2=b2, eps=eps)


def radam(b1=0.9, b2=0.999, eps=1e-8) -> optax.GradientTransformation:
    """m, v as in adam; rho_t = rho - 2 t b2^t / (1 - b2^t), rho = 2 / (1 - b2) - 1 (arXiv 1908.03265, algorithm 2).

    u = r_t m_hat / (sqrt(v_hat) + eps) once rho_t >= 5, and m_hat before; r_t^2 is the ratio of
    (rho_t - 4)(rho_t - 2) / rho_t to the same of rho. The paper says rho_t > 4; 5 is its authors' code and PyTorch's.
    PyTorch adds eps to sqrt(v) instead, so the two part where sqrt(v_hat) is near eps. Below b2 = 2/3, rho_t never
    gets to 5, and the rule stays momentum. Above b2 = 0.999, float32 is too coarse for rho_t in the first updates.
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
    """True for every leaf that weight decay shrinks: those named "kernel" or "embedding" outside "scale" and "bias".

    Biases, the gains of norms (a conditional norm's are embeddings in "scale" and "bias") and the scales of weight
    norm stay: they set an output's place and size, which decay would pull to 0.
    """

    def decayed(path: tuple, _: jax.Array) -> bool:
        names = [getattr(part, "key", None) for part in path]
        return bool(names) and names[-1] in ("kernel", "embedding") and not {"scale", "bias"} & set(names)

    return jax.tree_util.tree_map_with_path(decayed, params)


def clip_parameters(bound: float) -> optax.GradientTransformation:
    """Changes updates so that theta + update lies in [-bound, bound], to rounding (arXiv 1701.07875, algorithm 1).

    Every parameter is clipped, biases and the gains of norms too: a gain of 1 lands on the bound at the first update.
    """

    def update(updates, state, params):
        return jax.tree.map(lambda u, theta: jnp.clip(theta + u, -bound, bound) - theta, updates, params), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def _rule_of(rule: Rule, name: str, keywords: Mapping[str, Any], knob: str) -> optax.GradientTransformation:
    takes = list(inspect.signature(rule.transform).parameters)
    for keyword, value in keywords.items():
        if keyword not in takes:
            advice = f"takes {', '.join(takes)}" if takes else "has no knobs of its own"
            raise UserError(f"{knob}.{keyword}={value} does nothing for {name}, which {advice}; leave it unset")
        if keyword == "eps" and not 0 < value < math.inf:
            raise UserError(f"{knob}.eps={value}: must be a number above 0, for example 1e-8")
        if keyword == "eps_root" and not 0 <= value < math.inf:
            raise UserError(f"{knob}.eps_root={value}: must be a number from 0 on, for example 1e-8")
        if keyword not in ("eps", "eps_root", "nesterov") and not 0 <= value < 1:
            raise UserError(f"{knob}.{keyword}={value}: must be at least 0 and less than 1")
    return rule.transform(**keywords)


def make_optimizer(
    name_or_rule: str | Rule,
    keywords: Mapping[str, Any],
    rate: float | Callable[[int], float],
    *,
    weight_decay: float = 0.0,
    decay_kind: str = "",
    clip_norm: float = 0.0,
    clip_weights: float = 0.0,
    knob: str = "optimizer",
) -> optax.GradientTransformation:
    """theta <- clip(theta - rate(t) u): one player's updates from its gradients; its `update` needs the parameters.

    keywords: of the rule, only those that differ from its defaults. rate: a constant, or what learning_rates.py makes.
    weight_decay w: "coupled" adds w theta to g before the rule (L2, PyTorch's Adam); "decoupled" adds it to u
        (arXiv 1711.05101, and PyTorch's AdamW: it shrinks theta by rate w); "" is the rule's own kind. Only leaves
        named "kernel" or "embedding" decay, and not those of norms, see `decays`.
    clip_norm: largest L2 norm of all gradients together, before anything else (arXiv 1211.5063); 0: unclipped.
    clip_weights: bound c of every parameter after the update (arXiv 1701.07875); 0: unbounded.
    knob: the config section that messages name.
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
        _rule_of(rule, name, keywords, knob),
        *([decay] if weight_decay and kind == "decoupled" else []),
        optax.scale_by_learning_rate(rate),
        *([clip_parameters(clip_weights)] if clip_weights else []),
    )


# The kind of weight decay is PyTorch's for each; SGD's two kinds are one.
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
