"""The page that asks people which images are real: its content, its security policy and the command's errors."""

import base64
import hashlib
import io
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from gan_jax import build, turing
from gan_jax.analysis import turing_test
from gan_jax.runs import load
from gan_jax.system.errors import UserError
from gan_jax.training import session
from tests.commands.turing_pages import COUNTS, PROVENANCE, check_statistics, noise_page
from tests.pages import Parsed
from tests.tiny import run

pytestmark = pytest.mark.filterwarnings("ignore")


def content_of(parsed):
    """(data of the page, images as arrays, "real" or "fake" for each image)."""
    content = json.loads(parsed.texts["script"][0])
    files = [base64.b64decode(uri.removeprefix("data:image/png;base64,")) for uri in content["images"]]
    images = [np.asarray(Image.open(io.BytesIO(file))) for file in files]
    return content, np.stack(images), json.loads(base64.b64decode(content["key"]))


def test_page_of_a_run(finished_run, tmp_path):
    (path, config), output = finished_run, tmp_path / "new" / "page.html"
    arguments = ("--workdir", path, "--num_images", 6, "--output", output)
    assert run(turing, *arguments) == 0
    page = output.read_bytes()
    parsed = Parsed(page.decode("ascii"))
    content, images, truths = content_of(parsed)
    assert truths.count("real") == truths.count("fake") == 3
    assert images.shape == (6, 9, 9)
    # The real images are from the test split, one of each class.
    test = session.load_data(config.data, "").test
    real = images[[truth == "real" for truth in truths]]
    labels = [test.labels[np.flatnonzero((test.images[..., 0] == image).all((1, 2)))].item() for image in real]
    assert sorted(labels) == [0, 1, 2]
    assert content["provenance"]["workdir"] == "run"
    assert content["provenance"]["step"] == 7
    assert str(tmp_path) not in page.decode()
    # The readable text does not show which images are generated.
    assert "fake" not in "".join(content["images"])
    # The same arguments give the same page; another seed gives a different one.
    assert run(turing, *arguments) == 0
    assert output.read_bytes() == page
    assert run(turing, *arguments, "--seed", 1, "--feedback") == 0
    other_seed = content_of(Parsed(output.read_text()))
    assert other_seed[0]["feedback"] is True
    assert content["feedback"] is False
    assert not np.array_equal(other_seed[1], images)


def test_generated_images_have_the_classes_of_the_real_ones(config, monkeypatch):
    dataset, generated_labels = session.load_data(config.data, ""), []
    run = load.LoadedRun(None, config, {}, None, None, 7)
    monkeypatch.setattr(
        load.LoadedRun, "generate", lambda _, labels, seed: generated_labels.append(labels) or dataset.test.images[:4]
    )
    images, truths = turing_test.choose_images(run, dataset, 8, 0)
    assert images.shape == (8, 9, 9, 1)
    assert sorted(truths) == ["fake"] * 4 + ["real"] * 4
    real = [image for image, truth in zip(images, truths, strict=True) if truth == "real"]
    classes = [dataset.test.labels[(dataset.test.images == image).all((1, 2, 3)).argmax()] for image in real]
    assert sorted(classes) == sorted(generated_labels[0])
    assert np.bincount(generated_labels[0], minlength=3).min() == 1
    monkeypatch.setattr(build, "is_conditional", lambda _: False)
    turing_test.choose_images(run, dataset, 8, 0)
    assert generated_labels[1].tolist() == [0, 1, 2, 0]
    with pytest.raises(UserError, match="holds 6; ask for 12 at most"):
        turing_test.choose_images(run, dataset, 14, 0)


def test_the_policy_allows_only_the_scripts_and_styles_of_the_page():
    parsed = Parsed(noise_page(4)[0])
    policy = parsed.find("meta", **{"http-equiv": "Content-Security-Policy"})["content"]
    allowed = {directive[0]: directive[1:] for directive in (part.split() for part in policy.split("; "))}
    assert allowed["default-src"] == allowed["base-uri"] == allowed["form-action"] == ["'none'"]
    assert allowed["img-src"] == ["data:"]

    def digest(text):
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    data, *scripts = parsed.texts["script"]
    assert json.loads(data)["provenance"] == PROVENANCE
    assert allowed["script-src"] == [digest(text) for text in scripts]
    assert allowed["style-src"] == [digest(text) for text in parsed.texts["style"]]
    # No external URL, and no attribute with a script or a style.
    assert not re.search(r"https?:|url\(|@import|//[a-z]", "".join([*scripts, *parsed.texts["style"]]))
    for tag, attributes in parsed.attributes:
        assert tag not in ("iframe", "object", "embed", "base", "form")
        assert not {name for name in attributes if name.startswith("on") or name in ("style", "src")}
        assert attributes.get("href", "data:,") == "data:,"
    assert parsed.find("html")["lang"] == "en"


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "</script><b>", '"><img src=x>', "@DATA@", "\u00e9\udc80"]
)
def test_names_are_harmless(name):
    page, _ = noise_page(4, workdir=name, data="</script>", requested_data="<!--")
    parsed, expected = Parsed(page), Parsed(noise_page(4)[0])
    assert page.isascii()
    assert [tag for tag, _ in parsed.attributes] == [tag for tag, _ in expected.attributes]
    content = json.loads(parsed.texts["script"][0])
    assert content["provenance"]["workdir"] == name
    assert re.fullmatch(r"turing-[A-Za-z0-9_-]+\.json", content["download"])
    assert len(parsed.texts["title"]) == 1
    if name.isascii():
        assert parsed.texts["title"][0] == f"Real or fake? {name}"


def test_odd_numbers_and_mistakes(finished_run, tmp_path, capfd):
    path, file, folder = finished_run[0], tmp_path / "file", tmp_path / "folder.html"
    file.write_text("")
    folder.mkdir()
    assert run(turing, "--workdir", path, "--num_images", 5, "--output", tmp_path / "odd.html") == 0
    assert "4 images instead of 5" in capfd.readouterr().out
    assert len(content_of(Parsed((tmp_path / "odd.html").read_text()))[2]) == 4
    cases = [
        (("--output", tmp_path / "page.htm"), "end the name in .html"),
        (("--output", folder), "is a folder"),
        (("--output", file / "page.html"), "cannot be written"),
        (("--num_images", "1"), "at least 2"),
        (("--num_images", "-4"), "at least 2"),
        (("--num_images", "60"), "ask for 12 at most"),
        (("--seed", "-1"), "must be a whole number from 0 to"),
        (("--workdir", folder), "holds no run"),
    ]
    for arguments, message in cases:
        command = ("--workdir", path, "--num_images", "4", "--output", tmp_path / "page.html", *arguments)
        assert run(turing, *command) == 2, arguments
        (message_line,) = [line for line in capfd.readouterr().err.splitlines() if line]
        assert message_line.startswith("error: ")
        assert message in message_line
    assert not (tmp_path / "page.html").exists()


@pytest.mark.skipif(not shutil.which("node"), reason="needs a JavaScript engine: node")
def test_statistics_equal_scipy():
    script = (turing_test._PARTS / "statistics.js").read_text() + (
        f"const counts = {json.dumps(COUNTS)};"
        "console.log(JSON.stringify([wilsonInterval, binomialPValue].map(f => counts.map(c => f(...c)))));"
    )
    done = subprocess.run(["node", "-"], input=script, capture_output=True, text=True, check=True, timeout=60)
    check_statistics(*json.loads(done.stdout))
