"""The recipes that are compared, each with a config, and the records of recipes that no longer have one."""

import importlib
import pathlib
from typing import NamedTuple

from ml_collections import ConfigDict

from configs import semi_supervised
from gan_jax.system import config as configs
from gan_jax.system.errors import UserError
from gan_jax.system.files import read_table

RECORDS = pathlib.Path("experiments/results/semi_supervised/recipes.json")
NUM_VALIDATION = 1000  # training images that are held out, for choosing between recipes


class Recipe(NamedTuple):
    """title: for the tables; spec: the config; base: the recipe that this one changes, if any."""

    title: str
    spec: str
    base: str = ""


# Recipes that change no other recipe. Their configs are in configs/, not in configs/semi_supervised.
_SYSTEMS = {
    "improved": Recipe(
        "feature matching, the published 300 epochs, the rate falling over the last third", "configs/improved_mnist.py"
    ),
    "long": Recipe(
        "feature matching, 200 epochs, the rate falling over the last fifth", "configs/improved_mnist.py:long"
    ),
    "medium": Recipe(
        "feature matching, 120 epochs, the rate falling over the last third", "configs/improved_mnist.py:medium"
    ),
    "short": Recipe(
        "feature matching, 100 epochs, the rate falling over the second half", "configs/improved_mnist.py:short"
    ),
    "quick": Recipe(
        "feature matching, 20 epochs, the rate falling over the second half", "configs/improved_mnist.py:quick"
    ),
    "light": Recipe(
        "feature matching, half of D's width, a second moment in G that lasts 100 updates, 60 epochs, the rate falling "
        "over the last fifth",
        "configs/improved_mnist.py:light",
    ),
    "sgan": Recipe("the tutorial's convolutional semi-supervised GAN, 10 epochs", "configs/sgan.py"),
    "cifar10": Recipe("the convolutional recipe for CIFAR-10", "configs/improved_cifar10.py:semi_supervised"),
    "svhn": Recipe("the convolutional recipe for SVHN", "configs/improved_svhn.py"),
}


def _of_file(name: str) -> Recipe:
    """The recipe of a file in configs/semi_supervised; its title is the first paragraph of the file's docstring."""
    module = importlib.import_module(f"configs.semi_supervised.{name}")
    title = " ".join(module.__doc__.split("\n\n")[0].split()).removesuffix(".")
    return Recipe(title, f"configs/semi_supervised/{name}.py", getattr(module, "BASE", ""))


_FOLDER = pathlib.Path(semi_supervised.__file__).parent
RECIPES = _SYSTEMS | {path.stem: _of_file(path.stem) for path in sorted(_FOLDER.glob("[!_]*.py"))}


def records() -> dict[str, dict]:
    """Name -> {title, base, config, changes} of the recipes in the pages of results that have no config file.

    config: the spec of the base; changes: dotted name -> value of the leaves that differ from the base.
    """
    return read_table(RECORDS)


def base_of(name: str) -> str:
    """The recipe that a recipe changes; "" if there is none, or if the name is no longer known."""
    return RECIPES[name].base if name in RECIPES else records().get(name, {}).get("base", "")


def changes_of(recipe: Recipe) -> tuple[str, dict]:
    """(spec, changes) for the results: the base's spec and the changed leaves; without a base, its own spec and {}."""
    if not recipe.base:
        return recipe.spec, {}
    base = RECIPES[recipe.base].spec
    before, after = (configs.leaves(configs.load(configs.own(spec))) for spec in (base, recipe.spec))
    return base, {leaf: value for leaf, value in after.items() if value != before[leaf]}


def _spec(name: str, num_labels: int) -> str:
    """The config spec of a recipe; UserError if the recipe is unknown or only on record."""
    if name not in RECIPES and (record := records().get(name)):
        changes = {"data.num_labels": num_labels} | record["changes"]
        raise UserError(
            f"--recipes={name} is on record and no longer a config; to train it: python -m gan_jax.main "
            f"--config {record['config']} {' '.join(f'--config.{leaf}={value}' for leaf, value in changes.items())}"
        )
    return configs.choose(RECIPES, name, "--recipes").spec


def config(name: str, num_labels: int, draws: int, epochs: int, shared: dict) -> ConfigDict:
    """The config of a recipe. num_labels: 0 for all; epochs: 0 for the recipe's own; shared: further overrides."""
    resolved = configs.load(configs.own(_spec(name, num_labels)))
    changes = {
        "data.num_labels": num_labels,
        "data.num_label_subsets": draws,
        "data.num_validation": NUM_VALIDATION,
        "data.fallback": "",
        "eval.at_end": False,
    }
    if epochs:
        changes |= {"num_epochs": epochs, "num_steps": 0}
    configs.override(resolved, changes | shared)
    return resolved
