"""Libraries that are not needed for every run: the extra of the package that installs each, and the line that says so.

The extras are in pyproject.toml. Without any, a run trains on the user's own images and writes metrics.jsonl.
"""

import importlib.metadata
import importlib.util

from gan_jax.system.errors import UserError


def install(extra: str) -> str:
    """The command that installs an extra; in a checkout that is not installed, it is to be run in the checkout."""
    try:
        importlib.metadata.distribution("gan-jax")
    except importlib.metadata.PackageNotFoundError:
        return f'pip install -e ".[{extra}]"'
    return f'pip install "gan-jax[{extra}]"'


def is_installed(module: str) -> bool:
    """Whether a library can be imported; it is not imported."""
    try:
        return importlib.util.find_spec(module) is not None
    except ValueError:  # A module in sys.modules without a spec, or None, which blocks the import.
        return False


def require(what: str, extra: str, *modules: str) -> None:
    """UserError "`what` needs ...: pip install ..." if one of the libraries of an extra is not installed."""
    if missing := [module for module in modules if not is_installed(module)]:
        raise UserError(f"{what} needs {' and '.join(missing)}: {install(extra)}")
