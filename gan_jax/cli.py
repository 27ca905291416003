"""What every command shares: errors as one line, and config arguments."""

import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence

import jax
from ml_collections import ConfigDict

from gan_jax.devices import compile_cache
from gan_jax.system import cache
from gan_jax.system import config as configs
from gan_jax.system.errors import DiskFull, Interrupted, UserError
from gan_jax.system.files import disk_is_full, refused_path, remove_unfinished


def parse_config(spec: str, rest: Sequence[str]) -> ConfigDict:
    """The config file `spec` with overrides `--config.key=value` or `--config.key value`."""
    config, words, changes = configs.load(spec), list(rest), {}
    while words:
        word = words.pop(0)
        if not word.startswith("--config."):
            raise UserError(f"'{word}' is not understood; overrides are written --config.key=value")
        key, equals, value = word.removeprefix("--config.").partition("=")
        if not equals:
            if not words:
                raise UserError(f"--config.{key} needs a value: --config.{key}=value")
            value = words.pop(0)
        changes[key] = value
    configs.override(config, changes, parse=True)
    return config


def _leave(message: str, code: int) -> None:
    """Ends the process at once, with one line: no library has another word on the way out."""
    remove_unfinished()
    sys.stdout.flush()
    sys.stderr.flush()
    # In one piece: a thread of a library may be writing too.
    os.write(sys.stderr.fileno(), f"error: {message}\n".encode())
    os._exit(code)


def _stop(number, frame) -> None:
    """Ends a command. An exception would be lost wherever it is raised in a callback of JAX's."""
    _leave("interrupted; the same command starts this again", Interrupted.exit_code)


def execute(main: Callable[[], None]) -> None:
    """Runs a command and exits: a user's mistake is one line on stderr and an exit code of its own."""
    # TensorFlow, where it is used at all, writes event files and reads data: its notices about kernels are noise.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    # In the place of what an import may have set up.
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", force=True)
    # What goes wrong in a save arrives as an exception; Orbax's threads and tasks would each tell it once more.
    for noisy in ("absl", "asyncio", "orbax"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    compile_cache.enable(cache.folder())
    # In training interrupts.py answers these.
    usual = {number: signal.signal(number, _stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        main()
    except UserError as error:
        # A value that is quoted may hold line breaks of its own.
        message = "\\n".join(str(error).splitlines())
        if jax.distributed.is_initialized():  # JAX's own way out waits for the others, and they wait for this one.
            _leave(message, error.exit_code)
        print(f"error: {message}", file=sys.stderr)
        sys.exit(error.exit_code)
    except Exception as error:
        if disk_is_full(error):
            _leave("no space is left to write to; free some, and the same command continues", DiskFull.exit_code)
        if reason := refused_path(error):
            _leave(reason, UserError.exit_code)
        if jax.distributed.is_initialized():
            traceback.print_exc()
            _leave(f"{type(error).__name__} in one of several processes", 1)
        raise
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)
