"""Builds the kernels for the processor and the jaxlib of this machine."""

import importlib.metadata

import jax
from setuptools import Extension, setup

VERSION = importlib.metadata.version("jaxlib")

setup(
    packages=["gan_jax_kernels"],
    ext_modules=[
        Extension(
            "gan_jax_kernels.library",
            ["gan_jax_kernels/weight_gradient.cc"],
            include_dirs=[jax.ffi.include_dir()],
            define_macros=[("GAN_JAX_JAXLIB", f'"{VERSION}"')],
            # No warnings: they would be about the headers of jaxlib.
            extra_compile_args=["-std=c++17", "-O3", "-march=native", "-w"],
            language="c++",
        )
    ],
)
