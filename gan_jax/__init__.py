"""Generative adversarial networks on small images, where one change at a time can be measured."""

import importlib
from typing import Any

__version__ = "0.1.0"

# What a program can use, and the module that has it. A module is imported when one of its names is used, so that
# `import gan_jax` is immediate and imports no library.
_PUBLIC = {
    "load": "gan_jax.library.run",
    "Run": "gan_jax.library.run",
    "config": "gan_jax.library.training",
    "train": "gan_jax.library.training",
    "register_objective": "gan_jax.library.register",
    "register_term": "gan_jax.library.register",
    "register_network": "gan_jax.library.register",
    "register_activation": "gan_jax.library.register",
    "register_data_source": "gan_jax.library.register",
    "unregister": "gan_jax.system.parts",
    "BaseGenerator": "gan_jax.networks.base",
    "BaseDiscriminator": "gan_jax.networks.base",
    "UserError": "gan_jax.system.errors",
}
_MODULES = ("build",)  # a module that can be called


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"gan_jax.{name}")
    if name not in _PUBLIC:
        raise AttributeError(f"module 'gan_jax' has no attribute '{name}'; it has {', '.join(__dir__())}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted([*_PUBLIC, *_MODULES, "__version__"])
