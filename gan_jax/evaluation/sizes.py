"""Numbers of images and of features that can be scored. They are known before an image is generated."""

from gan_jax.system.errors import UserError

# The Frechet distance takes a time that grows with the cube of min(images, features): about 20 s for this number.
_MOST_ROWS = 4096
# Features of one set of images: 4 GiB in float64.
_MOST_ENTRIES = 2**29


def check_sizes(name: str, num_features: int, generated: int, real: int, train: int, *, quick: bool) -> None:
    """UserError if an evaluation has too few images, or would take hours and more memory than most machines have.

    name: of the features. generated, real, train: numbers of images. quick: whether not all training images are scored.
    """
    for split, number in (("test or validation", real), ("training", train)):
        if number < 2:
            raise UserError(f"scores need 2 or more {split} images; this run has {number}")
    if name == "classifier":  # Its features take no more memory than the images, which fit.
        return
    remedies = []
    if min(generated, real, num_features) > _MOST_ROWS or generated * num_features > _MOST_ENTRIES:
        remedies.append("--num_images 2000")
    if not quick and train * num_features > _MOST_ENTRIES:
        remedies.append("--quick")
    too_many_real = real * num_features > _MOST_ENTRIES
    if remedies or too_many_real:
        add = "" if too_many_real else f"add {' '.join(remedies)}, or "
        raise UserError(
            f"--features {name}: {num_features} features of {generated} generated, {real} real and {train} training "
            f"images take hours and gigabytes; {add}take --features classifier"
        )


def few_images(num_features: int, generated: int, real: int) -> str:
    """One line if there are fewer images than features, otherwise ""."""
    if min(generated, real) >= num_features:
        return ""
    return (
        f"fewer images ({generated} generated, {real} real) than features ({num_features}): the Frechet distance is "
        "too high; compare it at equal numbers of images only"
    )
