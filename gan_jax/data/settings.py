"""How the images of a data set are read: the settings of config.data that no seed and no run adds to."""

from typing import NamedTuple

from gan_jax.data import npz
from gan_jax.data.hf_table import Columns
from gan_jax.data.memory import MemoryPolicy
from gan_jax.data.pictures.decode import background_colour
from gan_jax.data.pixels import RESIZES, Conversion
from gan_jax.system.config import choose
from gan_jax.system.errors import UserError


class Settings(NamedTuple):
    """Names, defaults and meanings are those of config.data (configs/default.py)."""

    image_size: int = 0
    channels: int = 0
    resize: str = ""
    background: str = "white"
    test_share: float = 0.1
    stream: str = "auto"
    resident_gib: float = 4.0
    axes: str = ""
    image_column: str = ""
    label_column: str = ""

    def check(self) -> None:
        """UserError for a value out of its range."""
        if self.channels not in (0, 1, 3):
            raise UserError(f"data.channels={self.channels}: choose 1, 3, or 0 for the images' own")
        if self.image_size < 0:
            raise UserError(f"data.image_size={self.image_size}: must be at least 0")
        if self.resize:
            choose(RESIZES, self.resize, "data.resize")
        background_colour(self.background)
        choose(npz.AXES, self.axes, "data.axes")
        if not 0 < self.test_share < 1:
            raise UserError(f"data.test_share={self.test_share}: must be more than 0 and less than 1")
        choose(("auto", "always", "never"), self.stream, "data.stream")
        if self.resident_gib <= 0:
            raise UserError(f"data.resident_gib={self.resident_gib}: must be more than 0")

    @property
    def conversion(self) -> Conversion:
        return Conversion(self.image_size, self.channels, self.resize)

    @property
    def policy(self) -> MemoryPolicy:
        return MemoryPolicy(self.stream, self.resident_gib * 2**30)

    @property
    def columns(self) -> Columns:
        return Columns(self.image_column, self.label_column)
