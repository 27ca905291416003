"""The examples of docs/library.md, as one program; the notebook."""

import ast
import json
import pathlib
import re

import pytest

import gan_jax
from gan_jax.system import parts

PAGE = pathlib.Path("docs/library.md").read_text()
NOTEBOOK = json.loads(pathlib.Path("notebooks/quickstart.ipynb").read_text())
SMALL = '"generator.widths": (16, 8), "discriminator.widths": (8, 16), "eval.every_steps": 2'


@pytest.fixture(autouse=True)
def _nothing_stays_registered():
    yield
    for kind, name in list(parts._registered):
        gan_jax.unregister(kind, name)


def program():
    return "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))


def code_cells():
    return ["".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]


@pytest.mark.thorough
def test_the_examples_run(tmp_path, monkeypatch, quick_classifier):
    """With fewer steps, and narrower networks."""
    text = program()
    text = text.replace("num_steps=1500", "num_steps=4").replace('**{"', "**{" + SMALL + ', "')
    assert text != program()
    monkeypatch.chdir(tmp_path)
    namespace = {}
    exec(compile(text, "docs/library.md", "exec"), namespace)  # noqa: S102
    assert namespace["images"].shape[1:] == (28, 28, 1)
    assert int(namespace["state"].step) == 3


def test_the_page_shows_every_public_function():
    names = [name for name in dir(gan_jax) if name not in ("__version__", "Run")]
    assert not [name for name in names if f"gan_jax.{name}" not in PAGE and not name.startswith("register_")]
    assert not [name for name in names if name.startswith("register_") and name not in PAGE + "".join(code_cells())]


def test_the_notebook_has_the_outputs_of_a_run():
    cells = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 3
    assert not [output for output in outputs if output["output_type"] == "error"]
    for code in code_cells():
        ast.parse(code)
    assert not re.search(r"/(root|home|work|tmp)/", json.dumps(NOTEBOOK))


@pytest.mark.slow
def test_the_notebook_runs(tmp_path, monkeypatch):
    """Every code cell as it is, in one process. Under 5 minutes on two cores."""
    monkeypatch.chdir(tmp_path)
    namespace = {}
    for code in code_cells():
        exec(compile(code, "quickstart.ipynb", "exec"), namespace)  # noqa: S102
    assert namespace["run"].info["status"] == "completed"
