"""A page that asks a person which images are real: its images, their provenance, and its HTML."""

import base64
import hashlib
import html
import io
import json
import pathlib
import re

import numpy as np
from PIL import Image

from gan_jax import build
from gan_jax.data.dataset import Dataset, balanced
from gan_jax.evaluation.generate import balanced_labels
from gan_jax.networks.build import has_ema
from gan_jax.runs.load import LoadedRun
from gan_jax.runs.provenance import provenance
from gan_jax.system.errors import UserError

_PARTS = pathlib.Path(__file__).parent / "turing_page"


def choose_images(run: LoadedRun, dataset: Dataset, num_images: int, seed: int) -> tuple[np.ndarray, list[str]]:
    """(images uint8 [N, H, W, C] in random order, "real" or "fake" for each): half test images, half generated.

    If the generator takes labels, both halves have the same classes, balanced. Otherwise the test images are random,
    because the classes of the generated images are not balanced either.
    UserError if the test split has fewer than N / 2 images.
    """
    half, (images, labels) = num_images // 2, dataset.test
    if half > len(labels):
        raise UserError(
            f"--num_images={num_images}: half of them are test images, and the test split holds {len(labels)}; "
            f"ask for {2 * len(labels)} at most"
        )
    rng = np.random.default_rng(seed)
    if build.is_conditional(run.config.generator):
        chosen = balanced(labels, half, rng)
        conditions = labels[chosen]
    else:
        chosen = rng.permutation(len(labels))[:half]
        conditions = balanced_labels(half, dataset.num_classes)
    candidates = np.concatenate([images[chosen], run.generate(conditions, seed)])
    order = rng.permutation(num_images)
    return candidates[order], ["real" if index < half else "fake" for index in order]


def describe(run: LoadedRun, dataset: Dataset, seed: int) -> dict:
    """The provenance of the images, for the page and for every file of answers. It has no paths of this machine."""
    return {
        "workdir": run.folder.path.resolve().name,
        "step": run.step,
        "config_sha256": hashlib.sha256((run.folder.path / "config.json").read_bytes()).hexdigest(),
        "generator": "ema" if has_ema(run.config.generator) else "last",
        "data": dataset.name,
        "requested_data": dataset.requested,
        "data_fingerprint": run.run_info["data"]["fingerprint"],
        "split": "test",
        "seed": seed,
        "training_commit": run.run_info.get("commit", "unknown"),
        "commit": provenance()["commit"],
    }


def _png(image: np.ndarray) -> str:
    """uint8 [H, W, C] -> a data URI."""
    file = io.BytesIO()
    Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image).save(file, format="PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _hash(text: str) -> str:
    """The source expression of a script or style in a content security policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _escape(text: str) -> str:
    """Escapes text for HTML as ASCII, so that a name cannot end an element or depend on the encoding."""
    return html.escape(text).encode("ascii", "xmlcharrefreplace").decode()


def render(images: np.ndarray, truths: list[str], provenance: dict, feedback: bool) -> str:
    """A complete HTML page. It needs no server and no network; its policy allows only its own scripts and style.

    truths: "real" or "fake" for each image. provenance: from `describe`. feedback: initial choice of the start screen.
    """
    style, *scripts = [
        "\n" + (_PARTS / name).read_text(encoding="ascii") for name in ("style.css", "statistics.js", "session.js")
    ]
    policy = [
        "default-src 'none'",
        "img-src data:",
        f"style-src {_hash(style)}",
        f"script-src {' '.join(map(_hash, scripts))}",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    name, data = provenance["workdir"], provenance["data"]
    if data != provenance["requested_data"]:
        data += f", which stands in for {provenance['requested_data']}"
    content = {
        "images": [_png(image) for image in images],
        "key": base64.b64encode(json.dumps(truths).encode()).decode(),
        "feedback": feedback,
        "provenance": provenance,
        "download": re.sub(r"[^A-Za-z0-9_-]+", "-", f"turing-{name}-step-{provenance['step']}") + ".json",
    }
    values = {
        "POLICY": "; ".join(policy),
        "NAME": _escape(name),
        "TOTAL": str(len(images)),
        "ABOUT": _escape(f"Run {name}, step {provenance['step']}; real images: test split of {data}."),
        # Inside a script element, only "<" can start markup.
        "DATA": json.dumps(content).replace("<", "\\u003c"),
        "STYLE": style,
        "STATISTICS": scripts[0],
        "SESSION": scripts[1],
    }
    # All in one pass, so that a name such as "@DATA@" is not replaced again.
    page = (_PARTS / "page.html").read_text(encoding="ascii")
    return re.sub(r"@([A-Z]+)@", lambda match: values[match[1]], page)
