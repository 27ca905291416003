"""A study of the user's own: a file anywhere, its data, its results and its report."""

import pytest

from experiments.ablations import __main__ as runner
from experiments.ablations import plan, results
from experiments.ablations.presets import PRESETS
from experiments.reporting.claims_list import CLAIMS
from gan_jax.system.errors import UserError
from tests.experiments import canned_studies
from tests.tiny import run

STUDY = '''"""Does the slope matter?

More.
"""

from configs import study

BASELINE = {"tuned": "0.2"}
ARMS = {"0.2": {}, "0.05": {"discriminator.slope": 0.05}}
VARIANTS, get_config = study.variants(ARMS, BASELINE)
'''


def write(path, text=STUDY):
    """A file of a study."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return str(path)


@pytest.mark.thorough
def test_a_study_of_ones_own_is_listed_and_planned(tmp_path, capsys):
    path = write(tmp_path / "my" / "slope.py")
    assert run(runner, "--list", f"--studies={path},loss", "--bases=tuned") == 0
    printed = capsys.readouterr().out
    assert "slope                tuned 2" in printed
    assert "Does the slope matter?" in printed
    arms = plan.plan((path,), ("tuned",), 10, {})
    assert [arm.label for arm in arms] == ["slope:0.2@tuned", "slope:0.05@tuned"]
    assert {arm.file_name for arm in arms} == {"slope@tuned.json"}
    assert arms[1].config_spec == f"{path}:0.05@tuned"
    assert [arm.is_baseline for arm in arms] == [True, False]
    # Its results are not those of this project.
    assert results.output_folder("", "out", tmp_path, "full", arms) == tmp_path / "results"
    assert results.output_folder("given", "out", tmp_path, "full", arms).name == "given"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("slope.py", STUDY.replace("BASELINE", "BASE"), "is no study: it needs a docstring"),
        ("slope.py", STUDY.partition("from")[2].join(["from", ""]), "is no study: it needs a docstring"),
        ("slope.py", STUDY.replace('"tuned"', '"tund"'), "base='tund' is unknown; did you mean tuned?"),
        ("slope.py", STUDY.replace('"tuned": "0.2"', '"tuned": "0.3"'), "BASELINE='0.3' is unknown"),
        ("slope.py", STUDY.replace("study.variants", "study.variant"), "cannot be loaded: AttributeError"),
        ("loss.py", STUDY, "configs/ablations has a study of this name; rename the file"),
    ],
)
def test_a_file_that_is_no_study_is_refused_in_one_line(name, text, message, tmp_path, capsys):
    path = write(tmp_path / "my" / name, text)
    assert run(runner, "--list", f"--studies={path}") == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_two_studies_of_one_name_are_refused(tmp_path):
    paths = [write(tmp_path / folder / "slope.py") for folder in ("one", "two")]
    with pytest.raises(UserError, match="two are called slope"):
        plan.check(tuple(paths), ())


def test_nothing_to_do_is_an_error_that_says_why(tmp_path, capsys):
    for more in ([], ["--list"]):
        assert run(runner, "--studies=loss", "--bases=cdcgan", "--workdir", tmp_path / "work", *more) == 2
        assert "--bases=cdcgan: loss is on tuned and tutorial only" in capsys.readouterr().err


def test_a_preset_keeps_the_data_of_a_study(tmp_path):
    own_data = '{"0.2": {"data.name": "folder", "data.dir": "photos"}, "0.05": {"data.dir": "digits"}}'
    path = write(tmp_path / "own.py", STUDY.replace('{"0.2": {}, "0.05": {"discriminator.slope": 0.05}}', own_data))
    for preset in PRESETS.values():
        shared = preset.data | {"eval.num_images": 12}
        first, second = (arm.config for arm in plan.plan((path,), ("tuned",), 10, shared))
        assert (first.data.name, first.data.dir, second.data.name, second.data.dir) == (
            *("folder", "photos"),
            *("mnist", "digits"),
        )
        assert first.eval.num_images == 12
    with pytest.raises(UserError, match="the study has data of its own .*leave --idx out"):
        plan.plan((path,), ("tuned",), 10, {"data.name": "idx", "data.dir": "elsewhere"})
    (other, *_) = plan.plan((write(tmp_path / "slope.py"),), ("tuned",), 10, PRESETS["quick"].data)
    assert other.config.data.name == "mnist_5k"


def test_the_report_of_ones_own_study_asks_no_other_question(tmp_path):
    """No claim of the tutorial, and no command for one."""
    for study in ("slope", "optimizer"):
        record = canned_studies.canned(study, "tuned", canned_studies.ARMS)
        _, text = canned_studies.page_of([record], tmp_path / study)
        assert f"{study} on tuned" in text
        asks_claims = any(claim.sentence in text for claim in CLAIMS)
        assert (
            asks_claims == ("tutorial" in text) == ("python -m experiments.ablations" in text) == (study == "optimizer")
        )
