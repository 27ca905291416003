"""The runner of the ablation studies: which runs there are, what a run leaves, and the command from end to end."""

import json
import os
import signal

import numpy as np
import pytest

from experiments.ablations import __main__ as runner
from experiments.ablations import one_run, plan, results
from experiments.jobs import pool
from gan_jax.runs.records import read_metrics
from gan_jax.system import config as configs
from gan_jax.system.errors import Collapsed, DataUnavailable, UserError
from gan_jax.training import recorder
from tests.experiments.tiny_studies import arms, words
from tests.tiny import run

# TensorFlow's own imports warn about things that are not ours.
pytestmark = pytest.mark.filterwarnings("ignore")


def test_arms_of_equal_configs_are_one_run_whatever_the_seed():
    found = plan.plan(("optimizer", "weight_decay"), ("tuned",), 100, {})
    by_label = {arm.label: arm for arm in found}
    assert by_label["optimizer:adamw@tuned"].hash == by_label["weight_decay:adamw_1e-2@tuned"].hash
    assert len(plan.distinct(found)) == len(found) - 3
    config = by_label["optimizer:adam@tuned"].config
    configs.override(config, {"seed": 3})
    assert plan.run_hash(config) == by_label["optimizer:adam@tuned"].hash


def test_length_is_in_images_where_the_base_is():
    steps = lambda name, base: {arm.name: arm.config.num_steps for arm in plan.plan((name,), (base,), 60, {})}  # noqa: E731
    assert steps("batch_size", "tuned") == {"32": 120, "64": 60, "128": 30, "256": 15, "512": 8}
    assert steps("n_critic", "tutorial") == {"1": 300, "2": 150, "3": 100, "5": 60, "10": 30}
    assert set(steps("instance_norm_batch", "cdcgan").values()) == {60}
    fading = {arm.name: arm.config for arm in plan.plan(("instance_noise",), ("tutorial",), 60, {})}
    assert fading["input_0.1_fading"].discriminator.noise_fade_updates == 150
    assert fading["input_0.1"].discriminator.noise_fade_updates == 0


def test_list(capsys):
    assert run(runner, "--list", "--studies=optimizer") == 0
    printed = capsys.readouterr().out
    assert "optimizer            tutorial 11, tuned 11" in printed
    assert "Which optimizer" in printed
    assert "--preset quick: optimizer, loss, beta1 on tuned; 21 runs x 2 seeds" in printed


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--studies=optimiser"], "did you mean optimizer?"),
        (["--list", "--studies=optimiser"], "did you mean optimizer?"),
        (["--bases=tund"], "did you mean tuned?"),
        (["--preset=quik"], "did you mean quick?"),
        (["--studies=optimizer", "--bases=cdcgan"], "optimizer is on tuned and tutorial only"),
        (["--seeds=0"], "--seeds=0: must be at least 1"),
    ],
)
def test_mistakes(given, message, capsys, tmp_path):
    assert run(runner, "--workdir", tmp_path / "work", *given) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "work").exists()


def test_quick_results_do_not_replace_those_of_the_full_preset(tmp_path):
    found, out = plan.plan(("beta1",), ("tuned",), 10, {}), tmp_path / "out"
    assert results.output_folder("", str(out), tmp_path, "quick", found) == out
    out.mkdir()
    (out / "beta1@tuned.json").write_text('{"preset": "full"}')
    assert results.output_folder("", str(out), tmp_path, "quick", found) == tmp_path / "results"
    assert results.output_folder("", str(out), tmp_path, "full", found) == out
    with pytest.raises(UserError, match="choose another --output"):
        results.output_folder(str(out), "", tmp_path, "quick", found)


def test_what_a_run_leaves(places, quick_classifier, monkeypatch, capsys):
    """Seed 0 completes, seed 1 collapses in training, seed 2 crashes where it is scored; seeds pair by their order."""
    check, evaluate = recorder.Recorder._check, one_run.evaluate

    def collapses(self, step, values):
        check(self, step, values)
        if self.status.seed == 1 and step == 13:
            self._fail(Collapsed("seed 1 is unlucky"), step)

    def crashes(path, protocol, data_dir):
        if "seed-2" in path:
            raise MemoryError("no room\nat all")
        return evaluate(path, protocol, data_dir)

    monkeypatch.setattr(recorder.Recorder, "_check", collapses)
    monkeypatch.setattr(one_run, "evaluate", crashes)
    arm = arms(places)["plain"]
    folder = places.work / arm.hash
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(configs.to_json(arm.config))
    one_run.work(folder, [0, 1, 2], str(places.cache), False, lambda: None)
    whole, collapsed, crashed = (one_run.read(folder, seed) for seed in range(3))
    assert (whole["status"], whole["reason"], whole["step"]) == ("completed", "", 20)
    assert whole["final"]["step"] == 20
    assert 0 <= whole["final"]["conditional_accuracy"] <= 1
    assert not [name for name in whole["final"] if name.endswith("_real") and name != "num_real"]
    best = np.argmin(whole["curves"]["validation_frechet_distance"])
    assert whole["best"]["step"] == whole["curves"]["validation_step"][best]
    assert whole["curves"]["validation_step"] == [5, 10, 15, 20]
    assert len(whole["curves"]["step"]) == len(whole["curves"]["g_grad_norm"]) == 20
    assert (whole["protocol"]["num_images"], whole["protocol"]["split"]) == (20, "test")
    assert "frechet_distance_real" in whole["protocol"]
    assert (collapsed["status"], collapsed["reason"], collapsed["step"]) == ("collapsed", "seed 1 is unlucky", 13)
    assert collapsed["final"]["step"] == 10
    assert (crashed["status"], crashed["reason"]) == ("crashed", "MemoryError: no room at all")
    assert (crashed["final"], len(crashed["curves"]["step"])) == ({}, 20)
    # Of a crashed seed the checkpoints stay, for the next command.
    assert [(folder / f"seed-{seed}" / "checkpoints").is_dir() for seed in range(3)] == [False, False, True]
    assert read_metrics(folder / "seed-0" / "metrics.jsonl")[0] != read_metrics(folder / "seed-1" / "metrics.jsonl")[0]


def test_the_command(places, monkeypatch, capsys):
    """Interrupted when the first seed has ended, continued, and given again; two studies share a run."""
    poll, plain = runner.Progress.poll, arms(places)["plain"].hash
    first = places.work / plain / "seed-0.json"

    def interrupts(self, children):
        poll(self, children)
        if first.is_file():
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(runner.Progress, "poll", interrupts)
    assert run(runner, *words(places, "--studies=rates,batches")) == 75
    printed = capsys.readouterr()
    assert "5 arms, 3 distinct runs x 2 seeds; to train 6, " in printed.out
    assert "arm 1/3  rates:plain@tuned  seed 0  " in printed.out
    assert "same command continues" in printed.err
    made = first.stat().st_mtime_ns
    monkeypatch.setattr(runner.Progress, "poll", poll)

    assert run(runner, *words(places, "--studies=rates", "--jobs=2")) == 0
    printed = capsys.readouterr().out
    assert printed.count("QUICK preset: not for conclusions") == 2
    assert "rates:broken@tuned seed 0 crashed" in printed
    assert "2 runs x 2 seeds, 2 crashed" in printed
    assert first.stat().st_mtime_ns == made
    table = json.loads((places.out / "rates@tuned.json").read_text())
    assert (table["question"], table["baseline"], table["tuned"]) == ("Which rate?", "plain", True)
    assert {name: [seed["status"] for seed in arm["seeds"].values()] for name, arm in table["arms"].items()} == {
        "plain": ["completed", "completed"],
        "same": ["completed", "completed"],
        "broken": ["crashed", "crashed"],
    }
    assert "no such loss" in table["arms"]["broken"]["seeds"]["1"]["reason"]
    assert table["arms"]["same"]["spelled"] == "configs/ablations/rates.py:same@tuned"
    assert table["arms"]["same"]["hash"] == table["arms"]["plain"]["hash"] == plain
    assert table["protocol"]["conditional_accuracy_real"] is not None
    assert table["provenance"]["data"]["used"] == "idx"
    assert (places.out / "grids" / f"{plain}-seed0.png").is_file()

    asked = []
    monkeypatch.setattr(runner, "run_all", lambda module, waiting, *rest: asked.append(waiting))
    assert run(runner, *words(places, "--studies=batches,rates", "--bases=tuned")) == 75
    again = {name: words[1] for name, words in asked[0].items()}
    assert again == {arms(places, "batches")["8"].hash: "0,1", arms(places)["broken"].hash: "0,1"}
    assert set(json.loads((places.out / "batches@tuned.json").read_text())["arms"]) == {"4"}


def test_one_runner_in_a_workdir(tmp_path):
    with pool.locked(tmp_path), pytest.raises(UserError, match="is in use"), pool.locked(tmp_path):
        pass


def test_shares_of_the_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {2, 3, 5, 7, 9})
    assert pool.shares(1) == [{2, 3, 5, 7, 9}]
    assert pool.shares(2) == [{2, 3}, {5, 7, 9}]
    assert pool.shares(6) == [{2}, {3}, {5}, {7}, {9}, {2}]


def test_runs_of_other_data_are_not_put_together():
    records = [
        {"provenance": {"commit": "a", "data": {"fingerprint": one, "used": one, "source": "here"}}} for one in "xy"
    ]
    assert results._provenance(records[:1])["commits"] == ["a"]
    with pytest.raises(DataUnavailable, match=r"x \(here\) and y \(here\)"):
        results._provenance(records)


def test_scores_of_other_classifiers_are_not_put_together(places):
    campaign = results.Campaign(list(arms(places).values()), "full", 1, 2, places.work, places.out)
    records = [{"protocol": {"features": name}} for name in ("classifier-1-a", "classifier-1-b")]
    crashed = {"protocol": {}}
    assert results._protocol(campaign, [crashed, records[0]])["features"] == "classifier-1-a"
    with pytest.raises(DataUnavailable, match="scored by classifier-1-a and classifier-1-b"):
        results._protocol(campaign, [*records, crashed])
