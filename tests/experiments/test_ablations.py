"""The runner of the ablation studies: its plan, the records of a run, and the full command."""

import json
import math
import os
import signal

import numpy as np
import pytest

from experiments.ablations import __main__ as runner
from experiments.ablations import one_run, plan, presets, results
from experiments.compare import rounds
from experiments.jobs import pool
from gan_jax.runs.records import read_metrics
from gan_jax.system import config as configs
from gan_jax.system.errors import Collapsed, DataUnavailable, UserError
from gan_jax.training import recorder
from tests.experiments.canned_studies import seed_record
from tests.experiments.tiny_studies import arguments, arms
from tests.tiny import run

# Imports of TensorFlow give warnings about other packages.
pytestmark = pytest.mark.filterwarnings("ignore")


def test_arms_with_equal_configs_share_a_run():
    planned_arms = plan.plan(("optimizer", "weight_decay"), ("tuned",), 100, {})
    by_label = {arm.label: arm for arm in planned_arms}
    assert by_label["optimizer:adamw@tuned"].hash == by_label["weight_decay:adamw_1e-2@tuned"].hash
    assert len(plan.distinct(planned_arms)) == len(planned_arms) - 3
    config = by_label["optimizer:adam@tuned"].config
    configs.override(config, {"seed": 3})
    assert plan.run_hash(config) == by_label["optimizer:adam@tuned"].hash


def test_run_length_is_a_number_of_images_if_the_base_counts_so():
    steps = lambda name, base: {arm.name: arm.config.num_steps for arm in plan.plan((name,), (base,), 60, {})}  # noqa: E731
    assert steps("batch_size", "tuned") == {"32": 120, "64": 60, "128": 30, "256": 15, "512": 8}
    assert steps("n_critic", "tutorial") == {"1": 300, "2": 150, "3": 100, "5": 60, "10": 30}
    assert set(steps("instance_norm_batch", "cdcgan").values()) == {60}
    fading = {arm.name: arm.config for arm in plan.plan(("instance_noise",), ("tutorial",), 60, {})}
    assert fading["input_0.1_fading"].discriminator.noise_fade_updates == 150
    assert fading["input_0.1"].discriminator.noise_fade_updates == 0


def test_a_baseline_has_more_seeds():
    full, quick = presets.PRESETS["full"], presets.PRESETS["quick"]
    assert (full.baseline_seeds(5, 9), full.baseline_seeds(3, 8), quick.baseline_seeds(2, 10)) == (15, 8, 2)
    arms = plan.plan(("beta1", "optimizer"), ("tuned",), 60, {})
    assert {arm.name for arm in arms if arm.is_baseline} == {"0.5", "adam"}
    campaign = results.Campaign(arms, "full", 60, 3, None, None, 8)
    assert {arm.name: len(campaign.seeds_of(arm.hash)) for arm in arms if arm.study == "beta1"} == {
        "0": 3,
        "0.9": 3,
        "0.5": 8,
    }


@pytest.mark.thorough
def test_list(capsys):
    assert run(runner, "--list", "--studies=optimizer") == 0
    printed = capsys.readouterr().out
    assert "optimizer            tutorial 11, tuned 11" in printed
    assert "Which optimizer" in printed
    assert "--preset quick: optimizer, loss, beta1 on tuned; 21 runs x 2 seeds" in printed


@pytest.mark.parametrize(
    ("command_arguments", "message"),
    [
        (["--studies=optimiser"], "did you mean optimizer?"),
        (["--list", "--studies=optimiser"], "did you mean optimizer?"),
        (["--bases=tund"], "did you mean tuned?"),
        (["--preset=quik"], "did you mean quick?"),
        (["--studies=optimizer", "--bases=cdcgan"], "optimizer is on tuned and tutorial only"),
        (["--seeds=0"], "--seeds=0: must be at least 1"),
        (["--seeds=3", "--baseline_seeds=2"], "--baseline_seeds=2: must be at least 3"),
        (["--until=decide"], "did you mean decided?"),
        (["--until=decided", "--seeds=3"], "--seeds is a fixed number of seeds; leave it out with --until decided"),
        (["--until=decided", "--margin=10"], "such as 10%"),
        (["--budget=2h"], "--budget is for seeds until a verdict; add --until decided"),
    ],
)
def test_mistakes(command_arguments, message, capsys, tmp_path):
    assert run(runner, "--workdir", tmp_path / "work", *command_arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "work").exists()


def test_quick_results_do_not_replace_those_of_the_full_preset(tmp_path):
    planned_arms, out = plan.plan(("beta1",), ("tuned",), 10, {}), tmp_path / "out"
    assert results.output_folder("", str(out), tmp_path, "quick", planned_arms) == out
    out.mkdir()
    (out / "beta1@tuned.json").write_text('{"preset": "full"}')
    assert results.output_folder("", str(out), tmp_path, "quick", planned_arms) == tmp_path / "results"
    assert results.output_folder("", str(out), tmp_path, "full", planned_arms) == out
    with pytest.raises(UserError, match="choose another --output"):
        results.output_folder(str(out), "", tmp_path, "quick", planned_arms)


@pytest.mark.thorough
def test_records_of_completed_collapsed_and_crashed_seeds(folders, quick_classifier, monkeypatch, capsys):
    """Seed 0 completes, seed 1 collapses during training, seed 2 crashes when it is scored."""
    check, evaluate = recorder.Recorder._check, one_run.evaluate

    def collapse_seed_1(self, step, values):
        check(self, step, values)
        if self.status.seed == 1 and step == 13:
            self._fail(Collapsed("seed 1 is unlucky"), step)

    def crash_seed_2(path, protocol, data_dir):
        if "seed-2" in path:
            raise MemoryError("no room\nat all")
        return evaluate(path, protocol, data_dir)

    monkeypatch.setattr(recorder.Recorder, "_check", collapse_seed_1)
    monkeypatch.setattr(one_run, "evaluate", crash_seed_2)
    arm = arms(folders)["plain"]
    folder = folders.work / arm.hash
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(configs.to_json(arm.config))
    one_run.work(folder, [0, 1, 2], str(folders.cache), False, lambda: None)
    completed, collapsed, crashed = (one_run.read(folder, seed) for seed in range(3))
    assert (completed["status"], completed["reason"], completed["step"]) == ("completed", "", 20)
    assert completed["final"]["step"] == 20
    assert 0 <= completed["final"]["conditional_accuracy"] <= 1
    assert not [name for name in completed["final"] if name.endswith("_real") and name != "num_real"]
    best = np.argmin(completed["curves"]["validation_frechet_distance"])
    assert completed["best"]["step"] == completed["curves"]["validation_step"][best]
    assert completed["curves"]["validation_step"] == [5, 10, 15, 20]
    assert len(completed["curves"]["step"]) == len(completed["curves"]["g_grad_norm"]) == 20
    assert (completed["protocol"]["num_images"], completed["protocol"]["split"]) == (20, "test")
    assert "frechet_distance_real" in completed["protocol"]
    assert (collapsed["status"], collapsed["reason"], collapsed["step"]) == ("collapsed", "seed 1 is unlucky", 13)
    assert collapsed["final"]["step"] == 10
    assert (crashed["status"], crashed["reason"]) == ("crashed", "MemoryError: no room at all")
    assert (crashed["final"], len(crashed["curves"]["step"])) == ({}, 20)
    # The checkpoints of a crashed seed stay, so the next command can resume it.
    assert [(folder / f"seed-{seed}" / "checkpoints").is_dir() for seed in range(3)] == [False, False, True]
    assert read_metrics(folder / "seed-0" / "metrics.jsonl")[0] != read_metrics(folder / "seed-1" / "metrics.jsonl")[0]


@pytest.mark.thorough
def test_the_command(folders, monkeypatch, capsys):
    """Interrupted after the first seed, continued, and repeated; two studies share a run."""
    poll, plain_hash = runner.Progress.poll, arms(folders)["plain"].hash
    first = folders.work / plain_hash / "seed-0.json"

    def interrupt(self, children):
        poll(self, children)
        if first.is_file():
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(runner.Progress, "poll", interrupt)
    assert run(runner, *arguments(folders, "--studies=rates,batches")) == 75
    printed = capsys.readouterr()
    assert "5 arms, 3 distinct runs x 2 seeds; to train 6, " in printed.out
    assert "arm 1/3  rates:plain@tuned  seed 0  " in printed.out
    assert "same command continues" in printed.err
    modified = first.stat().st_mtime_ns
    monkeypatch.setattr(runner.Progress, "poll", poll)

    assert run(runner, *arguments(folders, "--studies=rates", "--jobs=2")) == 0
    printed = capsys.readouterr().out
    assert printed.count("QUICK preset: not for conclusions") == 2
    assert "rates:broken@tuned seed 0 crashed" in printed
    assert "2 runs x 2 seeds, 2 crashed" in printed
    assert first.stat().st_mtime_ns == modified
    table = json.loads((folders.out / "rates@tuned.json").read_text())
    assert (table["question"], table["baseline"], table["tuned"]) == ("Which rate?", "plain", True)
    assert {name: [seed["status"] for seed in arm["seeds"].values()] for name, arm in table["arms"].items()} == {
        "plain": ["completed", "completed"],
        "same": ["completed", "completed"],
        "broken": ["crashed", "crashed"],
    }
    assert "no such loss" in table["arms"]["broken"]["seeds"]["1"]["reason"]
    assert table["arms"]["same"]["spelled"] == "configs/ablations/rates.py:same@tuned"
    assert table["arms"]["same"]["hash"] == table["arms"]["plain"]["hash"] == plain_hash
    assert table["protocol"]["conditional_accuracy_real"] is not None
    assert table["provenance"]["data"]["used"] == "idx"
    assert (folders.out / "grids" / f"{plain_hash}-seed0.png").is_file()

    waiting_runs = []
    monkeypatch.setattr(runner, "run_all", lambda module, waiting, *other_arguments: waiting_runs.append(waiting))
    assert run(runner, *arguments(folders, "--studies=batches,rates", "--bases=tuned")) == 75
    repeated_runs = {name: run_arguments[1] for name, run_arguments in waiting_runs[0].items()}
    assert repeated_runs == {arms(folders, "batches")["8"].hash: "0,1", arms(folders)["broken"].hash: "0,1"}
    assert set(json.loads((folders.out / "batches@tuned.json").read_text())["arms"]) == {"4"}


def test_seeds_until_every_arm_has_a_verdict(folders, monkeypatch, capsys):
    """The arm `broken` has twice the distance; `same` is the baseline's config. Trainings are replaced."""
    rng, trained = np.random.default_rng(0), []

    def train(self, missing):
        for arm in self.workdir.arms:
            for seed in missing.get(arm.name, ()):
                distance = (20 if arm.name == "broken" else 10) * math.exp(rng.normal(0, 0.05))
                folder = self.workdir.runs / arm.hash
                folder.mkdir(parents=True, exist_ok=True)
                record = seed_record(distance, 0.9) | {"protocol": {"features": "f"}, "provenance": {}}
                one_run.write(folder, seed, record)
                trained.append((arm.name, seed))
        return True

    monkeypatch.setattr(rounds.Rounds, "_train", train)
    command = [f"--workdir={folders.work}", f"--output={folders.out}", f"--idx={folders.data}", "--until=decided"]
    assert run(runner, *command) == 0
    printed = capsys.readouterr().out
    assert "rates@tuned: Which rate?" in printed
    assert "broken is worse than the base" in printed
    assert "1 of 1 studies have a verdict on every arm" in printed
    record = json.loads((folders.out / "rates@tuned.json").read_text())
    seeds = {name: len(arm["seeds"]) for name, arm in record["arms"].items()}
    assert seeds == {"plain": len(trained) // 2, "same": len(trained) // 2, "broken": len(trained) // 2}
    assert (folders.work / "decided" / "rates@tuned" / "compare.html").is_file()
    assert json.loads((folders.work / "decided/rates@tuned/rule.json").read_text())["arms"].keys() == {"base", "broken"}
    number = len(trained)
    assert run(runner, *command) == 0
    assert len(trained) == number, "a decided study needs no more seeds"


def test_a_second_runner_in_a_workdir_is_refused(tmp_path):
    with pool.locked(tmp_path), pytest.raises(UserError, match="is in use"), pool.locked(tmp_path):
        pass


def test_shares_of_the_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {2, 3, 5, 7, 9})
    assert pool.shares(1) == [{2, 3, 5, 7, 9}]
    assert pool.shares(2) == [{2, 3}, {5, 7, 9}]
    assert pool.shares(6) == [{2}, {3}, {5}, {7}, {9}, {2}]


def test_runs_with_different_data_are_not_combined():
    records = [
        {"provenance": {"commit": "a", "data": {"fingerprint": one, "used": one, "source": "here"}}} for one in "xy"
    ]
    assert results._provenance(records[:1])["commits"] == ["a"]
    with pytest.raises(DataUnavailable, match=r"x \(here\) and y \(here\)"):
        results._provenance(records)


def test_scores_of_different_classifiers_are_not_combined(folders):
    campaign = results.Campaign(list(arms(folders).values()), "full", 1, 2, folders.work, folders.out, 2)
    records = [{"protocol": {"features": name}} for name in ("classifier-1-a", "classifier-1-b")]
    crashed = {"protocol": {}}
    assert results._protocol(campaign, [crashed, records[0]])["features"] == "classifier-1-a"
    with pytest.raises(DataUnavailable, match="scored by classifier-1-a and classifier-1-b"):
        results._protocol(campaign, [*records, crashed])


def test_scores_of_different_versions_are_not_combined(folders):
    campaign = results.Campaign(list(arms(folders).values()), "full", 1, 2, folders.work, folders.out, 2)
    old, new = {"protocol": {"features": "a"}}, {"protocol": {"features": "a", "scores_version": 2}}
    assert results._protocol(campaign, [new, new])["scores_version"] == 2
    with pytest.raises(DataUnavailable, match="earlier version"):
        results._protocol(campaign, [new, old])
