"""Adds the user's own parts to the tables of names, so that a config can name them.

Each function checks what can be checked before a run. The checks of a config, and of the first traced step, are those
of this project's own parts.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.data import find
from gan_jax.data.dataset import Source, Split
from gan_jax.data.splits import check_split
from gan_jax.gan.types import Targets
from gan_jax.layers.activations import WITH_SLOPE, is_elementwise
from gan_jax.losses.adversarial import OBJECTIVES, Objective
from gan_jax.losses.term import Knob, Term
from gan_jax.losses.terms import TERMS
from gan_jax.networks import NETWORKS
from gan_jax.networks.base import BaseDiscriminator, BaseGenerator
from gan_jax.system import parts
from gan_jax.system.errors import UserError


def register_objective(
    name: str,
    discriminator: Callable,
    generator: Callable,
    output: Callable = jax.nn.sigmoid,
    *,
    uses_targets: bool = True,
    zero_means_won: bool = True,
    per_example: bool = False,
    centred: bool = False,
    logit_is_log_ratio: bool = False,
) -> None:
    """An adversarial loss, for `config.objective`. The arguments are the fields of `Objective` (losses/adversarial.py).

    discriminator, generator: (real_logits [B], fake_logits [B], targets) -> scalar.
    """
    logits = jax.ShapeDtypeStruct((4,), jnp.float32)
    for player, loss in (("discriminator", discriminator), ("generator", generator)):
        shape = jax.eval_shape(loss, logits, logits, Targets(logits, logits, logits)).shape
        if shape != ():
            raise UserError(f"objective '{name}': the loss of the {player} has the shape {shape}; return one number")
    part = Objective(
        discriminator, generator, output, uses_targets, zero_means_won, per_example, centred, logit_is_log_ratio
    )
    parts.register("objective", name, OBJECTIVES, part, part)


def register_term(
    name: str, value: Callable, players: str = "dg", knobs: Mapping[str, tuple] | None = None, **needs: Any
) -> None:
    """A term of a loss, for `gan_jax.config(..., **{"d_loss.NAME": weight, "terms.NAME.KNOB": value})`.

    value: (inputs: LossInputs, *, knobs) -> scalar.
    players: "d", "g" or "dg".
    knobs: name -> (default, range in words, check of the range); see `Knob` (losses/term.py).
    needs: other fields of `Term` (losses/term.py), such as needs_classes=True.
    """
    if players not in ("d", "g", "dg"):
        raise UserError(f"term '{name}': players='{players}' must be d, g or dg")
    table = {knob: Knob(*setting) for knob, setting in (knobs or {}).items()}
    named = {p.name for p in inspect.signature(value).parameters.values() if p.kind is p.KEYWORD_ONLY}
    if named != set(table):
        raise UserError(f"term '{name}': its function has the knobs {sorted(named)}, and `knobs` has {sorted(table)}")
    for knob, setting in table.items():
        setting.check(setting.default, f"terms.{name}.{knob}")
    term = Term(value, players, table, **needs)
    parts.register("term", name, TERMS, term, [value, players, sorted(needs)], ["adversarial"])


def register_network(name: str, generator: type, discriminator: type) -> None:
    """A family of networks, for `generator.family` and `discriminator.family`: classes as in networks/mlp.py."""
    for player, network, base in (
        ("generator", generator, BaseGenerator),
        ("discriminator", discriminator, BaseDiscriminator),
    ):
        if not (inspect.isclass(network) and issubclass(network, base)):
            raise UserError(f"network '{name}': its {player} must be a subclass of gan_jax.{base.__name__}")
        if getattr(network, "num_hidden", BaseGenerator.num_hidden) is BaseGenerator.num_hidden:
            raise UserError(f"network '{name}': its {player} needs the static method num_hidden (see networks/mlp.py)")
    parts.register("network", name, NETWORKS, (generator, discriminator), (generator, discriminator))


def register_activation(name: str, activation: Callable) -> None:
    """An activation: an elementwise function of one array, or a Flax module that is one."""
    is_module = inspect.isclass(activation) and issubclass(activation, nn.Module)
    if not is_module and not is_elementwise(activation):
        raise UserError(f"activation '{name}' must map one array element by element, or be a Flax module")
    factory = activation if is_module else lambda: activation
    parts.register("activation", name, WITH_SLOPE, lambda slope: factory, [activation], vars(jax.nn))


def register_data_source(name: str, read: Callable, suffixes: Sequence[str] | None = None) -> None:
    """A data set, for `data.name`.

    read: () -> (train, test), each (images uint8 [N, H, W, C], labels int [N]); (train,) without a test split.
    suffixes: if given, `read` gets the path in `data.dir`: a folder, or a file that ends in one of these (".mat", ...).
    """

    def splits(*path: Any) -> tuple[Split, ...]:
        found = [Split(*(np.asarray(array) for array in split)) for split in read(*path)]
        return tuple(check_split(split, f"data source '{name}'") for split in found)

    taken = {*find.OF_FILES, *find.BY_NAME}
    if suffixes is None:
        part = (f"data source {name}", splits)
        parts.register("data source", name, find.BY_NAME, part, [read], taken)
        return
    kind = find.Kind(
        f"a folder or a {' or '.join(suffixes) or 'file'} file" if suffixes else "a folder",
        tuple(suffixes),
        lambda path, settings: find.Found(name, Source(f"{name} files", str(path)), splits(path)),
    )
    parts.register("data source", name, find.OF_FILES, kind, [read, tuple(suffixes)], taken)
