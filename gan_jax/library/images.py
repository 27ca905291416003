"""Arrays of images that a notebook shows as a grid."""

import io
import math

import numpy as np
from PIL import Image

from gan_jax.runs import pictures

_MOST_COLUMNS = 10
_SMALL_SIDE, _ENLARGED = 64, 2  # images of at most 64 pixels are shown twice as large


class Images(np.ndarray):
    """uint8 [N, H, W, C], or one image [H, W, C]: a NumPy array in every respect, and a picture in a notebook."""

    def _repr_png_(self) -> bytes | None:
        """The images as a PNG, ten in a row; None for an array of another shape or type, which is printed instead."""
        if self.dtype != np.uint8 or self.ndim not in (3, 4) or self.shape[-1] not in (1, 3) or not self.size:
            return None
        images = np.asarray(self) if self.ndim == 4 else np.asarray(self)[None]
        picture = pictures.grid(images, min(len(images), _MOST_COLUMNS))
        if max(images.shape[1:3]) <= _SMALL_SIDE:
            picture = picture.repeat(_ENLARGED, axis=0).repeat(_ENLARGED, axis=1)
        file = io.BytesIO()
        Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture).save(file, format="PNG")
        return file.getvalue()

    def __repr__(self) -> str:
        """One line, because a notebook keeps it beside the picture; str has the numbers."""
        return f"<images {self.dtype} {self.shape}>"

    def grid(self, columns: int = 0) -> "Images":
        """One picture [height, width, C] of all images, with gaps; columns: 0 for a square."""
        return np.asarray(pictures.grid(np.asarray(self), columns or math.ceil(math.sqrt(len(self))))).view(Images)
