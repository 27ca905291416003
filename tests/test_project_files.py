"""The files that describe the project agree with it: citation, changes, CI, issue templates, Dockerfile."""

import pathlib
import re
import tomllib

import pytest
import yaml

import gan_jax

PROJECT = tomllib.loads(pathlib.Path("pyproject.toml").read_text())["project"]
PYTHONS = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
DOCKERFILE = pathlib.Path("Dockerfile").read_text()


def test_the_version_is_one():
    assert yaml.safe_load(pathlib.Path("CITATION.cff").read_text())["version"] == gan_jax.__version__
    versions = re.findall(r"^## (\S+)", pathlib.Path("CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == gan_jax.__version__


def test_the_licence_is_one():
    assert yaml.safe_load(pathlib.Path("CITATION.cff").read_text())["license"] == PROJECT["license"]
    assert "Apache License" in pathlib.Path("LICENSE").read_text()


def test_ci_runs_the_checks_on_every_python():
    jobs = yaml.safe_load(pathlib.Path(".github/workflows/ci.yml").read_text())["jobs"]
    for job in jobs.values():
        assert job["strategy"]["matrix"]["python"] == PYTHONS
    commands = [step["run"] for step in jobs["checks"]["steps"] if "run" in step]
    assert commands == ["make lint", "make test-all"]
    targets = re.findall(r"^([a-z-]+):", pathlib.Path("Makefile").read_text(), re.MULTILINE)
    assert {"lint", "test", "test-all"} <= set(targets)


@pytest.mark.parametrize("path", sorted(pathlib.Path(".github/ISSUE_TEMPLATE").glob("[!c]*.yml")), ids=str)
def test_an_issue_template_has_what_a_form_needs(path):
    form = yaml.safe_load(path.read_text())
    assert {"name", "description", "body"} <= form.keys()
    ids = [field["id"] for field in form["body"]]
    assert len(ids) == len(set(ids)) > 2
    assert all(field["attributes"]["label"] for field in form["body"])


def test_the_image_has_what_it_needs():
    (extras,) = re.findall(r'"\.\[([a-z,]+)\]"', DOCKERFILE)
    assert set(extras.split(",")) <= PROJECT["optional-dependencies"].keys()
    copied = {name for line in re.findall(r"^COPY (.*)$", DOCKERFILE, re.MULTILINE) for name in line.split()[:-1]}
    assert copied == {"pyproject.toml", "README.md", "LICENSE", "configs", "gan_jax"}
    allowed = re.findall(r"^!(\S+)", pathlib.Path(".dockerignore").read_text(), re.MULTILINE)
    assert set(allowed) == copied
    (python,) = re.findall(r"^FROM python:(\S+)-slim", DOCKERFILE, re.MULTILINE)
    assert python in PYTHONS
    assert PROJECT["scripts"].keys() == {"gan-jax"}
    assert 'ENTRYPOINT ["gan-jax"]' in DOCKERFILE


def test_pages_link_to_files_that_exist():
    for page in (pathlib.Path("CHANGELOG.md"), *pathlib.Path("docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page} links to {target}"
