"""Which tests a command runs: each test is in the set of a command, and `make test` has tests of every part."""

import ast
import itertools
import pathlib
import re
import tomllib

OPTIONS = tomllib.loads(pathlib.Path("pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
MARKS = [line.partition(":")[0] for line in OPTIONS["markers"]]
CHECKS = pathlib.Path("CONTRIBUTING.md").read_text().partition("## The checks")[2].partition("\n\n")[0]


def chosen(options):
    """The expression of marks in a command's options. Without one, pytest uses that of pyproject.toml."""
    quoted = re.search(r"-m (?:'([^']+)'|(\w+))", options) or re.search(r"-m (?:'([^']+)'|(\w+))", OPTIONS["addopts"])
    return quoted[1] or quoted[2]


def sets():
    """command -> its expression of marks, of the commands in CONTRIBUTING.md that run a set of all files."""
    makefile = pathlib.Path("Makefile").read_text()
    targets = re.findall(r"^(test[a-z-]*):.*\n\t\$\(BIN\)/python -m pytest(.*)$", makefile, re.MULTILINE)
    typed = re.findall(r"`python -m pytest ([^`/]+)`", CHECKS)
    return {f"make {name}": chosen(options) for name, options in targets} | {
        f"python -m pytest {options}": chosen(options) for options in typed
    }


def runs(expression, marks):
    """Whether a command with this expression runs a test with these marks."""
    return eval(expression, {mark: mark in marks for mark in MARKS})  # noqa: S307


ALL_MARKS = [set(marks) for count in range(len(MARKS) + 1) for marks in itertools.combinations(MARKS, count)]


def test_the_commands_are_those_of_the_guide():
    assert set(sets()) == {"make test", "make test-all", "make test-faults", "python -m pytest -m slow"}
    assert not [command for command in sets() if f"`{command}`" not in CHECKS]


def test_every_test_is_in_a_set():
    for marks in ALL_MARKS:
        assert [command for command, expression in sets().items() if runs(expression, marks)], marks


def test_the_set_of_ci_is_the_fast_tests_and_the_thorough_ones():
    fast, every = sets()["make test"], sets()["make test-all"]
    assert [marks for marks in ALL_MARKS if runs(every, marks)] == [set(), {"thorough"}]
    assert [marks for marks in ALL_MARKS if runs(fast, marks)] == [set()]


def marks_of_tests(path):
    """test -> the marks anywhere in its decorators, so also those of a single parameter."""
    functions = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]
    return {
        function.name: {
            node.attr for line in function.decorator_list for node in ast.walk(line) if isinstance(node, ast.Attribute)
        }
        & set(MARKS)
        for function in functions
        if function.name.startswith("test_")
    }


def test_a_file_with_thorough_tests_has_fast_ones():
    """So `make test` notices if a part is plainly broken. Those of the pages and of the folders are all fast."""
    files = {str(path): marks_of_tests(path) for path in pathlib.Path("tests").rglob("test_*.py")}
    thorough = {path: tests for path, tests in files.items() if any("thorough" in marks for marks in tests.values())}
    assert len(thorough) > 10
    assert not [path for path, tests in thorough.items() if all(tests.values())]
    for name in ("test_walls", "test_techniques", "test_project_files", "test_sets"):
        assert f"tests/{name}.py" in files
        assert f"tests/{name}.py" not in thorough


def test_whole_files_are_slow_or_faults_but_not_thorough():
    """The test above does not see a mark of a whole file."""
    texts = [path.read_text() for path in pathlib.Path("tests").rglob("test_*.py")]
    marked = [line for text in texts for line in re.findall(r"^pytestmark = (?:.|\n)*?(?=\n\n)", text, re.MULTILINE)]
    assert len(marked) > 20
    assert not [line for line in marked if "thorough" in line]
