"""Shared by all commands: errors as one line, and config arguments."""

import argparse
import contextlib
import logging
import os
import pathlib
import select
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence

import jax
from ml_collections import ConfigDict

from gan_jax.devices import compile_cache
from gan_jax.system import cache, parts
from gan_jax.system import config as configs
from gan_jax.system.errors import DiskFull, Interrupted, UserError, out_of_memory
from gan_jax.system.files import disk_is_full, refused_path, remove_unfinished
from gan_jax.system.imports import share_with_children

# Options of JAX, also set by environment variables of the same names, with which the code would compute in other types.
_TYPE_OPTIONS = {"jax_enable_x64": False, "jax_numpy_dtype_promotion": "standard"}
_BROKEN_PIPE = 141  # the exit code of a program that the signal SIGPIPE ended


def program(module: str) -> str:
    """How the command was started, for its help: "gan-jax train", or "python -m gan_jax.main"."""
    return sys.argv[0] if sys.argv[0].startswith("gan-jax ") else f"python -m {module}"


def parse_config(spec: str, arguments: Sequence[str]) -> ConfigDict:
    """The config file `spec` with overrides `--config.key=value` or `--config.key value`."""
    config, remaining, changes = configs.load(spec), list(arguments), {}
    while remaining:
        argument = remaining.pop(0)
        if not argument.startswith("--config."):
            raise UserError(f"'{argument}' is not understood; overrides are written --config.key=value")
        key, equals, value = argument.removeprefix("--config.").partition("=")
        if not equals:
            if not remaining:
                raise UserError(f"--config.{key} needs a value: --config.{key}=value")
            value = remaining.pop(0)
        changes[key] = value
    configs.override(config, changes, parse=True)
    return config


def add_parts(parser: argparse.ArgumentParser) -> None:
    """Adds the flag --parts, which is executed when it is parsed: it registers the parts that a run may need."""
    parser.add_argument(
        "--parts", type=configs.load_parts, metavar="FILE.py", help="the file that registers the parts of the run"
    )


def add_sampling(parser: argparse.ArgumentParser) -> None:
    """Adds the flags that say how images are sampled: --sampler, the text of `make_sampler`, and --standing_passes."""
    parser.add_argument(
        "--sampler",
        default="prior",
        help="prior (default); drs or drs:percentile=90 (rejection by D); ddls or ddls:steps=50 (Langevin, by D)",
    )
    parser.add_argument(
        "--standing_passes",
        type=int,
        default=0,
        help="forward passes for standing statistics of G's batch norm (default 0: those of training)",
    )


def add_data_folders(parser: argparse.ArgumentParser) -> None:
    """Adds the two flags that say where the data of a run are: --data_dir and --config.data.dir, as `images_dir`.

    And --parts, see `add_parts`.
    """
    add_parts(parser)
    parser.add_argument("--data_dir", default="", help="folder of prepared data (default: the user's cache folder)")
    parser.add_argument(
        "--config.data.dir",
        dest="images_dir",
        default="",
        metavar="FOLDER",
        help="folder of the images that the run was trained on, if they are elsewhere now",
    )


def seed(text: str) -> int:
    """The value of a flag --seed; UserError if JAX and NumPy cannot both take it."""
    if not text.isascii() or not text.isdigit() or int(text) >= 2**31:
        raise UserError(f"--seed={text}: must be a whole number from 0 to {2**31 - 1}")
    return int(text)


def output_path(text: str) -> pathlib.Path:
    """The value of a flag --output, with ~ for the home folder; UserError for an address."""
    if "://" in text:
        raise UserError(f"--output={text} is an address; give a path of this machine")
    try:
        return pathlib.Path(text).expanduser()
    except RuntimeError as error:  # There is no such user, or no home folder.
        raise UserError(f"--output={text}: {error}") from error


def _use_types_of_this_code() -> None:
    """Undoes options of JAX that change the types of numbers, with a warning: a GAN is float32."""
    for option, value in _TYPE_OPTIONS.items():
        if getattr(jax.config, option) != value:
            logging.getLogger(__name__).warning("%s is not used here: a GAN is float32", option.upper())
            jax.config.update(option, value)


def _exit_now(message: str, code: int) -> None:
    """Ends the process at once and prints one line. No exit handler of a library runs, so none can print more."""
    remove_unfinished()
    sys.stdout.flush()
    sys.stderr.flush()
    # One system call, because a thread of a library may write at the same time.
    os.write(sys.stderr.fileno(), f"error: {message}\n".encode())
    os._exit(code)


def _stop(number, frame) -> None:
    """Signal handler that ends a command. An exception would be lost if it is raised inside a callback of JAX."""
    _exit_now("interrupted; the same command starts this again", Interrupted.exit_code)


def _line_and_code(error: Exception) -> tuple[str, int] | None:
    """The line and the exit code for an error of the machine: its disk, memory, devices or files. None for others."""
    if disk_is_full(error):
        return "no space is left to write to; free some, and the same command continues", DiskFull.exit_code
    if out_of_memory(error):
        return "not enough memory; lower batch_size, the widths of the networks, or num_seeds", UserError.exit_code
    if traceback.extract_tb(error.__traceback__)[-1].filename.endswith("xla_bridge.py"):  # JAX starts its devices.
        wanted = os.environ.get("JAX_PLATFORMS", "")
        return f"JAX finds no device (JAX_PLATFORMS={wanted}); unset JAX_PLATFORMS", UserError.exit_code
    if reason := refused_path(error):
        return reason, UserError.exit_code
    return None


@contextlib.contextmanager
def _quiet_after_a_failed_save() -> Iterator[None]:
    """Inside `with`, an error is not printed that TensorStore's threads raise after a write has failed.

    They tell an event loop that a write has ended, and Orbax has closed the loop. No code can catch that.
    """
    print_error = sys.unraisablehook

    def print_others(unraisable) -> None:
        if str(unraisable.exc_value) != "Event loop is closed":
            print_error(unraisable)

    sys.unraisablehook = print_others
    try:
        yield
    finally:
        sys.unraisablehook = print_error


def _nobody_reads() -> bool:
    """Whether the reader of the output has gone, as after `| head`. If so, nothing more is written to it."""
    output = select.poll()
    output.register(sys.stdout.fileno(), 0)  # A pipe without a reader has an error, which need not be asked for.
    if not output.poll(0):
        return False
    # Otherwise Python would report the error once more when it closes the output.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return True


@_quiet_after_a_failed_save()
def execute(main: Callable[[], None]) -> None:
    """Runs a command. A user's mistake prints one line on stderr and exits with the exit code of its error."""
    # If TensorFlow is used, it only writes event files and reads data, so its messages about kernels do not matter.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    # Replaces the logging handlers that an imported library may have installed.
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", force=True)
    # A failed save raises an exception. Without this, each of Orbax's threads and tasks would also print the error.
    for noisy in ("absl", "asyncio", "orbax"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    # A path may have characters that the user's locale cannot print.
    sys.stdout.reconfigure(errors="backslashreplace")
    share_with_children()
    _use_types_of_this_code()
    compile_cache.enable(cache.folder())
    # During training, system/interrupts.py replaces these handlers.
    usual_handlers = {number: signal.signal(number, _stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        for path in filter(None, os.environ.get(parts.FILES_VARIABLE, "").split(os.pathsep)):
            configs.load_parts(path)
        main()
    except UserError as error:
        # A value that the message quotes may contain line breaks.
        message = "\\n".join(str(error).splitlines())
        if jax.distributed.is_initialized():  # JAX's exit handler would wait for the other processes.
            _exit_now(message, error.exit_code)
        print(f"error: {message}", file=sys.stderr)
        sys.exit(error.exit_code)
    except Exception as error:
        if isinstance(error, BrokenPipeError) and _nobody_reads():
            sys.exit(_BROKEN_PIPE)
        if outcome := _line_and_code(error):
            _exit_now(*outcome)
        if jax.distributed.is_initialized():
            traceback.print_exc()
            _exit_now(f"{type(error).__name__} in one of several processes", 1)
        raise
    finally:
        for number, handler in usual_handlers.items():
            signal.signal(number, handler)
