"""The cache of compiled programs: a private folder per processor; settings of the user take precedence."""

import os
import subprocess
import sys

import jax
import pytest

from gan_jax.devices import compile_cache


@pytest.fixture
def unset():
    """JAX without a cache of compiled programs, as at its start."""
    before = jax.config.jax_compilation_cache_dir, jax.config.jax_persistent_cache_min_compile_time_secs
    jax.config.update("jax_compilation_cache_dir", None)
    yield
    jax.config.update("jax_compilation_cache_dir", before[0])
    jax.config.update("jax_persistent_cache_min_compile_time_secs", before[1])


def test_a_private_folder_of_this_processor(unset, tmp_path):
    compile_cache.enable(tmp_path / "cache")
    (folder,) = (tmp_path / "cache" / "compiled").iterdir()
    assert jax.config.jax_compilation_cache_dir == str(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert folder.name == compile_cache._processor()


def test_a_folder_that_others_can_write_is_not_used(unset, tmp_path):
    folder = tmp_path / "compiled" / compile_cache._processor()
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    compile_cache.enable(tmp_path)
    assert not jax.config.jax_compilation_cache_dir


def test_a_cache_folder_set_by_the_user_stays(unset, tmp_path):
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "own"))
    compile_cache.enable(tmp_path / "cache")
    assert jax.config.jax_compilation_cache_dir == str(tmp_path / "own")


def test_without_a_writable_cache_folder_there_is_no_cache(unset, tmp_path):
    (tmp_path / "file").write_text("")
    compile_cache.enable(tmp_path / "file")
    assert not jax.config.jax_compilation_cache_dir


def test_a_second_process_reads_what_the_first_compiled(tmp_path):
    code = (
        "import pathlib, jax; from gan_jax.devices import compile_cache; compile_cache._LEAST_SECONDS = 0.0; "
        f"compile_cache.enable(pathlib.Path({str(tmp_path)!r})); events = []; "
        "jax.monitoring.register_event_listener(lambda name, **_: events.append(name)); "
        "print(jax.jit(lambda x: x @ x + 1)(jax.numpy.ones((3, 3)))[0, 0]); "
        "print(sum('cache_hits' in name for name in events) > 0)"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")}

    def run():
        process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
        assert not process.stderr
        return process.stdout.split()

    assert run() == ["4.0", "False"]
    assert run() == ["4.0", "True"]
    # A process was killed while it wrote a program: the others compile it, without a warning of JAX.
    for path in tmp_path.rglob("*-cache"):
        path.write_bytes(path.read_bytes()[:100])
    assert run()[0] == "4.0"
