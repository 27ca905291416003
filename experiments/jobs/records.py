"""Files beside a run: its config, which the runner writes, and a sealed record of each seed, which the run writes."""

import pathlib

from ml_collections import ConfigDict

from gan_jax.system import config as configs
from gan_jax.system import recorded
from gan_jax.system.files import read_sealed, write_text

_PROVENANCE = ("commit", "python", "versions", "device", "cpu_cores", "data")


def write_config(folder: pathlib.Path, config: ConfigDict) -> None:
    """Writes the config that a run's process reads; makes the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "config.json", configs.to_json(config))


def read_config(folder: pathlib.Path) -> ConfigDict:
    """The config that the runner wrote."""
    return recorded.from_json((folder / "config.json").read_text())


def seeds_with_record(folder: pathlib.Path) -> list[int]:
    """The seeds of a run that have ended: those with a file seed-<s>.json."""
    return sorted(int(path.stem.removeprefix("seed-")) for path in folder.glob("seed-*.json"))


def read(path: pathlib.Path) -> dict | None:
    """A record; None if there is none yet; UserError if it was changed since it was written."""
    return read_sealed(path, "delete it, and the same command makes it again") if path.is_file() else None


def provenance(run: dict, *extra: str) -> dict:
    """The code, versions, device and data of a run, and the keys `extra`, as far as its run.json has them."""
    return {name: run[name] for name in (*_PROVENANCE, *extra) if name in run}
