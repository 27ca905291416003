"""experiments.semi_supervised on tiny images: runs, records, the page, and errors."""

import json
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest

from experiments.semi_supervised import __main__ as command
from experiments.semi_supervised import one_run, plan, recipes, report, results
from gan_jax.data.dataset import Split
from gan_jax.system import files
from gan_jax.system.errors import UserError
from gan_jax.training import session

TINY = {
    "num_epochs": 0,
    "num_steps": 6,
    "batch_size": 8,
    "init_batch_size": 8,
    "steps_per_call": 3,
    "log_every_steps": 3,
    "checkpoint_every_steps": 3,
    "sample_every_steps": 3,
    "eval.every_steps": 0,
    "generator.widths": (8,),
    "discriminator.widths": (8, 8),
    "data.num_validation": 10,
}


@pytest.fixture
def task(digits, tmp_path):
    return plan.Task(
        names=("quick",),
        labels=(4,),
        draws=2,
        members=2,
        epochs=0,
        dtype="float32",
        at_once=1,
        shared={"data.name": "idx", "data.dir": str(digits)} | TINY,
        workdir=tmp_path / "work",
        output=tmp_path / "out",
    )


def run_group(task, folder):
    one_run.work(task.workdir / folder, str(task.workdir / "data"))


@pytest.mark.thorough
def test_a_group_is_trained_and_scored_once(task):
    dataset = session.load_data(task.config("quick", 4).data, "")
    waiting = plan.groups(task)
    assert list(waiting.values()) == [[0], [1], [2], [3]]
    assert plan.write_configs(task, waiting, 50) == dict.fromkeys(waiting, 6)
    for folder in waiting:
        run_group(task, folder)
    assert plan.groups(task) == {}
    (table,) = results.write(task, dataset)
    assert [record["draw"] for record in table["seeds"]] == [0, 1, 0, 1]
    cell = task.workdir / "quick/labels-4"
    for record in table["seeds"]:
        p = one_run.probabilities_of(cell, record["seed"])
        np.testing.assert_allclose(p.sum(axis=1), 1, atol=2e-3)
        assert record["test_errors"] == np.sum(p.argmax(axis=1) != dataset.test.labels)
        assert sum(count for *_, count in record["confusions"]) == record["test_errors"], "there are two classes"
        assert 0 <= record["validation_errors"] <= record["num_validation"] == 10
        assert 0 <= record["train_errors"] <= record["num_train"] == 50
    for draw in (0, 1):
        mean = sum(one_run.probabilities_of(cell, seed) for seed in (draw, draw + 2))
        assert table["ensembles"][str(draw)] == np.sum(mean.argmax(axis=1) != dataset.test.labels)
    report.write(task.output)
    page = (task.output / report.PAGE).read_text()
    errors = [record["test_errors"] for record in table["seeds"]]
    assert ", ".join(map(str, errors)) in page
    assert f"{np.mean(errors):.1f} ± {np.std(errors, ddof=1):.1f}" in page
    assert "| 4, 2 draws |" in page
    assert f"{report.CURVES}.png" not in page, "there are no scores during training"
    assert "](samples/quick@labels-4.png)<br>quick, 4 labels |" in page
    last = next((cell / "seed-000/run/samples").glob("step-000006.png"))
    assert (task.output / "samples/quick@labels-4.png").read_bytes() == last.read_bytes()
    worst = int(np.argmax(errors))
    shown = one_run.mistakes_of(cell, worst)
    assert (task.output / "mistakes/quick@labels-4.png").read_bytes() == shown.read_bytes()
    assert "](mistakes/quick@labels-4.png)<br>quick, 4 labels |" in page


def test_confusions_are_the_most_frequent_mistakes_first():
    predicted = np.array([1, 1, 0, 2, 0, 2, 2, 1])
    labels = np.array([0, 0, 0, 2, 2, 1, 1, 0])
    confusions = one_run.confusions(np.eye(3)[predicted], labels, most=2)
    assert confusions == [[0, 1, 3], [1, 2, 2]]
    assert one_run.confusions(np.eye(3)[labels], labels) == []


def test_the_most_frequent_mistakes_are_plotted_first(tmp_path):
    labels = np.array([0, 1, 0, 0])
    images = (np.arange(4, dtype=np.uint8) * 50)[:, None, None, None] * np.ones((1, 3, 3, 1), np.uint8)
    split = Split(images, labels)
    one_run.draw_mistakes(tmp_path / "some.png", np.eye(2)[[1, 0, 0, 1]], split)
    picture = plt.imread(tmp_path / "some.png")
    assert [round(float(picture[2, x].ravel()[0] * 255)) for x in (2, 7, 12)] == [0, 150, 50]
    one_run.draw_mistakes(tmp_path / "none.png", np.eye(2)[labels], split)
    assert not (tmp_path / "none.png").exists()


def test_another_dtype_is_another_cell(task):
    half = task._replace(dtype="bfloat16", epochs=3)
    assert half.config("quick", 4).dtype == "bfloat16"
    assert half.folder("quick", 4) == "quick-3-epochs-bfloat16/labels-4"
    assert task.folder("quick", 4) == "quick/labels-4"


def test_only_networks_of_a_label_subset_share_their_labels(task):
    dataset = session.load_data(task.config("quick", 4).data, "")

    def labelled(seed):
        config = task.config("quick", 4)
        config.seed = seed
        from gan_jax.semi_supervised import labels

        return labels.training_batches(config, dataset, [config.seed])[0].labelled.images

    np.testing.assert_array_equal(labelled(0), labelled(2))
    assert not np.array_equal(labelled(0), labelled(1))


@pytest.mark.thorough
def test_networks_of_a_label_subset_teach_each_other_in_one_run(task):
    shared = task.shared | {"ramp_up.start": 2}
    task = task._replace(names=("long_codistilled",), at_once=4, shared=shared)
    plan.check(task)
    (folder,) = waiting = plan.groups(task)
    plan.write_configs(task, waiting, 50)
    run_group(task, folder)
    (table,) = results.write(task, session.load_data(task.config(*task.cells[0]).data, ""))
    assert [record["draw"] for record in table["seeds"]] == [0, 1, 0, 1]
    assert list(table["ensembles"]) == ["0", "1"]


@pytest.mark.thorough
def test_seeds_in_groups_give_the_same_records(task):
    grouped = task._replace(at_once=2, members=1)
    waiting = plan.groups(grouped)
    assert waiting == {"quick/labels-4/seeds-000-001": [0, 1]}
    plan.write_configs(grouped, waiting, 50)
    (folder,) = waiting
    run_group(grouped, folder)
    assert plan.groups(grouped) == {}
    single = task._replace(members=1, workdir=task.workdir.parent / "alone")
    plan.write_configs(single, plan.groups(single), 50)
    run_group(single, "quick/labels-4/seed-001")
    records = [one_run.record_of(t.workdir / "quick/labels-4", 1) for t in (grouped, single)]
    for record in records:
        del record["seconds"], record["provenance"]
    assert records[0] == records[1]


def test_groups_are_consecutive_seeds_without_a_record(task):
    cell = task.workdir / "quick/labels-4"
    cell.mkdir(parents=True)
    files.write_sealed(cell / "seed-001.json", {"draw": 1})
    assert list(plan.groups(task._replace(at_once=3)).values()) == [[0], [2, 3]]


def test_a_group_that_an_older_version_has_begun_is_continued(task):
    grouped = task._replace(at_once=2, members=1)
    (folder,) = waiting = plan.groups(grouped)
    plan.write_configs(grouped, waiting, 50)
    path = task.workdir / folder / "config.json"
    tree = json.loads(path.read_text())
    del tree["extra_metrics"], tree["data"]["resize"]
    path.write_text(json.dumps(tree))
    assert plan.groups(grouped._replace(at_once=1)) == {folder: [0, 1]}
    path.write_text(json.dumps(tree | {"batch_size": 3}))
    assert list(plan.groups(grouped._replace(at_once=1)).values()) == [[0], [1]]


@pytest.mark.thorough
def test_a_group_continues_after_a_kill_between_two_records(task):
    """The record of network 2 is missing: its group is scored again without training."""
    task = task._replace(names=("long_codistilled",), at_once=4)
    (folder,) = waiting = plan.groups(task)
    plan.write_configs(task, waiting, 50)
    run_group(task, folder)
    cell = task.workdir / "long_codistilled/labels-4"
    before = one_run.record_of(cell, 2)
    (cell / "seed-002.json").unlink()
    assert plan.groups(task._replace(at_once=1)) == {folder: [0, 1, 2, 3]}
    run_group(task, folder)
    assert one_run.record_of(cell, 2) == before, "including its seconds"
    with pytest.raises(UserError, match="without those that are missing; choose another --workdir"):
        plan.groups(task._replace(members=3))
    with pytest.raises(UserError, match="seed 1 a network of draw 0, and in .* of draw 1; choose another --workdir"):
        plan.groups(task._replace(draws=1, members=2))


def test_started_groups_continue_and_the_others_are_formed_again(task):
    first = task._replace(at_once=2, members=1)
    plan.write_configs(first, plan.groups(first), 50)
    assert list(plan.groups(task._replace(at_once=4)).values()) == [[0, 1], [2, 3]]
    other_settings = task.shared | {"batch_size": 4}
    assert list(plan.groups(task._replace(at_once=4, shared=other_settings)).values()) == [[0, 1, 2, 3]]


def test_recorded_recipes_give_their_config_and_changes():
    """Every result on the pages has a recipe. The changes of a recorded recipe still fit its config, which builds."""
    from gan_jax import build
    from gan_jax.system import config as configs

    recorded = recipes.records()
    assert not recorded.keys() & recipes.RECIPES.keys()
    for record in recorded.values():
        assert record["title"].startswith(f"{record['base']} with ")
        assert recipes.RECIPES[record["base"]].title
        config = configs.load(record["config"])
        configs.override(config, record["changes"] | {"data.num_labels": 100})
        build.build(config, (28, 28, 1), 10, 100)
    cells = recipes.RECORDS.parent.glob("*@labels-*.json")
    assert {json.loads(path.read_text())["recipe"] for path in cells} <= recorded.keys() | recipes.RECIPES.keys()
    with pytest.raises(UserError, match="--recipes=entropy is on record .*:quick .*num_labels=20 .*d_loss.entropy=0.1"):
        recipes.config("entropy", 20, 10, 0, {})


def test_changes_of_a_recipe_to_its_base():
    spec, changes = recipes.changes_of(recipes.RECIPES["long_propagated"])
    assert spec == "configs/improved_mnist.py:long"
    decay = {"terms.propagated_label.decay_steps": 3000}
    assert changes == {"d_loss.propagated_label": 1.0, "g_optimizer.b2": 0.99} | decay
    assert recipes.changes_of(recipes.RECIPES["long"]) == (spec, {})


def test_the_config_of_every_recipe_builds():
    from gan_jax import build

    for name in recipes.RECIPES:
        config = recipes.config(name, 100, 10, 0, {})
        build.build(config, (32, 32, 3) if config.data.image_size else (28, 28, 1), 10, 100)
        assert config.data.num_validation == recipes.NUM_VALIDATION
        assert config.data.fallback == "", "no fallback to other digits"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--recipes=qick"], "quick"),
        (["--labels=ten"], "--labels=ten: whole numbers with commas, or all"),
        (["--seeds=0"], "--seeds=0: must be at least 1"),
        (["--score_every=-1"], "--score_every=-1: must be at least 0"),
        (["--jobs=0"], "--jobs=0: must be at least 1"),
        (["--dtype=bf16"], "--dtype.*bfloat16"),
        (["--recipes=long_codistilled", "--seeds=3"], "teach each other, in one run; set --members=2 --at_once=6"),
    ],
)
def test_wrong_arguments(monkeypatch, arguments, message):
    monkeypatch.setattr(sys, "argv", ["semi_supervised", *arguments])
    with pytest.raises(UserError, match=message) as error:
        command.main()
    assert "\n" not in str(error.value)


def test_without_data_the_command_ends_with_one_line(tmp_path):
    arguments = ["--idx", str(tmp_path / "none"), "--workdir", str(tmp_path / "w"), "--output", str(tmp_path / "o")]
    done = subprocess.run(
        [sys.executable, "-m", "experiments.semi_supervised", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 4
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: ")
