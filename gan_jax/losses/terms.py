"""All terms of the losses, and the sections of the default config that follow from them."""

from gan_jax.losses import penalties, semi_supervised

# To add a term, add it to TERMS in one of these files.
TERMS = penalties.TERMS | semi_supervised.TERMS


def default_weights(player: str) -> dict[str, float]:
    """The section `d_loss` or `g_loss`: the adversarial loss has the weight 1, every term 0. player: "d" or "g"."""
    return {"adversarial": 1.0} | {name: 0.0 for name, term in TERMS.items() if player in term.players}


def default_knobs() -> dict[str, dict[str, float | str]]:
    """The section `terms`: for each term with knobs, their defaults."""
    return {
        name: {knob: description.default for knob, description in term.knobs.items()}
        for name, term in TERMS.items()
        if term.knobs
    }
