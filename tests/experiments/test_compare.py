"""The command `compare`: its arms, mistakes, folder and page, finished runs, and a tiny comparison to its end."""

import json
import math
import pathlib
import re

import pytest

from experiments.compare import __main__ as compare
from experiments.compare import arms as arms_of
from experiments.compare import finished, options, page, sequential
from experiments.compare.sequential import Rule
from experiments.compare.workdir import Workdir
from gan_jax.system import config as configs
from gan_jax.system.errors import UserError
from gan_jax.system.files import write_sealed
from tests.experiments.tiny_studies import TINY
from tests.pages import Parsed
from tests.tiny import run

RULE = Rule("frechet_distance", True, math.log(1.1))


def test_arms_are_changes_files_and_names():
    spec, shared = "configs/cgan.py:tuned", "data.name=mnist_5k"
    typed = ["objective=lsgan", "no norms: generator.norm=none discriminator.norm=layer", "configs/cdcgan.py"]
    base, *arms = arms_of.parse(spec, shared, typed)
    assert [arm.name for arm in (base, *arms)] == ["base", "objective=lsgan", "no norms", "configs/cdcgan.py"]
    assert arms_of.changes(base, arms[0]) == [("objective", "bce_logits", "lsgan")]
    assert {leaf for leaf, _, _ in arms_of.changes(base, arms[1])} == {"generator.norm", "discriminator.norm"}
    assert arms[2].config.data.name == "mnist_5k"
    _, change, file = arms_of.parse(spec, shared, ["data.dir=a:b", "x: configs/acgan.py"])
    assert (change.name, file.name) == ("data.dir=a:b", "x")


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("objectiv=lsgan", "did you mean objective?"),
        ("objective=lsga", "did you mean lsgan?"),
        ("objective=bce_logits", "is the same config as base"),
        ("objective", "is no arm"),
        ("generator.norm=none oops", "'oops' in"),
        ("data.name=mnist", "changes data.name"),
        ("generator.norm=group generator.norm_groups=7", "does not divide"),
    ],
)
def test_mistakes_are_one_line_before_anything_is_written(typed, message, tmp_path, capsys):
    work = tmp_path / "work"
    command = ["--config", "configs/cgan.py:tuned", "--shared", "data.name=mnist_5k", "--workdir", work, typed]
    assert run(compare, *command) == 2
    error = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert len(error) == 1
    assert message in error[0]
    assert not work.exists()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ([], "give --config BASE and arms, or finished runs"),
        (["--config=configs/cgan.py:tuned"], "give an arm"),
        (["--runs", "a"], "give --config BASE and arms, or finished runs"),
        (["--runs", "none", "--against", "none"], "none is no folder"),
        (["--config=configs/cgan.py:tuned", "--budget=2", "objective=lsgan"], "a number and a unit"),
        (["--config=configs/cgan.py:tuned", "--margin=2", "objective=lsgan"], "such as 10%"),
        (["--config=configs/cgan.py:tuned", "--score=fid", "objective=lsgan"], "fid"),
        (["--config=configs/cgan.py:tuned", "--max_seeds=2", "objective=lsgan"], "must be at least 3"),
        (["--config=configs/cgan.py:tuned", "--error_rate=2", "objective=lsgan"], "between 0 and 0.5"),
    ],
)
def test_mistakes_of_flags(command, message, capsys):
    assert run(compare, *command) == 2
    assert message in capsys.readouterr().err


def test_margins_and_budgets():
    assert options.margin("", "frechet_distance") == pytest.approx(math.log(1.1))
    assert options.margin("25%", "frechet_distance") == pytest.approx(math.log(1.25))
    assert options.margin("3%", "conditional_accuracy") == pytest.approx(0.03)
    assert [options.seconds(text) for text in ("90m", "2h", "1.5d", "30s")] == [5400, 7200, 129600, 30]


def test_a_rule_is_written_first_and_cannot_change(tmp_path):
    arms = arms_of.parse("configs/cgan.py:tuned", "data.name=mnist_5k", ["objective=lsgan"])
    Workdir(tmp_path / "w", RULE, arms).start({})
    Workdir(tmp_path / "w", RULE, arms).start({})
    with pytest.raises(UserError, match=r"written for margin=0\.0953.*choose another --workdir"):
        Workdir(tmp_path / "w", RULE._replace(margin=0.2), arms).start({})
    other = arms_of.parse("configs/cgan.py:tuned", "data.name=mnist_5k", ["objective=hinge"])
    with pytest.raises(UserError, match="written for arms="):
        Workdir(tmp_path / "w", RULE, other).start({})


def words(folders, **more):
    """--shared for the tiny networks on the fixture's data."""
    changes = {**TINY, "data.name": "idx", "data.dir": folders.data, "data.num_validation": 15, "num_epochs": 0}
    changes |= {"num_steps": 20, "eval.num_images": 12, "eval.at_end_num_images": 20} | more
    return " ".join(
        f"{key}={','.join(map(str, value)) if isinstance(value, tuple) else value}" for key, value in changes.items()
    )


@pytest.mark.slow
def test_a_comparison_to_its_end(folders, tmp_path, capsys):
    work = tmp_path / "work"
    command = [
        "--config",
        "configs/cgan.py",
        "--shared",
        words(folders),
        "--workdir",
        work,
        "--data_dir",
        folders.cache,
    ]
    command += ["--max_seeds", "4", "lsgan:objective=lsgan"]
    assert run(compare, *command, "--plan") == 0
    assert re.search(r"a run trains for about [\d.e-]+ s on this machine", capsys.readouterr().out)
    assert not work.exists()
    assert run(compare, *command) == 0
    printed = capsys.readouterr().out
    assert "look 2" in printed
    record = json.loads((work / "compare.json").read_text())
    assert record["looks"] == 2
    (arm,) = record["arms"]
    assert (arm["name"], arm["changes"]) == ("lsgan", {"objective": ["bce", "lsgan"]})
    seeds, seeds_of_base = arm["seeds"]
    assert seeds == 4
    assert seeds_of_base >= 3, "how many it gets follows from the times of the runs"
    documented = set(re.findall(r"`(\w+)`", pathlib.Path("docs/compare.md").read_text()))
    assert not {*record, *record["rule"], *arm} - documented
    html = (work / "compare.html").read_text()
    parsed = Parsed(html)
    assert not any(tag == "script" for tag, _ in parsed.attributes)
    assert sum(tag == "img" for tag, _ in parsed.attributes) == 2
    assert "lsgan" in parsed.texts["p"][0]
    # Nothing is trained again; a larger budget goes on with the next look.
    assert run(compare, *command) == 0
    assert json.loads((work / "compare.json").read_text())["looks"] == 2
    assert run(compare, *["6" if word == "4" else word for word in command]) == 0
    assert json.loads((work / "compare.json").read_text())["looks"] == 3
    # The same runs as finished ones.
    paths = {arm: sorted(map(str, (work / name).glob("seed-?"))) for arm, name in read_hashes(work).items()}
    study = finished.study_of({"base": paths["base"], "changed": paths["lsgan"]})
    assert {name: len(arm.runs) for name, arm in study.arms.items()} == {
        "base": len(paths["base"]),
        "changed": len(paths["lsgan"]),
    }
    assert len(paths["lsgan"]) == 6


@pytest.fixture
def finished_runs(tmp_path):
    """Two runs of two seeds each that have ended; only the score differs, and the protocol is not the usual one."""
    for name, distance in (("base", 20.0), ("changed", 10.0)):
        for seed in range(2):
            folder = tmp_path / name / f"seed-{seed}"
            folder.mkdir(parents=True)
            config = arms_of.parse("configs/cgan.py:tuned", f"seed={seed} num_steps=4", [])[0].config
            write_sealed(folder / "config.json", json.loads(configs.to_json(config)))
            write_sealed(folder / "run.json", {"status": "completed", "step": 4, "seconds": 1.0, "commit": "abc"})
            (folder / "metrics.jsonl").write_text("")
            scores = {"frechet_distance": distance + seed, "features": "f", "data": "digits", "num_real": 10}
            (folder / "evaluation-9_images.json").write_text(json.dumps(scores))
    return tmp_path


def test_finished_runs_are_one_look(finished_runs, capsys):
    command = ["--runs", finished_runs / "base", "--against", finished_runs / "changed" / "seed-0"]
    command += [finished_runs / "changed" / "seed-1", "--workdir", finished_runs / "page"]
    assert run(compare, *command) == 0
    assert "changed is better than the base: Frechet distance, last step x0.51" in capsys.readouterr().out
    record = json.loads((finished_runs / "page" / "compare.json").read_text())
    assert (record["rule"]["one_look"], record["provenance"]["commit"]) == (True, "abc")
    (arm,) = record["arms"]
    assert arm["seeds"] == [2, 2]
    other = finished_runs / "changed" / "seed-1" / "evaluation-9_images.json"
    other.write_text(other.read_text().replace('"f"', '"g"'))
    assert run(compare, *command) == 2
    assert "has features=g, others f" in capsys.readouterr().err
    other.unlink()
    assert run(compare, *command) == 2
    assert "has no scores: python -m gan_jax.evaluate --workdir" in capsys.readouterr().err


def read_hashes(work):
    return json.loads((work / "rule.json").read_text())["arms"]


def test_sentences_that_a_supervisor_can_read():
    arm = sequential.ArmLook((6, 8), -0.3, (-0.4, -0.2), (-0.4, -0.2), (0, 0), 1.0, "better")
    text = page.sentence("lsgan", arm, RULE)
    assert text.startswith("lsgan is better than the base: Frechet distance, last step x0.74, interval x0.67 to x0.82")
    assert text.endswith("(6 seeds against 8 of the base).")
    small = page.sentence("lsgan", arm._replace(verdict="worse, but by less than the margin"), RULE)
    assert small.startswith("lsgan is worse than the base, but by less than the margin: ")
    assert "says little" in page.sentence("lsgan", arm._replace(failures=(5, 7)), RULE)
    assert page.sentence("lsgan", arm._replace(verdict="undecided"), RULE).startswith("lsgan is undecided: ")
    failing = arm._replace(verdict="fails", failures=(5, 0), failure_p=0.001)
    assert "fails more often than the base: 5 lost runs" in page.sentence("sgd", failing, RULE)
