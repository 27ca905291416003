"""All terms of the losses, and the sections of the default config that follow from them."""

from ml_collections import ConfigDict

from gan_jax.losses import conditional, penalties, semi_supervised
from gan_jax.losses.term import Term
from gan_jax.system import parts

# To add a term, add it to TERMS in one of these files.
TERMS = penalties.TERMS | conditional.TERMS | semi_supervised.TERMS


def _own() -> list[tuple[str, Term]]:
    """The terms without those that a user has registered: these are in the configs that name them only."""
    return [(name, term) for name, term in TERMS.items() if not parts.is_registered("term", name)]


def add_to(config: ConfigDict, name: str) -> None:
    """Adds the weights of a registered term, 0, and its knobs to a config."""
    weights = {f"{player}_loss": {name: 0.0} for player in TERMS[name].players}
    knobs = {knob: description.default for knob, description in TERMS[name].knobs.items()}
    with config.unlocked():
        for section, values in (weights | ({"terms": {name: knobs}} if knobs else {})).items():
            for key, value in values.items():
                if key not in config[section]:
                    config[section][key] = value


def default_weights(player: str) -> dict[str, float]:
    """The section `d_loss` or `g_loss`: the adversarial loss has the weight 1, every term 0. player: "d" or "g"."""
    return {"adversarial": 1.0} | {name: 0.0 for name, term in _own() if player in term.players}


def default_knobs() -> dict[str, dict[str, float | str]]:
    """The section `terms`: for each term with knobs, their defaults."""
    return {
        name: {knob: description.default for knob, description in term.knobs.items()}
        for name, term in _own()
        if term.knobs
    }
