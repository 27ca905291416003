"""What is compared: configs, and what each recipe changes in one."""

from typing import NamedTuple

from ml_collections import ConfigDict

from gan_jax import config as configs


class Recipe(NamedTuple):
    """title: what a reader is told; spec: the config; changes: its overrides."""

    title: str
    spec: str
    changes: dict


_SHORT = "configs/improved_mnist.py:short"
_QUICK = "configs/improved_mnist.py:quick"
_COMPLEMENT = {"g_loss.pull_away": 0.1, "g_loss.low_density": 0.1, "d_loss.entropy": 0.1}
_RAMP = {"ramp_up_steps": 10_000}
# The networks and rates of a GAN whose samples are legible, with D as the classifier of few labels.
_TUNED = "configs/cgan.py:tuned"
_CLASSIFIER = {
    "generator.conditioning": "none",
    "discriminator.head": "class",
    "d_loss.classification": 1.0,
}

RECIPES = {
    "improved": Recipe("feature matching, 300 epochs, as published", "configs/improved_mnist.py", {}),
    "short": Recipe("feature matching, 100 epochs, the rate falling over the second half", _SHORT, {}),
    "quick": Recipe("feature matching, 20 epochs, the rate falling over the second half", _QUICK, {}),
    "epsilon_outside": Recipe(
        "short with Adam's epsilon outside of the root",
        _SHORT,
        {"d_optimizer.eps_root": 0.0, "g_optimizer.eps_root": 0.0},
    ),
    # One change each to `quick`.
    "entropy": Recipe("quick, and conditional entropy", _QUICK, {"d_loss.entropy": 0.1}),
    "noise_consistency": Recipe("quick, and consistency of noisy looks", _QUICK, {"d_loss.noise_consistency": 10.0}),
    "noise_consistency_light": Recipe(
        "quick, and a tenth of the consistency of noisy looks", _QUICK, {"d_loss.noise_consistency": 1.0}
    ),
    "virtual_adversarial": Recipe(
        "quick, and virtual adversarial training", _QUICK, {"d_loss.virtual_adversarial": 0.3}
    ),
    "pull_away": Recipe("quick, and the pull-away term in G", _QUICK, {"g_loss.pull_away": 0.1}),
    "low_density": Recipe("quick, and the low-density term in G", _QUICK, {"g_loss.low_density": 0.1}),
    "complement": Recipe(
        "quick, and a complement generator's terms: pull-away and low density in G, conditional entropy in D",
        _QUICK,
        _COMPLEMENT,
    ),
    "cosine": Recipe(
        "quick, the rate a half cosine", _QUICK, {"d_optimizer.schedule": "cosine", "g_optimizer.schedule": "cosine"}
    ),
    "minibatch": Recipe(
        "quick, minibatch discrimination and G's adversarial loss in the place of feature matching",
        _QUICK,
        {"discriminator.minibatch": "discrimination", "g_loss.adversarial": 1.0, "g_loss.feature_matching": 0.0},
    ),
    # Some of these, with D's terms growing while it learns what the labelled images say.
    "entropy_ramp": Recipe(
        "entropy, its weight growing over 10,000 of the 11,800 steps", _QUICK, {"d_loss.entropy": 0.1} | _RAMP
    ),
    "noise_consistency_ramp": Recipe(
        "noise_consistency, its weight growing over 10,000 of the 11,800 steps",
        _QUICK,
        {"d_loss.noise_consistency": 10.0} | _RAMP,
    ),
    "complement_ramp": Recipe(
        "complement, the entropy's weight growing over 10,000 of the 11,800 steps", _QUICK, _COMPLEMENT | _RAMP
    ),
    # No generator's part in it: D's classifier alone, with the same noise and norms.
    "supervised": Recipe(
        "quick without a GAN: D learns from the labelled images alone",
        _QUICK,
        {"d_loss.adversarial": 0.0},
    ),
    # What G learns from, where its samples are legible: the paper's feature matching against minibatch discrimination.
    "tuned": Recipe("the tuned CGAN's networks without conditions, D classifies, 20 epochs", _TUNED, _CLASSIFIER),
    "tuned_minibatch": Recipe(
        "tuned, and minibatch discrimination",
        _TUNED,
        _CLASSIFIER | {"discriminator.minibatch": "discrimination"},
    ),
    "tuned_feature_matching": Recipe(
        "tuned, with feature matching in the place of G's adversarial loss",
        _TUNED,
        _CLASSIFIER | {"g_loss.adversarial": 0.0, "g_loss.feature_matching": 1.0},
    ),
    "cifar10": Recipe("the convolutional recipe for CIFAR-10", "configs/improved_cifar10.py:semi_supervised", {}),
    "svhn": Recipe("the convolutional recipe for SVHN", "configs/improved_svhn.py", {}),
    "sgan": Recipe(
        "the tutorial's convolutional semi-supervised GAN, 10 epochs",
        "configs/sgan.py",
        {"num_epochs": 10},
    ),
}
# Errors of 10,000 test images, mean and standard deviation over 10 draws of the labels: arXiv 1606.03498, table 1.
PUBLISHED = {20: (1677, 452), 50: (221, 136), 100: (93, 6.5), 200: (90, 4.2)}
PUBLISHED_ENSEMBLES = {20: (1134, 445), 50: (142, 96), 100: (86, 5.6), 200: (81, 4.3)}
NUM_VALIDATION = 1000  # training images held out for choosing


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
