"""Runs that an older version of the code stored, and a default config with a key that was added since."""

import json
import pathlib
import tarfile

import pytest

from gan_jax import analyze, cli, evaluate, sample
from gan_jax.losses import conditional
from gan_jax.runs.seeds import has_ended
from gan_jax.runs.workdir import Workdir
from gan_jax.system import config as configs
from gan_jax.system import recorded
from gan_jax.system.errors import UserError
from gan_jax.training import session
from tests.tiny import arrays, rows, run, write_idx

# Imports of TensorFlow give warnings about other packages.
pytestmark = pytest.mark.filterwarnings("ignore")
# A run of 7 steps on the images of `write_idx`, without pictures; its run.json names the commit that trained it.
STORED = pathlib.Path(__file__).parents[1] / "golden" / "older_run.tar.gz"
ADDED_SINCE = {"data.axes", "data.background", "data.image_column", "data.label_column", "data.resize"}
ADDED_SINCE |= {"data.test_share", "eval.classifier_flips", "made_up", "records"}
ADDED_SINCE |= {"augmentation.probability", "augmentation.pseudo", "terms.lecam.decay", "d_loss.lecam", "d_loss.r1_r2"}
ADDED_SINCE |= {
    f"{player}.{knob}"
    for player in ("generator", "discriminator")
    for knob in ("ema_half_life", "expansion", "group_channels", "attention_sides")
}
ADDED_SINCE |= {"discriminator.codes", "d_loss.lipschitz_penalty"}
ADDED_SINCE |= {f"{player}_loss.mutual_information" for player in "dg"}
ADDED_SINCE |= {
    "fixed_randomness",
    "g_top_share",
    "d_loss.consistency_fake",
    "d_loss.latent_consistency",
    "g_loss.latent_diversity",
}
ADDED_SINCE |= {f"terms.{name}.stddev" for name in ("latent_consistency", "latent_diversity")}
ADDED_SINCE |= {f"{player}_loss.{name}" for name, term in conditional.TERMS.items() for player in term.players}
ADDED_SINCE |= {f"terms.{name}.{knob}" for name, term in conditional.TERMS.items() for knob in term.knobs}
ADDED_SINCE |= {
    "data.keep_share",
    "data.keep_features",
    "discriminator.num_halvings",
    "d_loss.orthogonal",
    "g_loss.orthogonal",
}
ADDED_SINCE |= {f"generator.{knob}" for knob in ("norm_z", "norm_embedding", "norm_units")}
ADDED_SINCE |= {"generator.mapping_layers", "penalty_every"}


@pytest.fixture
def older_run(tmp_path, monkeypatch, add_key):
    """The workdir of the stored run, in the current folder, with its images where it has them; and one more key."""
    add_key()
    with tarfile.open(STORED) as archive:
        archive.extractall(tmp_path, filter="data")
    (tmp_path / "older_run" / "samples").mkdir()
    write_idx(tmp_path / "idx", train=12, test=6)
    spec = configs.own("configs/cgan.py")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "older_run", spec


def config_of(spec, path, **changes):
    """The config of today that the command of the stored run gives."""
    tree = json.loads((path / "config.json").read_text())
    config, stored = configs.load(spec), recorded.flat(tree)
    names = [*configs.leaves(config).keys() & stored.keys()]
    configs.override(config, {name: stored[name] for name in names} | changes)
    return config


def test_the_stored_run_lacks_keys(older_run):
    path, _ = older_run
    tree = json.loads((path / "config.json").read_text())
    assert recorded.lacking(tree) == ADDED_SINCE
    config = Workdir(str(path)).config()
    assert (config.data.resize, config.made_up, config.eval.classifier_flips) == ("stretch", 1.0, "auto")


@pytest.mark.thorough
def test_a_run_of_an_older_version_is_continued(older_run):
    path, spec = older_run
    before = rows(path)
    session.train(config_of(spec, path, num_steps=9), str(path))
    assert rows(path)[:7] == before
    assert arrays(path)[0] == 9
    with pytest.raises(UserError, match=r"holds a run of another config; .* undo: made_up: 1.0 -> 2.0$"):
        session.train(config_of(spec, path, num_steps=9, made_up=2.0), str(path))


def test_a_run_of_an_older_version_is_used(older_run, quick_classifier, capsys):
    path, _ = older_run
    assert run(sample, "--workdir", path, "--num_images", 9, "--output", "grid.png") == 0
    assert run(evaluate, "--workdir", path, "--num_images", 6, "--data_dir", "cache") == 0
    assert run(analyze, "--workdir", path, "--only", "interpolation", "--data_dir", "cache") == 0
    assert pathlib.Path("grid.png").is_file()
    assert (path / "evaluation-6_images.json").is_file()
    assert list(path.glob("analysis*/*"))
    assert "error" not in capsys.readouterr().err


def test_a_guard_of_an_older_version_is_the_same_guard(tmp_path, add_key):
    add_key()
    config, workdir = cli.parse_config(configs.own("configs/cgan.py"), []), Workdir(str(tmp_path / "run"))
    workdir.start(config)
    guard = config.guard.to_dict()
    del guard["debug"]
    guard["spread"] = guard.pop("pixel_std")  # The name that it had.
    workdir.update_run(status="collapsed", guard=guard)
    assert has_ended(workdir, config, 10)
    workdir.update_run(guard=guard | {"steps": 1})
    assert not has_ended(workdir, config, 10)


def test_a_key_without_a_meaning_today_is_refused():
    tree = configs.load("configs/cgan.py").to_dict()
    with pytest.raises(UserError, match="a key 'class_target' that this version lacks"):
        recorded.from_tree(tree | {"class_target": "own"})
    with pytest.raises(UserError, match="a value of another type"):
        recorded.from_tree(tree | {"batch_size": "many"})


def test_a_new_key_changes_a_digest_only_if_it_is_set(add_key):
    config = configs.load("configs/cgan.py")
    before = recorded.digest(config)
    add_key()
    config = configs.load("configs/cgan.py")
    assert recorded.digest(config) == before
    configs.override(config, {"made_up": 2.0})
    assert recorded.digest(config) != before
    configs.override(config, {"made_up": 1.0, "seed": 3, "num_seeds": 2, "mesh": "data:-1"})
    assert recorded.digest(config) == before
    assert recorded.digest(config, ()) != before


def test_declared_keys_are_keys():
    keys = configs.leaves(configs.defaults())
    assert {*recorded.AS_BEFORE, *recorded.RENAMED.values()} <= keys.keys()
    assert not recorded.RENAMED.keys() & keys.keys()
    assert all(value != keys[key] for key, value in recorded.AS_BEFORE.items())
