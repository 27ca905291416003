"""Which room imports which, as CONTRIBUTING.md draws it."""

import ast
import pathlib

import pytest

FOUNDATION = {"types", "errors", "config", "files", "cache", "compiler"}
# room -> what it may import besides the foundation
WALLS = {
    "types": set(),
    "errors": set(),
    "config": set(),
    "files": set(),
    "cache": set(),
    "compiler": set(),
    "gan": set(),
    "objectives": set(),
    "terms": set(),
    "class_terms": set(),
    "targets": set(),
    "priors": set(),
    "optimizers": set(),
    "learning_rates": set(),
    "augmentation": set(),
    "guard": set(),
    "diagnosis": set(),
    "drawing": {"data"},
    "features": {"data", "evaluation", "progress"},
    "compile_cache": set(),
    "states": {"data", "checkpoint"},
    "run_data": {"data"},
    "mesh": set(),
    "hosts": set(),
    "engine": {"steps", "codistillation", "feed", "mesh"},
    "codistillation": {"steps"},
    "feed": {"steps", "data", "mesh"},
    "seeds": {"workdir"},
    "validation": {"features", "data", "drawing", "evaluation", "checkpoint"},
    "scoreboard": set(),
    "steps": {"data", "mesh", "propagation"},
    "propagation": {"progress", "evaluation"},
    "checkpoint": set(),
    "records": set(),
    "progress": set(),
    "interrupts": set(),
    "pictures": set(),
    "workdir": set(),
    "layers": {"layers", "mesh"},
    "networks": {"networks", "layers"},
    "data": {"data"},
    "evaluation": {"evaluation", "layers"},
}
FILES = sorted(pathlib.Path("gan_jax").rglob("*.py"))


def imports(path):
    """Every (module, top level or not) that a file imports."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        lines = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            lines = [f"{node.module}.{alias.name}" for alias in node.names]
        yield from ((name, node in tree.body) for name in lines)


@pytest.mark.parametrize("path", FILES, ids=str)
def test_rooms_import_only_what_they_may(path):
    room = path.parts[1].removesuffix(".py")
    if room not in WALLS:
        return
    allowed = FOUNDATION | WALLS[room]
    own = {name.split(".")[1] for name, _ in imports(path) if name.startswith("gan_jax.")}
    assert own <= allowed, f"{path} imports {own - allowed}"


@pytest.mark.parametrize("path", FILES, ids=str)
def test_libraries_stay_in_their_rooms(path):
    homes = {
        "orbax": {"checkpoint.py"},
        "clu": {"records.py"},
        "tensorflow": set(),
        "tensorflow_datasets": {"catalog.py"},
        "grain": {"stored.py", "stream.py"},
    }
    for name, top_level in imports(path):
        library = name.split(".")[0]
        if library in homes:
            assert path.name in homes[library], f"{path} imports {library}"
            assert library == "orbax" or not top_level, f"{path} imports {library} before it is needed"


def test_configs_import_only_configs():
    for path in pathlib.Path("configs").rglob("*.py"):
        assert {name.split(".")[0] for name, _ in imports(path)} <= {"ml_collections", "configs"}


def test_files_are_short():
    long = {str(path): path.read_text().count("\n") for path in FILES if path.read_text().count("\n") > 260}
    assert not long
    assert not [path for path in FILES if path.name == "utils.py"]
