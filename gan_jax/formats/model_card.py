"""The page beside an exported generator: its data, its training, its scores with their floor, its limits."""

import pathlib

from gan_jax.evaluation.table import table
from gan_jax.formats.generator import Generator
from gan_jax.system.files import write_text

_PAGE = """# {file}

A generator of images of {height} x {width} pixels and {channels} channel(s), trained as a generative adversarial
network with gan_jax. It is the {kind} of step {step}.

## Use
Inputs: {inputs}.

Output: images, float32 [batch, {height}, {width}, {channels}] in [-1, 1]; as bytes, `round((images + 1) * 127.5)`.

Classes: {classes}.

## Data
{data}. Fingerprint of all images and labels: `{fingerprint}`.

## Training
{step} of {num_steps} steps; in each, {d_steps} update(s) of the discriminator and one of the generator, with batches of
{batch_size}. Objective `{objective}`, seed {seed}. One seed is one draw: another seed gives other numbers.
Code: {commit}. The metadata of the file has the whole config.

## Scores
{scores}

## Limits
It draws images like its training images, with their gaps and biases, and nothing else. It may have learnt single
training images: if it is among the scores, see *nearer to train than held out*. Scores compare only if the features,
the numbers of images and the real images are the same. Do not take its images for real observations.
"""
_NO_SCORES = "This state has not been scored: `gan-jax evaluate --workdir ...` does that, before the export."
_FLOOR = "The column *held-out real* is the floor: the score of real images that no training has used."


def path_of(path: pathlib.Path) -> pathlib.Path:
    return path.with_suffix(".md")


def write(generator: Generator, path: pathlib.Path) -> None:
    """Writes NAME.md beside the exported file `path`."""
    run, config, info = generator.run, generator.run.config, generator.run.run_info
    height, width, channels = run.image_shape
    page = _PAGE.format(
        file=path.name,
        height=height,
        width=width,
        channels=channels,
        kind="EMA generator" if generator.is_ema else "generator without EMA",
        step=run.step,
        inputs=_inputs(generator),
        classes=", ".join(run.class_names) if generator.takes_labels else "the generator takes no label",
        data=_data(info["data"]),
        fingerprint=info["data"]["fingerprint"],
        num_steps=info["num_steps"],
        d_steps=config.d_steps,
        batch_size=config.batch_size,
        objective=config.objective,
        seed=config.seed,
        commit=info.get("commit", "unknown"),
        scores=_scores(generator),
    )
    write_text(path_of(path), page)


def _inputs(generator: Generator) -> str:
    prior = generator.run.config.prior
    z = f"`z`, float32 [batch, {prior.features}], from the prior `{prior.name}`"
    if not generator.takes_labels:
        return z
    return f"{z}; `labels`, int32 [batch], positions in the list of {generator.run.num_classes} classes"


def _data(data: dict) -> str:
    """data: of run.json."""
    stands_in = f", in the place of {data['requested']}" if data["requested"] != data["used"] else ""
    counts = f"{data['num_train']} training images, {data['num_test']} test images"
    return f"{data['used']} from {data['source']}{stands_in}: {counts}"


def _scores(generator: Generator) -> str:
    result = generator.scores()
    if not result:
        return _NO_SCORES
    lines = [line.rstrip() for line in table(result).splitlines()]
    return "\n".join([_FLOOR, "```", *lines, "```"])
