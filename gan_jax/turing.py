"""Writes a page that asks a person which images are real.

python -m gan_jax.turing --workdir W [--num_images 60] [--output turing.html] [--feedback]
"""

import argparse
import base64
import hashlib
import html
import io
import json
import pathlib
import re

import numpy as np
from PIL import Image

from gan_jax import build, cli
from gan_jax.data.dataset import Dataset, balanced
from gan_jax.evaluation.generate import balanced_labels
from gan_jax.runs.dataset import scoring_data
from gan_jax.runs.load import Trained, load
from gan_jax.runs.provenance import provenance
from gan_jax.system import files
from gan_jax.system.errors import UserError

_PARTS = pathlib.Path(__file__).parent / "analysis" / "turing_page"


def choose_images(trained: Trained, dataset: Dataset, num_images: int, seed: int) -> tuple[np.ndarray, list[str]]:
    """uint8 [N, H, W, C], in random order, and "real" or "fake" for each: as many test images as generated ones.

    Where the generator sees labels, both halves have the same classes, equally many of each as far as it goes.
    Otherwise the test images are drawn at random, since nothing balances the classes of what is generated.
    """
    half, (images, labels) = num_images // 2, dataset.test
    if half > len(labels):
        raise UserError(
            f"--num_images={num_images}: half of them are test images, and the test split holds {len(labels)}; "
            f"ask for {2 * len(labels)} at most"
        )
    rng = np.random.default_rng(seed)
    if build.is_conditional(trained.config):
        chosen = balanced(labels, half, rng)
        asked = labels[chosen]
    else:
        chosen = rng.permutation(len(labels))[:half]
        asked = balanced_labels(half, dataset.num_classes)
    both = np.concatenate([images[chosen], trained.draw(asked, seed)])
    order = rng.permutation(num_images)
    return both[order], ["real" if index < half else "fake" for index in order]


def describe(trained: Trained, dataset: Dataset, seed: int) -> dict:
    """Where the images are from: for the page and for every file of answers. Names only, no paths of this machine."""
    return {
        "workdir": trained.folder.path.resolve().name,
        "step": trained.step,
        "config_sha256": hashlib.sha256((trained.folder.path / "config.json").read_bytes()).hexdigest(),
        "generator": "averaged" if trained.config.generator.average_decay else "last",
        "data": dataset.name,
        "requested_data": dataset.requested,
        "data_fingerprint": trained.run["data"]["fingerprint"],
        "split": "test",
        "seed": seed,
        "training_commit": trained.run.get("commit", "unknown"),
        "commit": provenance()["commit"],
    }


def _png(image: np.ndarray) -> str:
    """uint8 [H, W, C] -> a data URI."""
    file = io.BytesIO()
    Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image).save(file, format="PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _escape(text: str) -> str:
    """Text in HTML, as ASCII: a name can neither end an element nor be misread in another encoding."""
    return html.escape(text).encode("ascii", "xmlcharrefreplace").decode()


def render(images: np.ndarray, truths: list[str], provenance: dict, feedback: bool) -> str:
    """One HTML page that needs no server and no network, and may run its own scripts and style only."""
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
        # Inside a script element only "<" can be the start of anything.
        "DATA": json.dumps(content).replace("<", "\\u003c"),
        "STYLE": style,
        "STATISTICS": scripts[0],
        "SESSION": scripts[1],
    }
    # In one pass, so that a name such as "@DATA@" stays a name.
    page = (_PARTS / "page.html").read_text(encoding="ascii")
    return re.sub(r"@([A-Z]+)@", lambda match: values[match[1]], page)


def _output(text: str) -> pathlib.Path:
    path = pathlib.Path(text)
    if path.suffix != ".html":
        raise UserError(f"--output={text}: end the name in .html")
    if path.is_dir():
        raise UserError(f"--output={text} is a folder; give the name of a file")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m gan_jax.turing", description=__doc__, allow_abbrev=False)
    parser.add_argument("--workdir", required=True)
    parser.add_argument("--num_images", type=int, default=60, help="real and generated ones together")
    parser.add_argument("--output", default="turing.html", help="NAME.html")
    parser.add_argument(
        "--feedback",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="say after each answer whether it was right; the page's start screen can change it",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the choice, the generated images and the order")
    parser.add_argument("--data_dir", default="", help="where prepared data lies (default: the user's cache folder)")
    arguments = parser.parse_args()
    path, num_images = _output(arguments.output), arguments.num_images // 2 * 2
    if num_images < 2:
        raise UserError(f"--num_images={arguments.num_images}: must be at least 2, one real and one generated")
    if arguments.seed < 0:
        raise UserError(f"--seed={arguments.seed}: must be at least 0")
    trained = load(arguments.workdir)
    dataset = scoring_data(arguments.workdir, trained.config, trained.run, arguments.data_dir)
    images, truths = choose_images(trained, dataset, num_images, arguments.seed)
    page = render(images, truths, describe(trained, dataset, arguments.seed), arguments.feedback)
    with files.writing(f"--output={path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_text(path, page)
    if num_images != arguments.num_images:
        print(f"{num_images} images instead of {arguments.num_images}: as many real as generated ones")
    half = num_images // 2
    print(f"{half} real and {half} generated images of step {trained.step} in {path}; open it in a browser")


if __name__ == "__main__":
    cli.execute(main)
