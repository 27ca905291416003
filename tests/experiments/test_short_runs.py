"""The pages of short runs (experiments.systems, experiments.colour): their runs, commands and published records."""

import pathlib
from unittest import mock

import jax
import numpy as np
import pytest

from experiments import colour, systems
from experiments.short_runs import measure, record
from experiments.short_runs.plan import ShortRun
from gan_jax.build import build
from gan_jax.gan.types import Batch
from gan_jax.runs import initial_state
from gan_jax.runs.protocol import SCORES_VERSION
from gan_jax.system import config as configs
from gan_jax.system.files import read_sealed
from tests.data.picture_files import write_classes, zip_folder
from tests.tiny import run

RESULTS = pathlib.Path("experiments/results")
PAGES = {page.name: page for page in (systems.PAGE, colour.PAGE)}
ALL_RUNS = [(page, run) for page in PAGES for run in PAGES[page].runs]
RUNS = colour.RUNS
_SIZE = {
    "num_steps": "4",
    "batch_size": "4",
    "init_batch_size": "4",
    "steps_per_call": "2",
    "data.num_validation": "10",
    "data.image_size": "8",
    "generator.widths": "4",
    "discriminator.widths": "4",
    "eval.every_steps": "2",
    "eval.num_images": "10",
}
_FEW = {
    "num_epochs": "0",
    "data.num_labels": "4",
    "discriminator.layers_per_width": "1",
    "eval.every_steps": "0",
    "checkpoint_every_steps": "2",
}
TINY = {
    "cdcgan_colour": ShortRun("GAN", "cifar10", "configs/cdcgan_colour.py", _SIZE),
    "few_labels": ShortRun("few", "cifar10", "configs/improved_cifar10.py:semi_supervised", _SIZE | _FEW),
}


@pytest.fixture
def images(tmp_path):
    """A .zip of 40 + 12 images of noise in two classes."""
    write_classes(tmp_path / "set" / "train", ("cat", "dog"), 20)
    write_classes(tmp_path / "set" / "test", ("cat", "dog"), 6)
    return zip_folder(tmp_path / "set", tmp_path / "set.zip")


@pytest.fixture
def tiny(monkeypatch, quick_classifier):
    """The runs take a moment, and so does their scoring."""
    protocol = measure.PROTOCOL._replace(num_images=20)
    for module in (measure, record):
        monkeypatch.setattr(module, "PROTOCOL", protocol)
    # Not by monkeypatch: undoing a deletion puts an entry last, and pages have the order of this table.
    with mock.patch.dict(RUNS, TINY, clear=True):
        yield


def image_shape(page, name):
    if page == "systems":
        return (28, 28, 1)
    return (64, 64, 3) if PAGES[page].runs[name].images == "emoji" else (32, 32, 3)


@pytest.mark.thorough
@pytest.mark.parametrize(("page", "name"), ALL_RUNS)
def test_every_run_is_a_gan_for_its_images(page, name):
    config, shape = PAGES[page].config(name, {"data.name": "idx", "data.dir": "PATH"}), image_shape(page, name)
    if config.data.image_size:
        shape = (config.data.image_size, config.data.image_size, shape[-1])
    gan = build(config, shape, 10, config.num_steps)
    state = initial_state.abstract_state(gan, config.init_batch_size, shape)
    images = jax.eval_shape(gan.sample, state, jax.random.key(0), np.zeros(3, np.int32))
    assert images.shape == (3, *shape)
    assert (config.data.name, config.data.dir) == ("idx", "PATH")
    assert config.num_steps > 0 == config.num_epochs
    if "keep_checkpoints" in PAGES[page].runs[name].changes:  # Each of twenty checkpoints gets its test error.
        kept = config.num_steps // config.checkpoint_every_steps
        assert kept == 20 <= config.keep_checkpoints


@pytest.mark.thorough
@pytest.mark.parametrize(("name", "is_equal"), [("few_labels", False), ("labels_only", True)])
def test_which_discriminator_learns_from_labels_alone(name, is_equal):
    """After a step with other images that have no label, the discriminator of `labels_only` is the same."""
    config = colour.PAGE.config(name, {})
    sizes = {"batch_size": 4, "init_batch_size": 4, "generator.widths": (4,), "discriminator.widths": (4,)}
    configs.override(config, sizes)
    gan, rng = build(config, (8, 8, 3), 2, 10), np.random.default_rng(0)
    make = lambda: Batch(rng.uniform(-1, 1, (4, 8, 8, 3)).astype(np.float32), np.arange(4, dtype=np.int32) % 2)  # noqa: E731
    labelled, start = make(), initial_state.init_state(gan, 0, make())
    params = []
    for _ in range(2):
        batches = jax.tree.map(lambda leaf: leaf[None], make()._replace(labelled=labelled))
        params.append(jax.jit(gan.step)(start, batches, jax.random.key(1))[0].discriminator.params)
    same = jax.tree.map(np.array_equal, *params)
    assert all(jax.tree.leaves(same)) == is_equal
    moved = jax.tree.map(np.array_equal, params[0], start.discriminator.params)
    assert not all(jax.tree.leaves(moved))


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore")
def test_the_command_writes_the_record_and_repeats_no_work(images, tiny, tmp_path, capsys, monkeypatch):
    arguments = [f"--cifar10={images}", f"--workdir={tmp_path / 'work'}", f"--output={tmp_path / 'out'}"]
    arguments += [f"--data_dir={tmp_path / 'cache'}"]
    assert run(colour, *arguments) == 0
    path = tmp_path / "out" / "colour.json"
    table = read_sealed(path)
    assert list(table["runs"]) == list(TINY)
    assert {(entry["status"], entry["scores"]["step"]) for entry in table["runs"].values()} == {("completed", 4)}
    assert table["data"]["cifar10"]["images"] == {"train": [15, 15], "validation": [5, 5], "test": [6, 6]}
    assert [step for step, _ in table["runs"]["few_labels"]["test_errors"]] == [2, 4]
    assert [step for step, _ in table["runs"]["cdcgan_colour"]["validation_frechet_distance"]] == [2, 4]
    assert str(tmp_path) not in path.read_text()
    pictures = {picture.name for picture in (tmp_path / "out" / "colour").iterdir()}
    assert pictures == {f"{name}{suffix}.png" for name in TINY for suffix in ("", "-curves")}
    last_state = table["runs"]["few_labels"]["test_errors"][-1][1]
    assert table["runs"]["few_labels"]["scores"]["discriminator_accuracy"] == pytest.approx(1 - last_state / 12)
    monkeypatch.setattr(measure, "train", lambda *arguments: pytest.fail("trained again"))
    monkeypatch.setattr(measure, "evaluate", lambda *arguments: pytest.fail("scored again"))
    assert run(colour, *arguments) == 0
    assert read_sealed(path) == table


@pytest.mark.slow
def test_a_longer_run_is_scored_again(images, tiny, tmp_path, monkeypatch):
    arguments = ["--only=cdcgan_colour", f"--cifar10={images}", f"--workdir={tmp_path / 'work'}"]
    arguments += [f"--output={tmp_path / 'out'}", f"--data_dir={tmp_path / 'cache'}"]
    for steps in ("4", "6"):
        entry = TINY["cdcgan_colour"]
        monkeypatch.setitem(RUNS, "cdcgan_colour", entry._replace(changes=entry.changes | {"num_steps": steps}))
        assert run(colour, *arguments) == 0
        (entry,) = read_sealed(tmp_path / "out" / "colour.json")["runs"].values()
        assert entry["scores"]["step"] == int(steps)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the run cdcgan_colour needs the images of CIFAR-10 (JPEG): add --cifar10 PATH"),
        (["--emoji=PATH"], "add --cifar10 PATH, or leave such runs out: --only emoji"),
        (["--only=emoji"], "the run emoji needs the images of emoji: add --emoji PATH"),
        (["--only=dcgen"], "did you mean dcgan"),
    ],
)
def test_wrong_arguments(arguments, message, tmp_path, capsys):
    assert run(colour, *arguments, f"--workdir={tmp_path / 'work'}", f"--output={tmp_path / 'out'}") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def published():
    """The published records, by page."""
    return {page: read_sealed(RESULTS / f"{page}.json") for page in PAGES}


def test_the_published_records_have_every_run_and_picture(published):
    """The pages beside them are compared with their templates in test_pages.py."""
    assert {page: record["runs"].keys() for page, record in published.items()} == {
        name: page.runs.keys() for name, page in PAGES.items()
    }
    for name, run_name in ALL_RUNS:
        entry, page = published[name]["runs"][run_name], PAGES[name]
        assert (entry["config"], entry["changes"]) == (page.runs[run_name].config, page.changes(run_name))
        assert entry["scores"]["step"] == page.config(run_name, {}).num_steps
        assert entry["scores"]["scores_version"] == SCORES_VERSION
        assert not entry["commit"].endswith("+changes")
        for suffix in ["", "-curves"] if page.runs[run_name].trains_generator else ["-curves"]:
            assert (RESULTS / name / f"{run_name}{suffix}.png").stat().st_size < 300_000


@pytest.mark.parametrize("name", PAGES)
def test_a_run_that_is_not_in_the_workdir_keeps_its_entry(name, published, tmp_path):
    assert record.record(PAGES[name], tmp_path, published[name]) == published[name]


def test_the_docstring_of_the_config_has_the_numbers_of_the_record(published):
    entry = published["colour"]["runs"]["cdcgan_colour"]
    scores = entry["scores"]
    expected = [
        f"{scores['step']:,} steps on one thread took {entry['minutes']:.0f} minutes",
        f"a Frechet distance of {scores['frechet_distance']:.2f} (held-out real images: "
        f"{scores['frechet_distance_real']:.2f})",
        f"a conditional accuracy of {scores['conditional_accuracy']:.1%} (real test images: "
        f"{scores['classifier_accuracy']:.1%})",
        f"{scores['num_generated']:,} images with the {scores['num_real']:,} test images",
        entry["commit"][:7],
    ]
    docstring = " ".join(pathlib.Path(RUNS["cdcgan_colour"].config).read_text().split())
    assert [text for text in expected if text not in docstring] == []


def test_sentences_of_the_page_follow_from_the_record(published):
    emoji, runs = published["colour"]["data"]["emoji"], published["colour"]["runs"]
    assert (max(emoji["images"]["train"]), min(emoji["images"]["train"])) == tuple(
        emoji["images"]["train"][index] for index in (5, 0)
    )
    few_labels, labels_only = (runs[name]["test_errors"] for name in ("few_labels", "labels_only"))
    assert len(few_labels) == len(labels_only) == 20
    assert all(errors > others for (_, errors), (_, others) in zip(few_labels, labels_only, strict=True))
    assert all(dict(few_labels)[step] > dict(labels_only)[step] for step in (1050, 2100))
    assert runs["labels_only"]["steps_per_second"] > 2 * runs["few_labels"]["steps_per_second"]
    features = {runs[name]["scores"]["features"] for name in runs if name not in ("few_labels", "labels_only", "emoji")}
    assert len(features) == 1
    assert runs["few_labels"]["scores"]["features"] not in features
    assert {entry["cpu_cores"] for entry in runs.values()} == {1}
