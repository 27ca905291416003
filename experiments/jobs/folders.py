"""The folder of a config in a workdir of many runs: found by its config.json, whatever its name."""

import hashlib
import pathlib
from collections.abc import Collection

from ml_collections import ConfigDict

from experiments.jobs.records import seeds_with_record
from gan_jax.system import recorded
from gan_jax.system.config import defaults, leaves, to_json
from gan_jax.system.errors import UserError
from gan_jax.system.files import read_table


def identity(path: pathlib.Path, ignored: Collection[str] = recorded.OF_PLACE) -> str | None:
    """The digest of the config in a file config.json; None if this version has no such config.

    Settings of the data that it lacks do not count: the fingerprint of the images says whether they change one.
    """
    try:
        tree = read_table(path)
        tree.pop("sha256", None)  # That of a workdir has a checksum.
        config = recorded.from_tree(tree)
    except UserError:
        return None
    default = leaves(defaults())
    of_data = {key: default[key] for key in recorded.lacking(tree) if key.startswith("data.")}
    config.update_from_flattened_dict(of_data)
    return recorded.digest(config, ignored)


class Folders:
    """The folders in a workdir that have a config.json, by the config in it. Folders may be added afterwards.

    digits: of the names of new folders.
    ignored: keys that do not make it another config.
    """

    def __init__(self, workdir: pathlib.Path, digits: int, ignored: Collection[str] = recorded.OF_PLACE):
        self._workdir, self._digits, self._ignored, self._names = workdir, digits, ignored, {}
        for path in sorted(workdir.glob("*/config.json")):
            if found := identity(path, ignored):
                self._names.setdefault(found, []).append(path.parent.name)

    def name(self, config: ConfigDict) -> str:
        """The name of the folder of a config: of those that have it, the one with the most records; or a new one."""
        digest = recorded.digest(config, self._ignored)
        if names := self._names.get(digest):
            return max(names, key=lambda name: len(seeds_with_record(self._workdir / name)))
        name = digest[: self._digits]
        path = self._workdir / name / "config.json"
        if path.is_file() and identity(path, self._ignored) != digest:  # A default was changed since.
            name = hashlib.sha256(to_json(config).encode()).hexdigest()[: self._digits]
        return name
