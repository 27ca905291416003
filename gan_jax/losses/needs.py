"""What a term needs from the config: checks (config) -> what is missing and how to set it; "" if nothing is missing."""

from collections.abc import Callable

from ml_collections import ConfigDict

from gan_jax.networks.build import has_ema


def two_images(config: ConfigDict) -> str:
    """These terms compare images of a batch with each other."""
    return "" if config.batch_size > 1 else "two images or more: set --config.batch_size=2"


def distortion(config: ConfigDict) -> str:
    if config.augmentation.consistency:
        return ""
    return "a distortion: set --config.augmentation.consistency=flip,shift"


def ema(name: str) -> Callable[[ConfigDict], str]:
    """The check that there is an EMA of D if a term's knob `target` is "ema"."""

    def missing(config: ConfigDict) -> str:
        if config.terms[name].target == "own" or has_ema(config.discriminator):
            return ""
        return f"an EMA of D for terms.{name}.target=ema: set --config.discriminator.ema_decay=0.999"

    return missing


def probe_above_rounding(config: ConfigDict) -> str:
    """The check that the probe is not too small for bfloat16, which rounds D's outputs for similar images to the same.

    Measured with a D after 90 epochs and 200 images of MNIST: the median cosine between the worst directions in
    bfloat16 and those in float32 with a probe of 0.01. It is 0.40 with a probe of 0.01, 0.86 with 0.1, 0.97 with 0.5
    and 0.97 with 1. In float32, a probe of 1 also has 0.97.
    """
    probe = config.terms.virtual_adversarial.probe
    if config.dtype != "bfloat16" or probe >= 0.5:
        return ""
    return (
        f"a larger probe than {probe} in bfloat16, in which images that are so similar have the same classes: set "
        "--config.terms.virtual_adversarial.probe=1.0, or --config.dtype=float32"
    )


def unlabelled_images(config: ConfigDict) -> str:
    if config.data.num_labels:
        return ""
    return "images without a label, but every image has a label: set --config.data.num_labels=100"


def head(name: str) -> Callable[[ConfigDict], str]:
    """The check that D has the head with the outputs that a term reads."""

    def missing(config: ConfigDict) -> str:
        if config.discriminator.head == name:
            return ""
        return f"D's outputs of another head: set --config.discriminator.head={name}"

    return missing


def codes(config: ConfigDict) -> str:
    if config.discriminator.codes <= config.prior.features:
        return ""
    return f"as many entries of z as codes: set --config.prior.features={config.discriminator.codes}"


def fake_class(config: ConfigDict) -> str:
    if config.discriminator.head == "auxiliary_fake":
        return ""
    return "a class for generated images: set --config.discriminator.head=auxiliary_fake"
