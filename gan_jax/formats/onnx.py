"""The generator as an ONNX file, for runtimes that know nothing of JAX."""

import importlib
import pathlib

import jax
import numpy as np

from gan_jax.formats.generator import Generator
from gan_jax.formats.onnx_graph import BATCH, Graph
from gan_jax.formats.onnx_operations import NotTranslatable, translate
from gan_jax.system import extras
from gan_jax.system.errors import UserError
from gan_jax.system.files import atomic_write

_TOLERANCE = 1e-4  # of pixels in [-1, 1]


def write(generator: Generator, path: pathlib.Path) -> str:
    """Writes the file; returns one line about its inputs. It is written only if onnxruntime draws the same images.

    UserError if the generator has an operation without a translation, or if the images differ.
    """
    data, difference = checked_model(generator, "--output NAME.onnx")
    with atomic_write(path) as partial:
        partial.write_bytes(data)
    inputs = ", ".join(generator.inputs(1))
    return f"inputs {inputs}; equal to our images up to {difference:.1e} (pixels in [-1, 1])"


def checked_model(generator: Generator, what: str) -> tuple[bytes, float]:
    """(the content of the file, the largest difference of a pixel from ours). what: needs it, for the error message.

    UserError as in `write`.
    """
    extras.require(what, "onnx", "onnx", "onnxruntime")
    onnx = importlib.import_module("onnx")
    graph, inputs = Graph(onnx), generator.inputs(BATCH)
    try:
        program = jax.make_jaxpr(generator.function())(*inputs.values())
        values = [graph.input(name, spec.shape, spec.dtype) for name, spec in inputs.items()]
        (output,) = translate(graph, program.jaxpr, program.consts, values)
        output = graph.expand(output, program.out_avals[0].shape)
    except (NotTranslatable, ValueError) as error:
        raise UserError(
            f"this generator cannot be exported to ONNX, because it has {error}; --output NAME.stablehlo exports every "
            "generator"
        ) from error
    data = graph.model(output, "images", generator.metadata()).SerializeToString()
    difference = largest_difference(data, generator)
    if not difference <= _TOLERANCE:
        raise UserError(f"onnxruntime draws other images (difference {difference:.2g}); nothing is written")
    return data, difference


def largest_difference(data: bytes, generator: Generator) -> float:
    """The largest difference of a pixel between onnxruntime's images and ours, for batches of several sizes."""
    session = importlib.import_module("onnxruntime").InferenceSession(data, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    return max(
        float(np.abs(session.run(["images"], dict(zip(names, inputs, strict=False)))[0] - images).max())
        for inputs, images in generator.examples()
    )
