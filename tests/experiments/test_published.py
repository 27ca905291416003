"""The published program in PyTorch: its steps equal those of configs/improved_mnist.py; its command."""

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
    """Images in [-1, 1] as the program expects them: flat, in [0, 1]."""
    return torch.from_numpy((batch.images.reshape(BATCH, -1) + 1) / 2)


def _copy_weights(torch, torch_program, state):
    """Copies gan_jax's initial weights into the PyTorch program."""
    params, torch_params = state.discriminator.params, {}
    for i in range(len(WIDTHS) + 1):
        layer = params[f"Dense_{i}"] if i < len(WIDTHS) else params["Class_0"]["Dense_0"]
        torch_params |= {
            f"layers.{i}.{to}": layer[name] for to, name in (("v", "kernel"), ("g", "scale"), ("b", "bias"))
        }
    to_torch = functools.partial(jax.tree.map, lambda array: torch.tensor(np.array(array)))
    torch_program.d.load_state_dict(to_torch(torch_params))
    params = state.generator.params
    norms = [params[f"Finish_{i}"]["BatchNorm_0"]["BatchNorm_0"]["bias"] for i in range(2)]
    torch_params = {f"kernels.{i}": params[f"Dense_{i}"]["kernel"] for i in range(3)} | {
        "scale": params["Dense_2"]["scale"]
    }
    torch_params |= {f"biases.{i}": bias for i, bias in enumerate([*norms, params["Dense_2"]["bias"]])}
    torch_program.g.load_state_dict(to_torch(torch_params))


def test_steps_equal_those_of_the_recipe(torch, program, monkeypatch):
    """The losses of ten steps are equal for the same weights, images and z, without noise. One batch is an epoch."""
    config, rng = _config(), np.random.default_rng(0)
    real = _batch(rng)._replace(labelled=_batch(rng))
    z = rng.uniform(size=(BATCH, 100)).astype(np.float32)
    with mock.patch("gan_jax.gan.priors.make_prior", return_value=lambda key, size: jnp.asarray(z)):
        gan = build.build(config, (SIDE, SIDE, 1), CLASSES, 1000)
        state = initial_state.init_state(gan, config.seed, real)
        monkeypatch.setattr(program, "_NOISE", (0.0,) * (len(WIDTHS) + 1))
        classes = torch.from_numpy(real.labelled.labels).long()
        torch_program = program.Program(
            _unit(torch, real), _unit(torch, real.labelled), classes, 0, WIDTHS, G_WIDTH, BATCH
        )
        _copy_weights(torch, torch_program, state)
        torch_program._fakes = lambda: torch_program.g(torch.from_numpy(z))
        step, batches = jax.jit(gan.step), jax.tree.map(lambda leaf: leaf[None], real)
        for _ in range(10):
            state, metrics = step(state, batches, jax.random.key(1))
            expected = [
                float(metrics["d_classification"]),
                float(metrics["d_adversarial"]) / 2,
                float(metrics["g_loss"]),
            ]
            (losses,) = torch_program.epoch()
            np.testing.assert_allclose(losses, expected, rtol=2e-3)


def test_data_dependent_initialization(torch, program):
    """Data-dependent initialization: each feature of each layer has mean 0 and standard deviation 1."""
    torch.manual_seed(0)
    network, x = program.Discriminator((16, *WIDTHS, CLASSES)), torch.rand(500, 16)
    with torch.no_grad():
        logits, _ = network(x, noise=False, adjust=True)
    assert logits.mean(0).abs().max() < 1e-5
    np.testing.assert_allclose(logits.std(0, correction=0), 1, rtol=1e-4)
    scales = [layer.g.requires_grad for layer in network.layers]
    assert scales == [False] * len(WIDTHS) + [True]


def test_an_epoch_after_a_resume_is_the_same(torch, program):
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
    uninterrupted = list(first.epoch())
    resumed = make(1)
    resumed.load_state_dict(saved)
    assert list(resumed.epoch()) == uninterrupted != start
    assert len(uninterrupted) == 3
    for name, array in first.average.state_dict().items():
        assert torch.equal(array, resumed.average.state_dict()[name])


@pytest.fixture
def small(program, monkeypatch):
    small = functools.partial(program.Program, widths=WIDTHS, g_width=G_WIDTH, batch=10)
    monkeypatch.setattr(program, "Program", small)
    monkeypatch.setattr(recipes, "NUM_VALIDATION", 10)


def test_the_command_writes_a_table_and_repeats_no_work(small, digits, tmp_path, capsys, monkeypatch):
    arguments = ["--labels=4", "--draws=0,1", "--epochs=2", f"--idx={digits}"]
    arguments += [f"--workdir={tmp_path / 'work'}", f"--output={tmp_path / 'out'}"]
    assert run(published, *arguments) == 0
    page = (tmp_path / "out" / published.PAGE).read_text()
    assert page.count("| 4 | 0 | 2 | ") == page.count("| 4 | 1 | 2 | ") == 1
    assert str(tmp_path) not in page
    (path,) = tmp_path.glob("out/published/*draw-1.json")
    record = read_sealed(path)
    assert len(record["rows"]) == 2
    assert 0 <= record["test_errors"] <= record["num_test"] == 20
    path.unlink()
    capsys.readouterr()
    assert run(published, *arguments) == 0
    printed = capsys.readouterr().out
    assert "draw-0: done" in printed
    repeated = read_sealed(path)
    assert repeated["rows"] == record["rows"], "computed from the saved program"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--labels=all"], "--labels=all: the published program learns from few labels"),
        (["--labels=ten"], "--labels=ten: whole numbers"),
        (["--epochs=0"], "--epochs=0: must be at least 1"),
        (["--draws=first"], "--draws=first: whole numbers with commas"),
    ],
)
def test_wrong_arguments(arguments, message, capsys):
    assert run(published, *arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_a_missing_pytorch_gets_one_line(capsys, monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", mock.Mock(side_effect=importlib.metadata.PackageNotFoundError))
    assert run(published) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "pip install torch" in line
