"""gan_jax as a library: a loaded run, training in a program, and what stays as it was."""

import io
import logging
import os
import signal
import sys
import threading

import jax
import numpy as np
import pytest
from PIL import Image

import gan_jax
from gan_jax import sample as sample_command
from gan_jax.data.dataset import to_float
from gan_jax.gan.types import Batch
from gan_jax.system import progress
from tests.tiny import arrays, run


@pytest.fixture
def loaded(finished_run):
    return gan_jax.load(finished_run[0])


def test_every_public_name_exists():
    for name in dir(gan_jax):
        assert getattr(gan_jax, name)
    with pytest.raises(AttributeError, match=r"has no attribute 'laod'; it has BaseDiscriminator, .*load"):
        gan_jax.laod  # noqa: B018


def test_samples_are_those_of_the_command(loaded, tmp_path, capsys):
    images = loaded.sample(labels=[2, 0, 1], seed=5)
    assert (images.shape, images.dtype) == ((3, 9, 9, 1), np.uint8)
    path = tmp_path / "samples.npz"
    arguments = ("--workdir", loaded.path, "--labels", "2,0,1", "--seed", 5, "--output", path)
    assert run(sample_command, *arguments) == 0
    np.testing.assert_array_equal(images, np.load(path)["images"])
    np.testing.assert_array_equal(images, loaded.sample(labels=["2", "0", "1"], seed=5))
    np.testing.assert_array_equal(images, loaded.sample(labels=[2, 0, 1], z=loaded.latents(3, 5)))
    np.testing.assert_array_equal(images, loaded.sample(labels=np.eye(3)[[2, 0, 1]], seed=5))
    assert (np.asarray(images) != loaded.sample(labels=[2, 0, 1], seed=6)).any()
    assert (np.asarray(images) != loaded.sample(labels=[2, 0, 1], seed=5, raw=True)).any()
    assert loaded.sample().shape == (16, 9, 9, 1)
    assert loaded.sample(2, labels=[1]).shape == (2, 9, 9, 1)


def test_truncation_draws_shorter_z(loaded):
    z = loaded.latents(40, 0, truncation=0.5)
    assert np.abs(z).max() <= 0.5 < np.abs(loaded.latents(40, 0)).max()
    np.testing.assert_array_equal(loaded.sample(4, seed=3, truncation=0.5), loaded.sample(z=loaded.latents(4, 3, 0.5)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": [3]}, "the classes are 0 to 2"),
        ({"labels": []}, "must be at least 1"),
        ({"labels": ["three"]}, "labels='three' is unknown; choose one of: 0, 1, 2"),
        ({"num_images": 0}, "must be at least 1"),
        ({"z": np.zeros((2, 3))}, r"z has the shape \(2, 3\); this generator takes \(2, 100\)"),
        ({"z": np.zeros((2, 100)), "truncation": 1.0}, "give one of them"),
        ({"num_images": 2, "labels": np.eye(2)}, "weights have"),
        ({"truncation": -1.0}, "must be a number above 0"),
    ],
)
def test_wrong_arguments_of_sample(loaded, arguments, message):
    with pytest.raises(gan_jax.UserError, match=message):
        loaded.sample(**arguments)


def test_a_walk_has_its_ends(loaded):
    walk = loaded.interpolate(3, 4, 5, label=1)
    ends = [loaded.sample(labels=[1], seed=seed)[0] for seed in (3, 4)]
    np.testing.assert_array_equal([walk[0], walk[-1]], ends)
    np.testing.assert_array_equal(walk, loaded.interpolate(loaded.latents(1, 3)[0], 4, 5, label="1"))
    between = loaded.interpolate(3, 3, 3, label=0, to_label=2)
    np.testing.assert_array_equal(between[[0, 2]], loaded.sample(z=loaded.latents(1, 3).repeat(2, 0), labels=[0, 2]))
    with pytest.raises(gan_jax.UserError, match="to_label needs label"):
        loaded.interpolate(to_label=1)
    with pytest.raises(gan_jax.UserError, match="kind='sperical' is unknown; did you mean spherical"):
        loaded.interpolate(kind="sperical")


def test_discriminate_and_features(loaded):
    images = loaded.sample(labels=[0, 1], seed=0)
    output = loaded.discriminate(images, [0, 1])
    gan, state = loaded.loaded.gan, loaded.loaded.state
    expected = gan.discriminate(state, to_float(np.asarray(images)), np.array([0, 1]))
    np.testing.assert_allclose(output.logits, expected.logits, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(
        loaded.features(images, "pixels"), np.asarray(images).reshape(2, -1) / np.float32(255)
    )
    with pytest.raises(gan_jax.UserError, match=r"images of float64 \(2, 9, 9, 1\); give uint8"):
        loaded.discriminate(np.asarray(images) / 255)
    with pytest.raises(gan_jax.UserError, match="features='pixel' is unknown; did you mean pixels"):
        loaded.features(images, "pixel")


def test_metrics_are_a_data_frame_if_pandas_is_there(loaded, monkeypatch):
    pandas = pytest.importorskip("pandas")
    frame = loaded.metrics()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame["step"]) == list(range(1, 8))
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert [row["step"] for row in loaded.metrics()] == list(range(1, 8))


def test_notebooks_show_pictures(loaded):
    images = loaded.sample(labels=[0, 1], seed=0)
    picture = np.array(Image.open(io.BytesIO(images._repr_png_())))
    np.testing.assert_array_equal(picture[: 2 * 9 : 2, : 2 * 9 : 2], images[0, :, :, 0])
    assert picture.shape == (2 * 9, 2 * (9 + 2 + 9))
    assert Image.open(io.BytesIO(images[0]._repr_png_())).size == (18, 18)
    assert Image.open(io.BytesIO(images.grid(1)._repr_png_())).size == (18, 40)
    assert (images[0, 0]._repr_png_(), (images / 2)._repr_png_()) == (None, None)
    assert loaded._repr_png_() == max(loaded.path.glob("samples/*.png")).read_bytes()
    assert repr(images) == "<images uint8 (2, 9, 9, 1)>"
    assert repr(loaded) == f"<run {loaded.path}, step 7, idx, completed>"


def test_a_config_with_changes():
    config = gan_jax.config("cdcgan", num_steps=2000, **{"generator.norm": "layer", "generator.widths": [8, 4]})
    assert (config.num_steps, config.generator.norm, config.generator.widths) == (2000, "layer", (8, 4))
    assert gan_jax.config("cdcgan").generator.norm == "batch"
    for changes, message in (
        ({"num_step": 1}, "did you mean num_steps"),
        ({"num_steps": "many"}, "expected a whole number"),
        ({"d_loss.my_term": 1.0}, "d_loss.my_term is not a key"),
    ):
        with pytest.raises(gan_jax.UserError, match=message):
            gan_jax.config("cdcgan", **changes)


def state_of_the_process():
    import matplotlib

    return {
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
        "path": list(sys.path),
        "environment": {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "PYTEST"))},
        "logging": (logging.root.level, list(logging.root.handlers)),
        "jax": dict(jax.config.values),
        "numpy": np.random.get_state()[1].tolist(),  # noqa: NPY002
        "matplotlib": matplotlib.get_backend(auto_select=False),
        "folder": os.getcwd(),
    }


@pytest.mark.thorough
def test_training_twice_and_in_a_thread_leaves_the_process_as_it_was(config, tmp_path, capsys):
    gan_jax.config("cdcgan")  # Imports what is imported once.
    before, results = state_of_the_process(), {}
    results["first"] = gan_jax.train(config, tmp_path / "first", progress=False)
    thread = threading.Thread(
        target=lambda: results.update(thread=gan_jax.train(config, tmp_path / "thread", progress=False))
    )
    thread.start()
    results["second"] = gan_jax.train(config, tmp_path / "second", progress=False)
    thread.join()
    assert state_of_the_process() == before
    assert capsys.readouterr() == ("", "")
    expected = arrays(results["first"].path)[1]
    for name in ("second", "thread"):
        assert results[name].info["status"] == "completed"
        for array, other in zip(expected, arrays(results[name].path)[1], strict=True):
            np.testing.assert_allclose(array, other, rtol=1e-3, atol=1e-4)


@pytest.mark.thorough
def test_seeds_are_a_list(copy_of_run, tmp_path):
    copy_of_run(tmp_path / "run", num_seeds=2)
    assert [run.config.seed for run in gan_jax.load(tmp_path / "run")] == [0, 1]


def test_progress_in_a_notebook_stays_on_one_line(monkeypatch, capsys):
    for name in ("ipykernel", "IPython"):
        monkeypatch.setitem(sys.modules, name, object())
    line = progress.Progress(10, 0)
    line.update(10)
    assert capsys.readouterr().err.count("\r") == 2
    with progress.hidden():
        progress.Progress(10, 0).update(10)
        progress.say("line")
    assert capsys.readouterr() == ("", "")
    progress.say("line")
    assert capsys.readouterr().out == "line\n"


@pytest.mark.thorough
def test_the_parts_of_a_training_loop(config):
    gan = gan_jax.build(config, image_shape=(9, 9, 1), num_classes=3)
    rng = np.random.default_rng(0)
    batch = Batch(rng.uniform(-1, 1, (4, 9, 9, 1)).astype(np.float32), np.zeros(4, np.int32))
    state = gan.init(jax.random.key(0), batch)
    batches = jax.tree.map(lambda leaf: np.stack([leaf] * config.d_steps), batch)
    state, metrics = gan.step(state, batches, jax.random.key(1))
    assert (int(state.step), np.isfinite(float(metrics["d_loss"]))) == (1, True)
    assert gan.sample(state, jax.random.key(2), np.arange(2)).shape == (2, 9, 9, 1)
    with pytest.raises(gan_jax.UserError, match="give total_steps"):
        gan_jax.build(gan_jax.config("cgan"), (28, 28, 1), 10)
    assert gan_jax.build is sys.modules["gan_jax.build"]
