"""The page that draws: its content, and in a browser its images beside ours."""

import base64
import gzip
import json
import os
import pathlib
import re

import jax
import numpy as np
import pytest

from gan_jax import export
from gan_jax.formats import page
from gan_jax.system.errors import UserError
from tests.formats.generators import generator
from tests.tiny import run

onnx = pytest.importorskip("onnx")
DIST = os.environ.get("ONNXRUNTIME_WEB", "node_modules/onnxruntime-web/dist")


@pytest.fixture
def runtime(tmp_path):
    """A folder with files of the names of onnxruntime-web's."""
    folder = tmp_path / "dist"
    folder.mkdir()
    (folder / "ort.wasm.bundle.min.mjs").write_text("export default 1 // </script> @SCRIPT@")
    (folder / "ort-wasm-simd-threaded.wasm").write_bytes(bytes(1000))
    return folder


def element(text, name):
    return re.search(rf'<script type="[a-z/]+" id="{name}">(.*?)</script>', text, re.DOTALL)[1]


def settings_of(text):
    settings = json.loads(element(text, "settings"))
    for name in ("latents", "directions"):
        array = np.frombuffer(base64.b64decode(settings[name]), np.float32)
        settings[name] = array.reshape(-1, settings["features"])
    return settings


def test_the_page_holds_the_runtime_the_model_and_latents_of_the_prior(runtime, tmp_path):
    exported = generator("cdcgan", (16, 16, 3))
    page.write(exported, tmp_path / "a.html", str(runtime))
    text = (tmp_path / "a.html").read_text()
    for name, file in (("runtime", "ort.wasm.bundle.min.mjs"), ("wasm", "ort-wasm-simd-threaded.wasm")):
        assert gzip.decompress(base64.b64decode(element(text, name))) == (runtime / file).read_bytes()
    model = onnx.load_from_string(gzip.decompress(base64.b64decode(element(text, "model"))))
    assert [value.name for value in model.graph.input] == ["z", "labels"]
    settings = settings_of(text)
    assert (settings["shape"], settings["classes"]) == ([16, 16, 3], ["cat", "dog", "other"])
    np.testing.assert_array_equal(settings["latents"][:3], exported.run.gan.prior(jax.random.key(0), 200)[:3])
    assert settings["directions"].shape == (2, settings["features"])
    assert not re.search(r"@[A-Z]+@", text)
    assert not re.search(r"https?://", text), "nothing is loaded from elsewhere"


def test_a_name_of_a_class_cannot_end_the_script(runtime, tmp_path):
    exported = generator("cdcgan")
    exported.run.run_info["data"]["classes"][0] = "</script><b>"
    page.write(exported, tmp_path / "a.html", str(runtime))
    text = (tmp_path / "a.html").read_text()
    assert "<b>" not in text.replace("<\\/script><b>", "")
    assert settings_of(text)["classes"][0] == "</script><b>"


def test_without_the_runtime_one_line_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"has no ort.wasm.bundle.min.mjs: run npm install onnxruntime-web"):
        page.write(generator("cdcgan"), tmp_path / "a.html")
    assert not list(tmp_path.iterdir())
    assert run(export, "--workdir=w", "--output=a.onnx", "--runtime=dist") == 2
    assert "--runtime=dist is for --output NAME.html" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(not pathlib.Path(DIST).is_dir(), reason="needs onnxruntime-web: npm install onnxruntime-web")
@pytest.mark.parametrize(("spec", "width"), [("cdcgan", 1280), ("dcgan", 390)])
def test_a_browser_draws_our_images(spec, width, open_page, tmp_path):
    """The first image, another one, another class: each as the function that was exported draws it."""
    exported = generator(spec, (16, 16, 1))
    page.write(exported, tmp_path / "a.html", DIST)
    text = (tmp_path / "a.html").read_text()
    assert len(text) < 25e6
    opened, settings = open_page(text, viewport={"width": width, "height": 800}), settings_of(text)

    def compare(index, label, z):
        opened.get_by_text(re.compile(r"images? in \d+ ms")).wait_for(timeout=60_000)
        opened.wait_for_timeout(500)
        drawn = opened.evaluate("window.drawn")
        assert (drawn["index"], drawn["label"]) == (index, label)
        expected = exported.function()(z[None], np.array([label], np.int32))
        assert np.std(expected) > 0.002
        np.testing.assert_allclose(np.reshape(drawn["pixels"], (1, 16, 16, 1)), expected, atol=1e-4)

    compare(0, 0, settings["latents"][0])
    opened.get_by_role("button", name="another image", exact=True).click()
    compare(1, 0, settings["latents"][1])
    if exported.takes_labels:
        opened.get_by_role("button", name="dog").click()
    label = int(exported.takes_labels)
    opened.get_by_label("direction 2").fill("1.5")
    compare(1, label, settings["latents"][1] + np.float32(1.5) * settings["directions"][1])
    opened.get_by_role("button", name="walk to another image").click()
    opened.wait_for_timeout(4000)
    compare(2, label, settings["latents"][2])
    assert opened.evaluate("document.documentElement.scrollWidth") == width
