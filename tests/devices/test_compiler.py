"""XLA's options: when they are used, how the user turns them off, and that they do not change results."""

import jax
import numpy as np
import pytest

from gan_jax.devices import compiler
from gan_jax.layers.conv import native_conv

OPTION = "xla_cpu_experimental_ynn_fusion_type"

cpu = pytest.mark.skipif(jax.default_backend() != "cpu", reason="options of the CPU backend")


@cpu
def test_the_options_are_known_and_used(monkeypatch):
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    chosen = compiler.options()
    assert set(chosen) == {OPTION}
    x, w = (np.ones(shape, np.float32) for shape in ((8, 32, 32, 32), (3, 3, 32, 32)))
    program = compiler.jit(lambda x, w: native_conv(x, w, 1)).lower(x, w).compile().as_text()
    assert "ynn_fusion" not in program


@cpu
def test_a_flag_set_by_the_user_is_not_changed(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", f"--{OPTION}=")
    assert compiler.options() == {}
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=2")
    assert OPTION in compiler.options()


@cpu
def test_a_jaxlib_without_the_option_compiles_without(monkeypatch):
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    monkeypatch.setattr(compiler, "_FAST", {"xla_cpu_option_of_another_jaxlib": "1"})
    compiler._is_supported.cache_clear()
    try:
        assert compiler.options() == {}
        assert compiler.jit(lambda x: x + 1)(1) == 2
    finally:
        compiler._is_supported.cache_clear()


def test_other_backends_get_none(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert compiler.options() == {}


@pytest.mark.parametrize("shape", [(4, 16, 16, 32), (3, 7, 9, 5)])
def test_results_are_equal_to_rounding(shape):
    rng = np.random.default_rng(0)
    x, w = (rng.standard_normal(s).astype(np.float32) for s in (shape, (3, 3, shape[-1], 8)))

    def programs(x, w):
        y = native_conv(x, w, 1)
        return y, y.reshape(-1, 8).T @ y.reshape(-1, 8), y.mean((0, 1, 2)), (y**2).sum(-1)

    for actual, expected in zip(compiler.jit(programs)(x, w), jax.jit(programs)(x, w), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
