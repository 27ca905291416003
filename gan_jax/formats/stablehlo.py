"""The generator as a serialised StableHLO program, which JAX alone can run: jax.export.deserialize."""

import pathlib

import jax

from gan_jax.formats.generator import Generator
from gan_jax.system.files import atomic_write

_PLATFORMS = ("cpu", "cuda", "tpu")


def write(generator: Generator, path: pathlib.Path) -> str:
    """Writes the file; returns one line about it. The size of the batch is free."""
    (batch,) = jax.export.symbolic_shape("batch")
    inputs = generator.inputs(batch)
    function = jax.jit(generator.function())
    exported = jax.export.export(function, platforms=_PLATFORMS)(*inputs.values())
    with atomic_write(path) as partial:
        partial.write_bytes(exported.serialize())
    return f"jax.export.deserialize(open({path.name!r}, 'rb').read()).call({', '.join(inputs)})"
