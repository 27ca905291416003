"""A page that draws: one HTML file with the generator and a runtime for it, which needs no server and no network.

The runtime is onnxruntime-web (MIT License), whose files the user has from npm. The page holds them and the ONNX model
compressed, and latent vectors of the run's prior, so that no prior is computed in JavaScript.
"""

import base64
import gzip
import html
import json
import pathlib
import re

import jax
import numpy as np

from gan_jax.formats.generator import Generator
from gan_jax.formats.onnx import checked_model
from gan_jax.system.errors import UserError
from gan_jax.system.files import write_text

_FILES = {"runtime": "ort.wasm.bundle.min.mjs", "wasm": "ort-wasm-simd-threaded.wasm"}
_DEFAULT = pathlib.Path("node_modules/onnxruntime-web/dist")
_HERE = pathlib.Path(__file__).parent
_NUM_LATENTS = 200
_NUM_DIRECTIONS = 2  # one for each slider


def write(generator: Generator, path: pathlib.Path, runtime: str = "") -> str:
    """Writes the page; returns one line about it. runtime: the folder `dist` of onnxruntime-web, "" for that of npm.

    UserError without the runtime, or if the generator cannot be exported to ONNX.
    """
    runtime_files = runtime_of(pathlib.Path(runtime) if runtime else _DEFAULT)
    model, difference = checked_model(generator, "--output NAME.html")
    embedded = {name: _packed(data) for name, data in {**runtime_files, "model": model}.items()}
    page = (_HERE / "page.html").read_text(encoding="utf-8")
    texts = {
        "TITLE": html.escape(_title(generator)),
        "SCRIPT": (_HERE / "page.js").read_text(encoding="utf-8"),
        # "</" would end the element.
        "SETTINGS": json.dumps(_settings(generator)).replace("</", "<\\/"),
        **{name.upper(): text for name, text in embedded.items()},
    }
    write_text(path, re.sub(r"@([A-Z]+)@", lambda match: texts[match[1]], page))
    return f"open it in a browser; onnxruntime's images are equal to ours up to {difference:.1e} (pixels in [-1, 1])"


def runtime_of(folder: pathlib.Path) -> dict[str, bytes]:
    """The files of onnxruntime-web in a folder."""
    missing = [name for name in _FILES.values() if not (folder / name).is_file()]
    if missing:
        raise UserError(
            f"{folder} has no {missing[0]}: run npm install onnxruntime-web, then add --runtime "
            "node_modules/onnxruntime-web/dist"
        )
    return {name: (folder / file).read_bytes() for name, file in _FILES.items()}


def _packed(data: bytes) -> str:
    """gzip, then base64."""
    return base64.b64encode(gzip.compress(data, mtime=0)).decode()


def _title(generator: Generator) -> str:
    data = generator.run.run_info["data"]["used"]
    return f"A generator of {data}, step {generator.run.step}"


def _settings(generator: Generator) -> dict:
    """What the script reads: shapes, names of the classes, and latent vectors, float32 in base64.

    latents: of the prior. directions: differences of two of the prior's vectors.
    """
    prior, run = generator.run.gan.prior, generator.run
    latents = np.asarray(prior(jax.random.key(0), _NUM_LATENTS), np.float32)
    ends = np.asarray(prior(jax.random.key(1), 2 * _NUM_DIRECTIONS), np.float32)
    directions = (ends[:_NUM_DIRECTIONS] - ends[_NUM_DIRECTIONS:]) / 2
    return {
        "shape": run.image_shape,
        "classes": list(run.class_names) if generator.takes_labels else [],
        "features": latents.shape[1],
        "latents": base64.b64encode(latents.tobytes()).decode(),
        "directions": base64.b64encode(directions.astype(np.float32).tobytes()).decode(),
    }
