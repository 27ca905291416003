"""The optional compiled kernels: built from the repository, equal to a sum by hand, and used where they are faster."""

import importlib.metadata
import importlib.util
import itertools
import math
import pathlib
import shutil
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.devices import compiler
from gan_jax.layers import cpu_kernel, matmul_conv
from tests.layers.convolutions import FORMS, SHAPES, assert_equal_in_value_and_gradients

SOURCE, LIMIT = pathlib.Path("kernels"), cpu_kernel._MOST_WEIGHTS
# (side, channels, features, kernel, stride): layers of small GANs
LAYERS = [(side, *channels, 3, 1) for side in (8, 16, 32) for channels in ((32, 32), (32, 64), (64, 64), (64, 128))]
LAYERS += [(32, 3, 32, 3, 1), (28, 1, 64, 4, 2), (14, 64, 128, 4, 2), (32, 3, 64, 4, 2), (16, 64, 128, 4, 2)]
LAYERS += [(8, 128, 128, 3, 1), (32, 128, 128, 3, 1), (8, 256, 256, 3, 1)]


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """A folder with the package: where it is installed, or built now as `make kernels` builds it."""
    if installed := importlib.util.find_spec(cpu_kernel.PACKAGE):
        return pathlib.Path(installed.origin).parents[1]
    if not (shutil.which("g++") or shutil.which("c++")):
        pytest.skip("needs a C++ compiler")
    folder = tmp_path_factory.mktemp("kernels")
    source = shutil.copytree(SOURCE, folder / "source", ignore=shutil.ignore_patterns("build", "*.egg-info"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(folder / "built"), str(source)], check=True, capture_output=True)
    return folder / "built"


@pytest.fixture
def package(built, monkeypatch):
    """The package can be imported, and the kernel is used for all shapes."""
    monkeypatch.syspath_prepend(str(built))
    sys.modules.pop(cpu_kernel.PACKAGE, None)
    cpu_kernel.is_installed.cache_clear()
    monkeypatch.setattr(cpu_kernel, "_MOST_WEIGHTS", math.inf)
    yield sys.modules
    sys.modules.pop(cpu_kernel.PACKAGE, None)
    cpu_kernel.is_installed.cache_clear()


def by_hand(x, dy, kernel, stride):
    """dW[i, j, c, f]: the sum over images and pixels of the product of a pixel and the gradient that sees it."""
    sides = [(n - 1) * stride + k for n, k in zip(dy.shape[1:3], kernel, strict=True)]
    before = [max(side - n, 0) // 2 for side, n in zip(sides, x.shape[1:3], strict=True)]
    padded = np.zeros((len(x), *(max(side, n + b) for side, n, b in zip(sides, x.shape[1:3], before, strict=True)), 1))
    padded = np.repeat(padded, x.shape[3], axis=3)
    padded[:, before[0] : before[0] + x.shape[1], before[1] : before[1] + x.shape[2]] = x
    dw = np.zeros((*kernel, x.shape[3], dy.shape[3]))
    for i, j in itertools.product(*map(range, kernel)):
        seen = padded[:, i : i + sides[0] - kernel[0] + 1 : stride, j : j + sides[1] - kernel[1] + 1 : stride]
        dw[i, j] = np.einsum("bhwc,bhwf->cf", seen, dy)
    return dw


@pytest.mark.thorough
@pytest.mark.parametrize("channels", [(1, 9), (3, 64), (70, 130), (64, 3)])
def test_equals_a_sum_by_hand(package, channels):
    rng = np.random.default_rng(0)
    for kernel, stride, height, width in [*SHAPES, (4, 2, 12, 14)]:
        x = rng.standard_normal((5, height, width, channels[0])).astype(np.float32)
        out = (5, math.ceil(height / stride), math.ceil(width / stride), channels[1])
        dy = rng.standard_normal(out).astype(np.float32)
        assert cpu_kernel.is_faster(x, dy)
        dw = cpu_kernel.weight_gradient(jnp.array(x), jnp.array(dy), (kernel, kernel), stride)
        np.testing.assert_allclose(dw, by_hand(x, dy, (kernel, kernel), stride), rtol=1e-4, atol=1e-4)


@pytest.mark.thorough
@pytest.mark.parametrize("form", FORMS)
def test_layers_use_it_and_equal_native(package, form, monkeypatch):
    calls, real = [], cpu_kernel.weight_gradient
    monkeypatch.setattr(cpu_kernel, "weight_gradient", lambda *arguments: calls.append(1) or real(*arguments))
    for kernel, stride, height, width in [(3, 1, 7, 8), (4, 2, 6, 6), (2, 1, 6, 8), (3, 2, 5, 5)]:
        calls.clear()
        assert_equal_in_value_and_gradients(*FORMS[form], kernel, stride, height, width, (3, 5))
        assert calls


@pytest.mark.thorough
@pytest.mark.parametrize(("kernel", "stride"), [(4, 2), (3, 1)])
@pytest.mark.parametrize("form", FORMS)
def test_second_order_gradients_equal_native(package, form, kernel, stride):
    """The gradients of a norm of the gradients, by x and by w: as a gradient penalty differentiates them."""
    x = jax.random.normal(jax.random.key(0), (2, 6, 6, 3))
    w = jax.random.normal(jax.random.key(1), (kernel, kernel, 3, 5))

    def norm(function):
        loss = lambda x, w: jnp.sum(jnp.tanh(function(x, w, stride)))  # noqa: E731
        return lambda x, w: sum(jnp.sum(g**2) for g in jax.grad(loss, (0, 1))(x, w))

    gradients = [jax.jit(jax.grad(norm(function), (0, 1)))(x, w) for function in FORMS[form]]
    for ours, native in zip(*gradients, strict=True):
        np.testing.assert_allclose(ours, native, rtol=1e-3, atol=2e-3)


@pytest.mark.thorough
def test_a_seed_of_several_equals_that_seed_alone(package):
    x = jax.random.normal(jax.random.key(0), (3, 4, 8, 8, 6))
    dy = jax.random.normal(jax.random.key(1), (3, 4, 4, 4, 7))
    gradient = jax.jit(lambda x, dy: cpu_kernel.weight_gradient(x, dy, (4, 4), 2))
    together = jax.jit(jax.vmap(gradient))(x, dy)
    for seed in range(3):
        np.testing.assert_array_equal(together[seed], gradient(x[seed], dy[seed]))
    shared = jax.vmap(gradient, in_axes=(None, 0))(x[0], dy)
    np.testing.assert_allclose(shared[2], gradient(x[0], dy[2]), rtol=1e-5, atol=1e-5)


@pytest.mark.thorough
def test_the_same_bits_with_any_number_of_threads(package, built):
    program = """
import jax, numpy as np
from gan_jax.layers import cpu_kernel
assert cpu_kernel.is_installed()
x, dy = (jax.random.normal(jax.random.key(k), (64, 16, 16, c)) for k, c in ((0, 24), (1, 40)))
print(np.asarray(cpu_kernel.weight_gradient(x, dy, (3, 3), 1)).tobytes().hex())
"""
    flags = ["", "--xla_cpu_multi_thread_eigen=false"]
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONPATH": f"{built}:.", "JAX_PLATFORMS": "cpu", "PATH": "", "XLA_FLAGS": flag},
            check=True,
            capture_output=True,
        ).stdout
        for flag in flags
    }
    assert len(outputs) == 1


@pytest.mark.thorough
def test_kernels_for_another_jaxlib_are_not_used_and_the_log_says_so(package, monkeypatch, caplog):
    real = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "9.9.9" if name == "jaxlib" else real(name))
    assert not cpu_kernel.is_installed()
    assert "is not used with 9.9.9; build it again: make kernels" in caplog.text


@pytest.mark.thorough
def test_wrong_shapes_are_refused(package):
    with pytest.raises(Exception, match="not those of a convolution with SAME padding"):
        cpu_kernel.weight_gradient(jnp.zeros((2, 8, 8, 3)), jnp.zeros((2, 8, 8, 5)), (3, 3), 2)


@pytest.mark.thorough
def test_not_used_on_a_mesh_nor_for_bfloat16(package):
    x = jnp.zeros((2, 8, 8, 3))
    assert cpu_kernel.is_faster(x, x)
    with jax.sharding.use_abstract_mesh(jax.make_mesh((1,), ("data",)).abstract_mesh):
        assert not cpu_kernel.is_faster(x, x)
    assert not cpu_kernel.is_faster(x, x.astype(jnp.bfloat16))


def test_not_used_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, cpu_kernel.PACKAGE, None)
    cpu_kernel.is_installed.cache_clear()
    assert not cpu_kernel.is_faster(jnp.zeros((2, 64, 64, 3)), jnp.zeros((2, 64, 64, 3)))
    cpu_kernel.is_installed.cache_clear()


def _fastest(functions, arguments):
    """The shortest of 12 times of each function, in turn."""
    times = [[] for _ in functions]
    for _ in range(13):
        for function, seconds in zip(functions, times, strict=True):
            start = time.perf_counter()
            jax.block_until_ready(function(*arguments))
            seconds.append(time.perf_counter() - start)
    return [min(seconds[1:]) for seconds in times]


@pytest.mark.slow
@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_the_chosen_form_is_the_faster_one_or_nearly(package, layer, monkeypatch):
    monkeypatch.setattr(cpu_kernel, "_MOST_WEIGHTS", LIMIT)
    assert cpu_kernel.is_installed()
    side, channels, features, kernel, stride = layer
    rng = np.random.default_rng(0)
    x = jnp.array(rng.standard_normal((128, side, side, channels)), jnp.float32)
    out = math.ceil(side / stride)
    dy = jnp.array(rng.standard_normal((128, out, out, features)), jnp.float32)
    w = jnp.zeros((kernel, kernel, channels, features))

    def make(uses):
        def gradient(x, dy):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(cpu_kernel, "is_faster", lambda x, dy: uses)
                return jax.vjp(lambda w: matmul_conv.matmul_conv(x, w, stride), w)[1](dy)[0]

        return compiler.jit(gradient)

    jax.config.update("jax_disable_most_optimizations", False)
    try:
        products, compiled = _fastest([make(False), make(True)], (x, dy))
    finally:
        jax.config.update("jax_disable_most_optimizations", True)  # as tests/settings.py has it
    chosen = compiled if cpu_kernel.is_faster(x, dy) else products
    # Near the limit both take about as long, and a busy machine adds a third.
    assert chosen <= 1.5 * min(products, compiled), (products, compiled)
