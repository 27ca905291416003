"""Damaged files, and any text as a config value: a valid result or one clear line.

The short tests always run. To run the long ones, of 10,000 cases each: make test-faults
"""

import gzip
import io
import json
import pathlib
import random
import string

import numpy as np
import pytest

from experiments import report
from experiments.reporting import results
from gan_jax import build
from gan_jax.data import idx, prepared
from gan_jax.evaluation import features
from gan_jax.runs.load import load_run
from gan_jax.runs.records import read_metrics
from gan_jax.system import config as configs
from gan_jax.system import recorded
from gan_jax.system.errors import DataUnavailable, UserError
from tests.tiny import idx_bytes, run

TEXTS = [
    *("none", "batch", "adam", "linear", "mlp", "dcgan", "resnet", "", "all", "0,1", "-1", "spectral", "concat"),
    *("projection", "class", "..", "\n", "nan", "inf", "-inf", "0", "1", "-1", "0.5", "2", "1e9", "1e400", "-0.0"),
    *(
        "None",
        "true",
        "false",
        "[1,2]",
        "{}",
        "()",
        "(1,",
        "'a'",
        "1j",
        "b'x'",
        "0x10",
        "1_000",
        "é",
        "\x00",
        "9" * 400,
    ),
    *("__import__('os')", "2147483648", "-2147483649", "1e-45", "8,8,8", "1,-2", "1.5,2", "4,(2,3)", "8,None"),
]
SPECS = (
    "configs/cgan.py",
    "configs/cdcgan.py",
    "configs/sgan.py",
    "configs/sngan.py:resnet",
    "configs/improved_mnist.py",
)


def refusal(function, kind):
    """The message of the error of that kind; None if there is no error. Any other exception fails the test."""
    try:
        function()
    except kind as error:
        return str(error)
    return None


def random_text(rng):
    """A value that a user might type: mostly a plausible one, sometimes random characters."""
    if rng.random() < 0.8:
        return rng.choice(TEXTS)
    return "".join(rng.choice(string.printable) for _ in range(rng.randrange(12)))


def outcome_of_config(spec, changes):
    """ "built" or "refused"; any other exception fails the test."""
    config = configs.load(spec)

    def build_config():
        configs.override(config, changes, parse=True)
        build.num_steps(config, 60_000)
        build.build(config, (32, 32, 3), 10, 1000)

    message = refusal(build_config, UserError)
    if message:
        assert len(message) < 2000, changes
        return "refused"
    # A workdir stores the config without changes.
    assert not configs.differences(recorded.from_json(configs.to_json(config)), config), changes
    return "built"


def fuzz_configs(folder, number, seed):
    del folder
    rng, counts = random.Random(seed), {"built": 0, "refused": 0}
    keys = {spec: list(configs.leaves(configs.load(spec))) for spec in SPECS}
    for _ in range(number):
        spec = rng.choice(SPECS)
        changes = {key: random_text(rng) for key in rng.sample(keys[spec], rng.choice([1, 1, 2, 4]))}
        counts[outcome_of_config(spec, changes)] += 1
    assert min(counts.values()) > number / 40, counts


def damaged(content, rng):
    """The content with some bytes changed, cut off, inserted or repeated."""
    content = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 8])):
        kind, position = rng.randrange(5), rng.randrange(max(len(content), 1))
        if kind == 0 and content:
            content[position] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del content[position:]
        elif kind == 2:
            content[position:position] = rng.randbytes(rng.choice([1, 4, 100]))
        elif kind == 3 and len(content) > 8:
            content[: rng.choice([4, 8])] = rng.randbytes(4)
        else:
            content += content[:position]
    return bytes(content)


def fuzz_idx(folder, number, seed):
    rng, original = random.Random(seed), (np.arange(2 * 5 * 5) % 251).astype(np.uint8).reshape(2, 5, 5)
    intact = idx_bytes(original)
    for position in range(number):
        zipped = position % 2
        path = folder / ("file.gz" if zipped else "file")
        unzipped = damaged(intact, rng) if rng.random() < 0.8 else intact
        path.write_bytes(
            damaged(gzip.compress(unzipped, 1), rng)
            if zipped and rng.random() < 0.7
            else gzip.compress(unzipped, 1)
            if zipped
            else unzipped
        )
        message = refusal(lambda: idx.read(path, 3), DataUnavailable)
        assert not message or str(path) in message


def fuzz_arrays(folder, number, seed):
    """Prepared data and cached classifiers."""
    rng, path = random.Random(seed), folder / "file.npz"
    images, labels = np.zeros((3, 4, 4, 1), np.uint8), np.zeros(3, np.int32)
    splits = {"train_images": images, "train_labels": labels, "test_images": images, "test_labels": labels}
    template = {"params": {"a": np.zeros((2, 3)), "b": np.zeros(3)}}
    classifier = {"params/a": template["params"]["a"], "params/b": template["params"]["b"]}
    for position in range(number):
        read, content = (prepared.read, splits) if position % 2 else (lambda p: features._read(p, template), classifier)
        stream = io.BytesIO()
        np.savez(stream, **content)
        path.write_bytes(damaged(stream.getvalue(), rng))
        message = refusal(lambda read=read: read(path), DataUnavailable)
        assert not message or f"{path} is damaged" in message


def json_or_none(path):
    """The content of a JSON file; None if it is no JSON."""
    try:
        return json.loads(path.read_text())
    except ValueError:
        return None


def fuzz_json(path, number, seed):
    """config.json and run.json of a run, which every command reads."""
    rng = random.Random(seed)
    contents = {name: (path / name).read_bytes() for name in ("config.json", "run.json")}
    for position in range(number):
        name = ("config.json", "run.json")[position % 2]
        (path / name).write_bytes(damaged(contents[name], rng))
        message = refusal(lambda: load_run(str(path)), UserError)
        unchanged = json.loads(contents[name]) == json_or_none(path / name)
        assert unchanged if message is None else len(message) < 3000, "a damaged file was used"
        (path / name).write_bytes(contents[name])


def test_damaged_json_is_read_or_refused(short_run):
    fuzz_json(short_run[0], 40, 0)


@pytest.mark.faults
def test_ten_thousand_json_files(short_run):
    fuzz_json(short_run[0], 10_000, 1)


def fuzz_rows(folder, number, seed):
    """metrics.jsonl, which every resume reads."""
    rng, path = random.Random(seed), folder / "metrics.jsonl"
    content = b"".join(b'{"step": %d, "d_loss": 0.5, "g_loss": 1.25}\n' % step for step in range(1, 6))
    for _ in range(number):
        path.write_bytes(damaged(content, rng))
        message = refusal(lambda: read_metrics(path), UserError)
        assert not message or f"{path} is damaged in line" in message


def fuzz_results(folder, number, seed):
    """Published results, which the report reads. If a damaged file is still valid, the report must be written."""
    rng, original = random.Random(seed), pathlib.Path("experiments/results/ablations/loss@tuned.json")
    table = json.loads(original.read_text())
    # Only two arms and the ends of their curves: the same structure with a twentieth of the bytes.
    table["arms"] = dict(list(table["arms"].items())[:2])
    for arm in table["arms"].values():
        for record in arm["seeds"].values():
            record["curves"] = {name: values[-3:] for name, values in record["curves"].items()}
    content, path = json.dumps(table).encode(), folder / original.name
    pages = 0
    for _ in range(number):
        path.write_bytes(damaged(content, rng))
        message = refusal(lambda: results.read(folder), UserError)
        assert not message or str(path) in message
        if not message and pages < number / 100:
            pages += 1
            assert run(report, "--input", folder, "--output", folder / "page") == 0


# kind -> (function, number of cases in the short test)
FUZZED = {
    "configs": (fuzz_configs, 300),
    "idx": (fuzz_idx, 500),
    "arrays": (fuzz_arrays, 300),
    "rows": (fuzz_rows, 300),
    "results": (fuzz_results, 100),
}


@pytest.mark.parametrize("kind", FUZZED)
def test_a_clean_result_or_one_line(kind, tmp_path):
    fuzz, number = FUZZED[kind]
    fuzz(tmp_path, number, 0)


@pytest.mark.faults
@pytest.mark.parametrize("kind", FUZZED)
def test_ten_thousand(kind, tmp_path):
    FUZZED[kind][0](tmp_path, 10_000, 1)
