"""Numbers of other libraries, which need not be installed: stored in tests/golden, and compared if they are installed.

`python -m tests.golden` computes all of them again with the installed libraries and writes the files. It needs
`pip install torch prdc torch-fidelity pytorch-fid`. The inputs of every number are those of its test, from the seed
that stands there.
"""

import importlib
import importlib.metadata
import os
import pathlib
import sys
from collections.abc import Callable, Sequence

import numpy as np
import pytest

FOLDER = pathlib.Path(__file__).parent / "golden"
TESTS = (
    "tests/layers/test_norms.py",
    "tests/layers/test_layers.py",
    "tests/layers/test_kernel_norms.py",
    "tests/losses/test_adversarial.py",
    "tests/evaluation/metrics/test_prdc.py",
    "tests/evaluation/test_two_sets.py",
    "tests/evaluation/test_inception.py",
    "tests/evaluation/test_inception_weights.py",
)
_RECORD = "GAN_JAX_TESTS_RECORD"


def numbers(
    library: str, file: str, case: str, compute: Callable[..., Sequence], compare: bool = True, **tolerance
) -> list[np.ndarray]:
    """The arrays that `compute(library)` returns: from the file, or, if the library is installed, computed now.

    Computed arrays must equal the stored ones within the tolerance. A case that is not stored is an error, not a skip.
    With compare=False the stored arrays are returned even if the library is installed.
    An ImportError of `compute` means that a second library is not installed.
    """
    path = FOLDER / f"{file}.npz"
    record = bool(os.environ.get(_RECORD))
    stored = dict(np.load(path)) if path.is_file() else {}
    names = sorted((name for name in stored if name.startswith(f"{case}/")), key=lambda name: int(name.split("/")[-1]))
    values = [stored[name] for name in names]
    if values and not compare and not record:
        return values
    try:
        computed = [np.asarray(array) for array in compute(importlib.import_module(library))]
    except ImportError:
        assert values, f"{path} has no numbers of {case}: python -m tests.golden"
        return values
    if record:
        stored |= {f"{case}/{index}": array for index, array in enumerate(computed)}
        version = importlib.metadata.version(library)
        stored["provenance"] = np.array(f"{library} {version}; numpy {np.__version__}; python -m tests.golden")
        FOLDER.mkdir(exist_ok=True)
        np.savez_compressed(path, **dict(sorted(stored.items())))
        return computed
    for array, expected in zip(computed, values, strict=True):
        np.testing.assert_allclose(array, expected, **tolerance)
    return computed


def file_of(library: str, file: str, case: str, write: Callable[..., bytes]) -> bytes:
    """The bytes of a file that `write(library)` makes: stored ones always, since they differ between versions."""
    (data,) = numbers(library, file, case, lambda module: [np.frombuffer(write(module), np.uint8)], compare=False)
    return data.tobytes()


def main() -> int:
    """Deletes the files, and runs their tests, which write them; PackageNotFoundError if a library is missing."""
    for library in ("torch", "prdc", "torch-fidelity", "pytorch-fid"):
        importlib.metadata.version(library)
    for path in FOLDER.glob("*.npz"):
        path.unlink()
    os.environ[_RECORD] = "1"
    return pytest.main(["-n", "0", "-q", *TESTS])


if __name__ == "__main__":
    sys.exit(main())
