"""A data set in words: what it has by class and split."""

import numpy as np

from gan_jax.data.dataset import Dataset

_MOST_CLASSES = 40  # that are listed one by one
_WIDTH = 17


def lines(dataset: Dataset) -> list[str]:
    """Lines for the user about a data set."""
    height, width, channels = dataset.image_shape
    kind = {1: "grey", 3: "RGB"}.get(channels, f"{channels} channels")
    splits = {name: split for name in ("train", "validation", "test") if (split := getattr(dataset, name))}
    result = [
        f"{'data':<{_WIDTH}}{dataset.name} from {dataset.source}",
        f"{'images':<{_WIDTH}}{height} x {width} pixels, {kind}",
        f"{'classes':<{_WIDTH}}{len(dataset.class_names) or 'none: the images have no labels'}",
        f"{'':<{_WIDTH}}" + "".join(f"{name:>12}" for name in splits),
    ]
    counts = {name: np.bincount(split.labels, minlength=dataset.num_classes) for name, split in splits.items()}
    for label, name in enumerate(dataset.class_names[:_MOST_CLASSES]):
        result.append(f"{name[: _WIDTH - 1]:<{_WIDTH}}" + "".join(f"{count[label]:>12}" for count in counts.values()))
    if more := len(dataset.class_names) - _MOST_CLASSES:
        result += [f"... and {more} more classes"] if more > 0 else []
    result.append(f"{'all':<{_WIDTH}}" + "".join(f"{count.sum():>12}" for count in counts.values()))
    result += [f"{'files':<{_WIDTH}}{fact}" for fact in dataset.facts]
    return result + [f"{'note':<{_WIDTH}}{note}" for note in dataset.notes]
