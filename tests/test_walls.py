"""Which folder imports which, as listed in CONTRIBUTING.md."""

import ast
import pathlib
import re

import pytest

# A folder imports the folders before it, and itself. A module at the root counts as a folder.
FOLDERS = (
    "system",
    "devices",
    "gan",
    "layers",
    "data",
    "networks",
    "evaluation",
    "losses",
    "semi_supervised",
    "build",
    "runs",
    "training",
    "analysis",
    "formats",
    "library",
    "cli",
    "commands",
)
COMMANDS = {"main", "evaluate", "sample", "analyze", "turing", "score", "export"}
# Stricter rules: gan/ imports nothing about devices, files or runs; the metrics import nothing but metrics.
STRICTER = {
    "gan": {"system"},
    "evaluation/metrics": {"evaluation/metrics"},
}
# library -> the files that may import it, inside the functions that need it
ALLOWED_IMPORTERS = {
    "orbax": {"runs/checkpoint.py"},
    "clu": {"runs/tensorboard.py"},
    "wandb": {"runs/trackers.py"},
    "mlflow": {"runs/trackers.py"},
    "tensorflow": set(),
    "tensorflow_datasets": {"data/tfds_source.py"},
    "datasets": {"data/hf_source.py"},
    "huggingface_hub": {"data/hf_source.py"},
    "grain": {"data/stored.py", "data/stream.py"},
    "array_record": {"data/pictures/records.py"},
    "onnx": {"formats/onnx_operations.py"},
    "gan_jax_kernels": {"layers/cpu_kernel.py"},
}
PACKAGE = pathlib.Path("gan_jax")
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def folder_of(parts):
    """The folder of a module, from the parts of its path in the package."""
    name = parts[0].removesuffix(".py")
    is_command = name in COMMANDS or parts[-1] == "__main__.py"
    return "commands" if is_command else name


def imports(path):
    """Every (module, top level or not) that a file imports."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        lines = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            lines = [f"{node.module}.{alias.name}" for alias in node.names]
        yield from ((name, node in tree.body) for name in lines)


def package_imports(path):
    """The modules of gan_jax that a file imports, as parts of their paths in the package."""
    return [name.split(".")[1:] for name, _ in imports(path) if name.startswith("gan_jax.")]


@pytest.mark.parametrize("path", FILES, ids=str)
def test_folders_import_only_what_they_may(path):
    importer = folder_of(path.parts[1:])
    allowed = FOLDERS[: FOLDERS.index(importer) + 1]
    wrong = [".".join(name) for name in package_imports(path) if folder_of(name) not in allowed]
    assert not wrong, f"{path} imports {wrong}"


@pytest.mark.parametrize("folder", STRICTER)
def test_folders_with_stricter_rules(folder):
    for path in (PACKAGE / folder).rglob("*.py"):
        allowed = [folder, *STRICTER[folder]]
        wrong = [
            name
            for name in package_imports(path)
            if not any("/".join(name).startswith(folder_of) for folder_of in allowed)
        ]
        assert not wrong, f"{path} imports {wrong}"


@pytest.mark.parametrize("path", FILES, ids=str)
def test_libraries_are_imported_in_one_file_only(path):
    for name, top_level in imports(path):
        library = name.split(".")[0]
        if library in ALLOWED_IMPORTERS:
            assert str(path.relative_to(PACKAGE)) in ALLOWED_IMPORTERS[library], f"{path} imports {library}"
            assert library == "orbax" or not top_level, f"{path} imports {library} before it is needed"


def test_modules_at_the_root_are_commands():
    assert {path.stem for path in PACKAGE.glob("[!_]*.py")} == COMMANDS | {"cli", "build"}


def test_nothing_imports_experiments():
    assert not [path for path in FILES for name, _ in imports(path) if name.split(".")[0] == "experiments"]


def test_configs_import_only_configs():
    """Except the default config: the weights and the knobs of the terms follow from the terms."""
    for path in pathlib.Path("configs").rglob("*.py"):
        names = {name for name, _ in imports(path)}
        if path == pathlib.Path("configs/default.py"):
            names.remove("gan_jax.losses.terms")
        assert {name.split(".")[0] for name in names} <= {"ml_collections", "configs"}


def test_tests_import_no_tests():
    """Shared code is in modules that are no tests. Only pytest imports conftest.py."""
    names = [(path, name) for path in pathlib.Path("tests").rglob("*.py") for name, _ in imports(path)]
    assert ("tests/test_walls.py", "ast") in [(str(path), name) for path, name in names]
    wrong = [f"{path} imports {name}" for path, name in names if re.search(r"(^|\.)(test_|conftest\b)", name)]
    assert not wrong


def test_files_are_short():
    long = {str(path): path.read_text().count("\n") for path in FILES if path.read_text().count("\n") > 260}
    assert not long
    assert not [path for path in FILES if path.name == "utils.py"]
