"""The published program in PyTorch: its steps are those of configs/improved_mnist.py, and the command around it."""

import functools
import importlib.metadata
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.semi_supervised import published, recipes
from gan_jax import build
from gan_jax.gan.types import Batch
from gan_jax.runs import initial_state
from gan_jax.system import config as configs
from gan_jax.system.files import read_sealed
from tests.tiny import run

BATCH, CLASSES, WIDTHS, G_WIDTH, SIDE = 20, 10, (12, 11, 10, 9, 8), 7, 4


@pytest.fixture
def program(torch):
    from experiments.semi_supervised import published_program

    return published_program


def _config():
    config = configs.load("configs/improved_mnist.py")
    changes = {
        "discriminator.input_noise": 0.0,
        "discriminator.noise": 0.0,
        "discriminator.widths": WIDTHS,
        "generator.widths": (G_WIDTH, G_WIDTH),
        "g_loss.feature_matching": 1 / WIDTHS[-1],
        "batch_size": BATCH,
        "init_batch_size": BATCH,
    }
    configs.override(config, changes)
    return config


def _batch(rng):
    labels = np.arange(BATCH, dtype=np.int32) % CLASSES
    return Batch(rng.uniform(-1, 1, (BATCH, SIDE, SIDE, 1)).astype(np.float32), labels)


def _unit(torch, batch):
    """Images in [-1, 1] as the program has them."""
    return torch.from_numpy((batch.images.reshape(BATCH, -1) + 1) / 2)


def _take_weights(torch, theirs, state):
    """gan_jax's weights for the program, before its first step."""
    params, found = state.discriminator.params, {}
    for i in range(len(WIDTHS) + 1):
        layer = params[f"Dense_{i}"] if i < len(WIDTHS) else params["Class_0"]["Dense_0"]
        found |= {f"layers.{i}.{to}": layer[name] for to, name in (("v", "kernel"), ("g", "scale"), ("b", "bias"))}
    to_torch = functools.partial(jax.tree.map, lambda array: torch.tensor(np.array(array)))
    theirs.d.load_state_dict(to_torch(found))
    params = state.generator.params
    norms = [params[f"Finish_{i}"]["BatchNorm_0"]["BatchNorm_0"]["bias"] for i in range(2)]
    found = {f"kernels.{i}": params[f"Dense_{i}"]["kernel"] for i in range(3)} | {"scale": params["Dense_2"]["scale"]}
    found |= {f"biases.{i}": bias for i, bias in enumerate([*norms, params["Dense_2"]["bias"]])}
    theirs.g.load_state_dict(to_torch(found))


def test_its_steps_are_those_of_the_recipe(torch, program, monkeypatch):
    """The same weights, images and z, without noise: the losses of ten steps. A batch is the whole epoch here."""
    config, rng = _config(), np.random.default_rng(0)
    real = _batch(rng)._replace(labelled=_batch(rng))
    z = rng.uniform(size=(BATCH, 100)).astype(np.float32)
    with mock.patch("gan_jax.gan.priors.make_prior", return_value=lambda key, size: jnp.asarray(z)):
        gan = build.build(config, (SIDE, SIDE, 1), CLASSES, 1000)
        state = initial_state.init_state(gan, config.seed, real)
        monkeypatch.setattr(program, "_NOISE", (0.0,) * (len(WIDTHS) + 1))
        classes = torch.from_numpy(real.labelled.labels).long()
        theirs = program.Program(_unit(torch, real), _unit(torch, real.labelled), classes, 0, WIDTHS, G_WIDTH, BATCH)
        _take_weights(torch, theirs, state)
        theirs._fakes = lambda: theirs.g(torch.from_numpy(z))
        step, batches = jax.jit(gan.step), jax.tree.map(lambda leaf: leaf[None], real)
        for _ in range(10):
            state, metrics = step(state, batches, jax.random.key(1))
            ours = [float(metrics["d_classification"]), float(metrics["d_adversarial"]) / 2, float(metrics["g_loss"])]
            (losses,) = theirs.epoch()
            np.testing.assert_allclose(losses, ours, rtol=2e-3)


def test_the_start_depends_on_the_images(torch, program):
    """Data-dependent initialization: each feature of each layer has mean 0 and standard deviation 1."""
    torch.manual_seed(0)
    network, x = program.Discriminator((16, *WIDTHS, CLASSES)), torch.rand(500, 16)
    with torch.no_grad():
        logits, _ = network(x, noise=False, adjust=True)
    assert logits.mean(0).abs().max() < 1e-5
    np.testing.assert_allclose(logits.std(0, correction=0), 1, rtol=1e-4)
    scales = [layer.g.requires_grad for layer in network.layers]
    assert scales == [False] * len(WIDTHS) + [True]


def test_an_epoch_after_a_stop_is_the_same(torch, program):
    rng = torch.Generator().manual_seed(0)
    images, classes = torch.rand(60, 16, generator=rng), torch.arange(20) % CLASSES
    make = lambda seed: program.Program(images, images[:20], classes, seed, WIDTHS, G_WIDTH, BATCH)  # noqa: E731
    first = make(0)
    start = list(first.epoch())
    saved = first.state_dict()
    saved = {name: {k: v.clone() for k, v in saved[name].items()} for name in ("d", "g", "average")} | {
        "adam": [
            {"m": [*map(torch.clone, s["m"])], "v": [*map(torch.clone, s["v"])], "t": s["t"]} for s in saved["adam"]
        ],
        "rng": saved["rng"],
    }
    went_on = list(first.epoch())
    second = make(1)
    second.load_state_dict(saved)
    assert list(second.epoch()) == went_on != start
    assert len(went_on) == 3
    for name, array in first.average.state_dict().items():
        assert torch.equal(array, second.average.state_dict()[name])


@pytest.fixture
def small(program, monkeypatch):
    small = functools.partial(program.Program, widths=WIDTHS, g_width=G_WIDTH, batch=10)
    monkeypatch.setattr(program, "Program", small)
    monkeypatch.setattr(recipes, "NUM_VALIDATION", 10)


def test_the_command_leaves_a_table_and_does_nothing_twice(small, digits, tmp_path, capsys, monkeypatch):
    words = ["--labels=4", "--draws=0,1", "--epochs=2", f"--idx={digits}"]
    words += [f"--workdir={tmp_path / 'work'}", f"--output={tmp_path / 'out'}"]
    assert run(published, *words) == 0
    page = (tmp_path / "out" / published.PAGE).read_text()
    assert page.count("| 4 | 0 | 2 | ") == page.count("| 4 | 1 | 2 | ") == 1
    assert str(tmp_path) not in page
    (path,) = tmp_path.glob("out/published/*draw-1.json")
    record = read_sealed(path)
    assert len(record["rows"]) == 2
    assert 0 <= record["test_errors"] <= record["num_test"] == 20
    path.unlink()
    capsys.readouterr()
    assert run(published, *words) == 0
    told = capsys.readouterr().out
    assert "draw-0: done" in told
    again = read_sealed(path)
    assert again["rows"] == record["rows"], "made from what was saved"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--labels=all"], "--labels=all: the published program learns from few labels"),
        (["--labels=ten"], "--labels=ten: whole numbers"),
        (["--epochs=0"], "--epochs=0: must be at least 1"),
        (["--draws=first"], "--draws=first: whole numbers with commas"),
    ],
)
def test_wrong_words(words, message, capsys):
    assert run(published, *words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_a_missing_pytorch_is_one_line(capsys, monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", mock.Mock(side_effect=importlib.metadata.PackageNotFoundError))
    assert run(published) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "pip install torch" in line
