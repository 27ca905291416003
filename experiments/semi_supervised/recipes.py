"""What is compared: configs, and what each recipe changes in one."""

from typing import NamedTuple

from ml_collections import ConfigDict

from gan_jax.system import config as configs


class Recipe(NamedTuple):
    """title: what a reader is told; spec: the config; changes: its overrides; base: the recipe it changes, if any."""

    title: str
    spec: str
    changes: dict
    base: str = ""


_BASES = {
    "improved": Recipe(
        "feature matching, the published 300 epochs, the rate falling over the last third",
        "configs/improved_mnist.py",
        {},
    ),
    "long": Recipe(
        "feature matching, 200 epochs, the rate falling over the last fifth", "configs/improved_mnist.py:long", {}
    ),
    "medium": Recipe(
        "feature matching, 120 epochs, the rate falling over the last third", "configs/improved_mnist.py:medium", {}
    ),
    "short": Recipe(
        "feature matching, 100 epochs, the rate falling over the second half", "configs/improved_mnist.py:short", {}
    ),
    "quick": Recipe(
        "feature matching, 20 epochs, the rate falling over the second half", "configs/improved_mnist.py:quick", {}
    ),
    "light": Recipe(
        "feature matching, half of D's width, a second moment in G that lasts 100 updates, 60 epochs, the rate falling "
        "over the last fifth",
        "configs/improved_mnist.py:light",
        {},
    ),
    # The networks and rates of a GAN whose samples are legible, with D as the classifier of few labels.
    "tuned": Recipe(
        "the tuned CGAN's networks without conditions, D classifies, 20 epochs",
        "configs/cgan.py:tuned",
        {"generator.conditioning": "none", "discriminator.head": "class", "d_loss.classification": 1.0},
    ),
    "sgan": Recipe(
        "the tutorial's convolutional semi-supervised GAN, 10 epochs", "configs/sgan.py", {"num_epochs": 10}
    ),
    "cifar10": Recipe("the convolutional recipe for CIFAR-10", "configs/improved_cifar10.py:semi_supervised", {}),
    "svhn": Recipe("the convolutional recipe for SVHN", "configs/improved_svhn.py", {}),
}
_COMPLEMENT = {"g_loss.pull_away": 0.1, "g_loss.low_density": 0.1, "d_loss.entropy": 0.1}
_RAMP = {"ramp_up.num_steps": 10_000}  # of the 11,800 steps of quick
# Virtual adversarial training of radius 2, and of 0.6: 1 and 0.3 of pixels in [0, 1]. Published for 100 labels: the
# latter (github.com/takerum/vat). Probes that bfloat16 can see.
_WIDE = {
    "d_loss.virtual_adversarial": 1.0,
    "terms.virtual_adversarial.radius": 2.0,
    "terms.virtual_adversarial.probe": 1.0,
}
_NARROW = {
    "d_loss.virtual_adversarial": 1.0,
    "terms.virtual_adversarial.radius": 0.6,
    "terms.virtual_adversarial.probe": 0.6,
}
_WIDE_EMA = _WIDE | {"terms.virtual_adversarial.target": "ema"}
# G's second moment lasts 1 / (1 - b2) updates, 100 instead of 1,000.
_BRIEF = {"g_optimizer.b2": 0.99}
# The classes that the averaged D is sure of are labels.
_SURE = {"d_loss.pseudo_label": 1.0, "terms.pseudo_label.target": "ema"}
# Labels that near images lend each other, over the first 3,000 steps (5 epochs), and G's shorter second moment.
_PROPAGATED = _BRIEF | {"d_loss.propagated_label": 1.0, "terms.propagated_label.decay_steps": 3000}
# D's classes change in a straight line between two images, by the averaged D, from soon after those labels on.
_INTERPOLATION = {
    "d_loss.interpolation": 1.0,
    "terms.interpolation.target": "ema",
    "ramp_up.start": 6000,
    "ramp_up.num_steps": 1000,
}
# A draw's networks learn the mean of their classes, from where each knows most of them.
_CODISTILLED = {"d_loss.codistillation": 0.3, "ramp_up.start": 12_000}
# Of the 59,000 steps of short, from where D knows most classes, and from where its rates begin to fall.
_THIRD = {"ramp_up.start": 20_000, "ramp_up.num_steps": 10_000}
_HALF = {"ramp_up.start": 29_500, "ramp_up.num_steps": 10_000}
# Of the 177,000 steps of improved, the 118,000 of long and the 70,800 of medium, from where their rates begin to fall.
_LATE = {"ramp_up.start": 118_000, "ramp_up.num_steps": 20_000}
_LONG_LATE = {"ramp_up.start": 94_400, "ramp_up.num_steps": 4_000}
_MEDIUM_LATE = {"ramp_up.start": 47_200, "ramp_up.num_steps": 8_000}
# G's update compares its images with other real ones than D's has just learned from.
_OWN = {"g_batch": "own"}
_FULL_RATE = {"d_optimizer.schedule": "constant", "g_optimizer.schedule": "constant"}
# What a base is changed by, in words and in overrides.
_CHANGES = {
    "improved": {
        "full_rate": ("a rate that does not fall, as in the published code", _FULL_RATE),
        "full_rate_own_images": (
            "a rate that does not fall and real images of G's own, as in the published code",
            _FULL_RATE | _OWN,
        ),
        "late_entropy": ("conditional entropy in D over the last third", {"d_loss.entropy": 0.1} | _LATE),
        "late_balance": ("classes of equal size in D over the last third", {"d_loss.class_balance": 1.0} | _LATE),
        "late_consistency": (
            "consistency of noisy looks in D over the last third",
            {"d_loss.noise_consistency": 10.0} | _LATE,
        ),
        "late_virtual_adversarial": (
            "virtual adversarial training of radius 0.6 in D over the last third",
            _NARROW | _LATE,
        ),
        "late_wide_virtual_adversarial": (
            "virtual adversarial training of radius 2 in D over the last third",
            _WIDE | _LATE,
        ),
    },
    "long": {
        "long_own_images": ("real images of G's own, as in the published code", _OWN),
        "long_brief_moment": ("a second moment in G that lasts 100 updates", _BRIEF),
        "long_propagated": (
            "a second moment in G that lasts 100 updates, and propagated labels over the first 3,000 steps",
            _PROPAGATED,
        ),
        "long_codistilled": (
            "a second moment in G that lasts 100 updates, propagated labels over the first 3,000 steps, and from step "
            "12,000 on the mean classes of a draw's networks in D",
            _PROPAGATED | _CODISTILLED,
        ),
        "long_propagated_interpolation": (
            "a second moment in G that lasts 100 updates, propagated labels over the first 3,000 steps, and "
            "interpolation consistency with the averaged D from step 6,000 on",
            _PROPAGATED | _INTERPOLATION,
        ),
        "long_sure_virtual": (
            "the averaged D's sure classes as labels and virtual adversarial training of radius 2 over the last fifth",
            _SURE | _WIDE_EMA | _LONG_LATE,
        ),
    },
    "medium": {
        "medium_wide_virtual_adversarial": (
            "virtual adversarial training of radius 2 in D over the last third",
            _WIDE | _MEDIUM_LATE,
        ),
    },
    "short": {
        "epsilon_outside": (
            "Adam's epsilon outside of the root",
            {"d_optimizer.eps_root": 0.0, "g_optimizer.eps_root": 0.0},
        ),
        "short_full_rate": ("a rate that does not fall", _FULL_RATE),
        "short_slow_generator": ("a third of the rate in G", {"g_optimizer.learning_rate": 1e-3}),
        "short_brief_moment": ("a second moment in G that lasts 100 updates", _BRIEF),
        "short_propagated": (
            "a second moment in G that lasts 100 updates, and propagated labels over the first 3,000 steps",
            _PROPAGATED,
        ),
        "short_sure": (
            "a second moment in G that lasts 100 updates, and the averaged D's sure classes as labels from step "
            "29,500 of the 59,000 on",
            _BRIEF | _SURE | _HALF,
        ),
        "short_sure_virtual": (
            "a second moment in G that lasts 100 updates, and the averaged D's sure classes as labels and virtual "
            "adversarial training of radius 2 from step 29,500 of the 59,000 on",
            _BRIEF | _SURE | _WIDE_EMA | _HALF,
        ),
        "short_early_virtual_adversarial": (
            "virtual adversarial training of radius 2 in D, growing over the first 20,000 of the 59,000 steps",
            _WIDE | {"ramp_up.num_steps": 20_000},
        ),
        "short_wide_virtual_adversarial": (
            "virtual adversarial training of radius 2 in D from step 20,000 of the 59,000 on",
            _WIDE | _THIRD,
        ),
        "short_wide_virtual_balance": (
            "virtual adversarial training of radius 2 and classes of equal size in D from step 20,000 of the 59,000 on",
            _WIDE | {"d_loss.class_balance": 1.0} | _THIRD,
        ),
        "short_wide_virtual_held": (
            "virtual adversarial training of radius 2 in D, held to the averaged D, from step 29,500 of the 59,000 on",
            _WIDE_EMA | _HALF,
        ),
        "short_virtual_adversarial": (
            "virtual adversarial training of radius 0.6 in D from step 20,000 of the 59,000 on",
            _NARROW | _THIRD,
        ),
    },
    "light": {
        "light_codistilled": ("the mean classes of a draw's networks in D from step 12,000 on", _CODISTILLED),
    },
    "quick": {
        "entropy": ("conditional entropy in D", {"d_loss.entropy": 0.1}),
        "balance": ("classes of equal size in D", {"d_loss.class_balance": 1.0}),
        "noise_consistency": ("consistency of noisy looks in D", {"d_loss.noise_consistency": 10.0}),
        "noise_consistency_light": ("a tenth of that consistency in D", {"d_loss.noise_consistency": 1.0}),
        "virtual_adversarial": ("virtual adversarial training of radius 0.6 in D", _NARROW),
        "quick_brief_moment": ("a second moment in G that lasts 100 updates", _BRIEF),
        "quick_propagated": (
            "a second moment in G that lasts 100 updates, and propagated labels over the first 3,000 steps",
            _PROPAGATED,
        ),
        "quick_brief_balance": (
            "a second moment in G that lasts 100 updates, and classes of equal size in D",
            _BRIEF | {"d_loss.class_balance": 1.0},
        ),
        "pull_away": ("the pull-away term in G", {"g_loss.pull_away": 0.1}),
        "low_density": ("the low-density term in G", {"g_loss.low_density": 0.1}),
        "complement": ("pull-away and low density in G, and conditional entropy in D", _COMPLEMENT),
        "cosine": (
            "rates that fall as half a cosine",
            {"d_optimizer.schedule": "cosine", "g_optimizer.schedule": "cosine"},
        ),
        "minibatch": (
            "minibatch discrimination and G's adversarial loss in the place of feature matching",
            {"discriminator.minibatch": "discrimination", "g_loss.adversarial": 1.0, "g_loss.feature_matching": 0.0},
        ),
        # D's terms growing while it learns what the labelled images say.
        "entropy_ramp": ("conditional entropy in D, growing", {"d_loss.entropy": 0.1} | _RAMP),
        "noise_consistency_ramp": (
            "consistency of noisy looks in D, growing",
            {"d_loss.noise_consistency": 10.0} | _RAMP,
        ),
        "complement_ramp": ("pull-away and low density in G, and entropy in D, growing", _COMPLEMENT | _RAMP),
        "supervised": ("no generator: D learns from the labelled images alone", {"d_loss.adversarial": 0.0}),
    },
    # What G learns from, where its samples are legible: the paper's feature matching against minibatch discrimination.
    "tuned": {
        "tuned_minibatch": ("minibatch discrimination", {"discriminator.minibatch": "discrimination"}),
        "tuned_feature_matching": (
            "feature matching in the place of G's adversarial loss",
            {"g_loss.adversarial": 0.0, "g_loss.feature_matching": 1.0},
        ),
    },
}
RECIPES = _BASES | {
    name: Recipe(f"{base} with {words}", _BASES[base].spec, _BASES[base].changes | changes, base)
    for base, changed in _CHANGES.items()
    for name, (words, changes) in changed.items()
}
NUM_VALIDATION = 1000  # training images held out for choosing


def source(idx: str) -> dict:
    """Overrides for images from a folder of IDX files; "": from where the recipe has them."""
    return {"data.name": "idx", "data.dir": idx} if idx else {}


def config(name: str, num_labels: int, draws: int, epochs: int, shared: dict) -> ConfigDict:
    """A recipe with so many labels (0: all); epochs: in the place of the recipe's own, unless 0."""
    recipe = configs.choose(RECIPES, name, "--recipes")
    found = configs.load(recipe.spec)
    changes = {
        "data.num_labels": num_labels,
        "data.label_draws": draws,
        "data.num_validation": NUM_VALIDATION,
        "data.fallback": "",
        "eval.at_end": False,
    }
    changes |= recipe.changes
    if epochs:
        changes |= {"num_epochs": epochs, "num_steps": 0}
    configs.override(found, changes | shared)
    return found
