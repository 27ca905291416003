"""Arms that are finished stay finished: in workdirs of an older version, and in files of results."""

import hashlib
import json
import pathlib

import pytest

from configs import default
from experiments.ablations import __main__ as runner
from experiments.ablations import finished, one_run, plan, results
from experiments.compare import arms as arms_of
from experiments.compare.sequential import Rule
from experiments.compare.workdir import Workdir
from experiments.jobs import records
from experiments.jobs.folders import Folders
from gan_jax.runs.protocol import SCORES_VERSION
from gan_jax.system import config as configs
from gan_jax.system.errors import UserError
from tests.experiments.tiny_studies import arguments, arms
from tests.tiny import run

COMMITTED = pathlib.Path("experiments/results/ablations")


def stored_by_an_older_version(workdir, arm, num_seeds):
    """A folder with the name that a hash of the whole config gave, and without keys that were added since."""
    tree = arm.config.to_dict()
    del tree["data"]["resize"], tree["extra_metrics"], tree["eval"]["classifier_flips"]
    text = json.dumps(tree, indent=2, sort_keys=True) + "\n"
    folder = workdir / hashlib.sha256(text.encode()).hexdigest()[:8]
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(text)
    for seed in range(num_seeds):
        one_run.write(folder, seed, {"status": "completed", "reason": "", "protocol": {}, "provenance": {}})
    return folder.name


def test_finished_arms_of_an_older_version_are_not_trained_again(folders, add_key, monkeypatch):
    before = arms(folders)
    name = stored_by_an_older_version(folders.work, before["plain"], 2)
    assert name != before["plain"].hash
    add_key()
    assert arms(folders)["plain"].hash == before["plain"].hash
    waiting = []
    monkeypatch.setattr(runner, "run_all", lambda module, runs, *others: waiting.append(runs))
    assert run(runner, *arguments(folders, "--studies=rates")) == 75
    assert list(waiting[0]) == [before["broken"].hash], "plain and same are one run, which is finished"
    table = json.loads((folders.out / "rates@tuned.json").read_text())
    assert table["arms"]["plain"]["hash"] == table["arms"]["same"]["hash"] == name


def test_a_changed_default_is_another_folder(tmp_path, monkeypatch):
    """If a default has changed, the same differences from the default config are another config."""
    config = configs.load("configs/cgan.py")
    name = Folders(tmp_path, 8).name(config)
    records.write_config(tmp_path / name, config)
    assert Folders(tmp_path, 8).name(config) == name
    get_config = default.get_config

    def changed():
        config = get_config()
        configs.override(config, {"batch_size": 77})
        return config

    monkeypatch.setattr(default, "get_config", changed)
    other = Folders(tmp_path, 8).name(configs.load("configs/cgan.py"))
    assert other != name
    assert Folders(tmp_path, 8).name(config) == name


def test_a_comparison_of_an_older_version_continues(tmp_path, add_key):
    rule, typed = Rule("frechet_distance", True, 0.1, 0.05), ("configs/cgan.py", "", ["objective=lsgan"])
    before = arms_of.parse(*typed)
    names = [stored_by_an_older_version(tmp_path, arm, 3) for arm in before]
    Workdir(tmp_path, rule, before).start({})
    add_key()
    workdir = Workdir(tmp_path, rule, arms_of.parse(*typed))
    workdir.start({})
    assert [arm.hash for arm in workdir.arms] == names
    assert [workdir.seeds_with_record(arm) for arm in workdir.arms] == [[0, 1, 2]] * 2
    with pytest.raises(UserError, match="choose another --workdir"):
        Workdir(tmp_path, rule, arms_of.parse("configs/cgan.py", "", ["objective=hinge"])).start({})


def campaign_of(path, tmp_path, seeds):
    """(campaign, finished) of the command that would make a committed file of results again."""
    table = json.loads(path.read_text())
    protocol = table["protocol"]
    shared = {
        "data.name": protocol["requested_data"],
        "data.dir": "elsewhere",
        "eval.num_images": protocol["validation_images"],
        "eval.at_end_num_images": protocol["num_images"],
    }
    planned = plan.plan((table["study"],), (table["base"],), table["steps"], shared)
    already = finished.find(planned, tmp_path, COMMITTED, table["preset"])
    fields = (already.arms, table["preset"], table["steps"], seeds, tmp_path, COMMITTED, seeds, already.seeds)
    return results.Campaign(*fields), already


@pytest.mark.parametrize("path", sorted(COMMITTED.glob("*@*.json")), ids=lambda path: path.stem)
def test_committed_results_count_as_finished(path, tmp_path, add_key):
    add_key()
    campaign, already = campaign_of(path, tmp_path, 3)
    assert campaign.arms
    assert results.missing(campaign) == {}
    stored = {name: arm["hash"] for name, arm in json.loads(path.read_text())["arms"].items()}
    assert {arm.name: arm.hash for arm in campaign.arms} == stored
    campaign = campaign._replace(seeds=4, baseline_seeds=4)
    missing = results.missing(campaign)
    assert {seed for seeds in missing.values() for seed in seeds} == {3}
    version = campaign.record(campaign.arms[0].hash, 0)["protocol"].get("scores_version", 1)
    assert version < SCORES_VERSION, "the test below needs results of an older version"
    with pytest.raises(UserError, match="scores of an earlier version.*choose another --output"):
        finished.check_versions(already, missing, COMMITTED)
    finished.check_versions(already, {}, COMMITTED)


def test_results_of_another_length_or_other_data_do_not_count(tmp_path):
    table = json.loads((COMMITTED / "beta1@tuned.json").read_text())
    table["protocol"]["num_images"] += 1
    (tmp_path / "beta1@tuned.json").write_text(json.dumps(table))
    shared = {"data.name": "idx", "eval.num_images": 2000, "eval.at_end_num_images": 5000}
    planned = plan.plan(("beta1",), ("tuned",), 2500, shared)
    assert not finished.find(planned, tmp_path / "work", tmp_path, "full").seeds
    table["protocol"]["num_images"] -= 1
    (tmp_path / "beta1@tuned.json").write_text(json.dumps(table))
    assert len(finished.find(planned, tmp_path / "work", tmp_path, "full").seeds) == 9
    for other, preset in [
        (planned, "quick"),
        (plan.plan(("beta1",), ("tuned",), 2400, shared), "full"),
        (plan.plan(("beta1",), ("tuned",), 2500, shared | {"data.name": "mnist"}), "full"),
    ]:
        assert not finished.find(other, tmp_path / "work", tmp_path, preset).seeds
