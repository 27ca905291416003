"""Configs and training for programs and notebooks: run = gan_jax.train(gan_jax.config("cdcgan"), "runs/mine")."""

import contextlib
import pathlib
from typing import Any

from ml_collections import ConfigDict

from gan_jax.library.run import Run, load
from gan_jax.losses import terms
from gan_jax.system import config as configs
from gan_jax.system import parts
from gan_jax.system.progress import hidden
from gan_jax.training import session


def config(spec: str, **changes: Any) -> ConfigDict:
    """A config by its name ("cdcgan", "cgan:tuned") or its file ("mine.py"), with changes of leaves by dotted names.

    For example config("cdcgan", num_steps=2000, **{"generator.norm": "layer"}). UserError for an unknown name or a
    value of another type. A change may name a registered term, which the config then has.
    """
    loaded = configs.load(spec)
    for key in changes:
        section, _, rest = key.partition(".")
        name = rest.partition(".")[0]
        if section in ("d_loss", "g_loss", "terms") and parts.is_registered("term", name):
            terms.add_to(loaded, name)
    configs.override(loaded, changes)
    return loaded


def train(
    config: ConfigDict | str,
    path: str | pathlib.Path,
    *,
    data_dir: str = "",
    init_from: str = "",
    progress: bool = True,
) -> Run | list[Run]:
    """Trains a config in a workdir, or continues the run in it. The result is that of `load`, with its last state.

    config: a ConfigDict, for example from `config`; or a name or a file.
    progress: False prints nothing while it trains.
    The scores of a finished run are not computed: see `Run.evaluate`. A signal ends training as it does for a command,
    but only in the main thread.
    """
    config = configs.load(config) if isinstance(config, str) else config
    with hidden() if not progress else contextlib.nullcontext():
        session.train(config, str(path), data_dir, init_from)
    return load(path, data_dir=data_dir)
