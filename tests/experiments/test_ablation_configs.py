"""Every arm of every study has the documented changes on every base, and one step of it can be traced."""

import functools
import importlib
import pathlib
import re

import pytest

from configs import study
from gan_jax import cli
from gan_jax.system import config as configs
from gan_jax.system import recorded
from gan_jax.system.errors import UserError
from tests.systems import shape_of, shapes_of_a_step

FILES = sorted(pathlib.Path("configs/ablations").glob("[!_]*.py"))
FOLDER = "configs/ablations"


@functools.cache
def module(stem):
    return importlib.import_module(f"configs.ablations.{stem}")


def arms_on(path):
    """(arm, base, config) of a study on each of its bases."""
    study_module = module(path.stem)
    return [
        (arm, base, config) for base in study_module.BASELINE for arm, config in study.arms(study_module, base).items()
    ]


def first_seen():
    """study -> its arms with a config that no earlier study has."""
    seen, new_arms = set(), {}
    for path in FILES:
        for arm, base, config in arms_on(path):
            if (text := configs.to_json(config)) not in seen:
                seen.add(text)
                new_arms.setdefault(path, []).append((arm, base, config))
    return new_arms


@pytest.fixture(scope="module")
def new():
    return first_seen()


def test_every_arm_of_every_study_is_seen(new):
    every = {configs.to_json(config) for path in FILES for _, _, config in arms_on(path)}
    assert {configs.to_json(config) for arms in new.values() for _, _, config in arms} == every


each_study = pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])


@pytest.mark.thorough
@each_study
def test_an_arm_steps(path, new):
    # A study whose arms are all those of earlier studies takes a step too: its file could be wrong by itself.
    _, _, config = (new.get(path) or arms_on(path))[-1]
    shapes_of_a_step(config, shape_of(config))


@pytest.mark.slow
@each_study
def test_every_arm_steps(path, new):
    configs_of_arms = [config for _, _, config in new.get(path) or arms_on(path)]
    assert configs_of_arms
    for config in configs_of_arms:
        shapes_of_a_step(config, shape_of(config))


@each_study
def test_arms_differ_and_one_is_the_base(path):
    baseline = module(path.stem).BASELINE
    resolved = [(base, configs.to_json(config)) for _, base, config in arms_on(path)]
    assert len(set(resolved)) == len(resolved)
    for base, arm in baseline.items():
        changed = configs.differences(study.BASES[base](), study.arms(module(path.stem), base)[arm])
        assert not changed or (path.stem == "early_stopping" and all(line.startswith("eval.") for line in changed))


@pytest.mark.thorough
@each_study
def test_arms_are_the_files_variants_and_keep_types(path):
    names = [study.variant_name(arm, base) for arm, base, _ in arms_on(path)]
    assert configs.variants(str(path)) == names
    for (_, base, config), name in zip(arms_on(path), names, strict=True):
        assert configs.differences(configs.load(f"{path}:{name}"), config) == []
        by_hand = study.BASES[base]()
        configs.override(by_hand, module(path.stem).VARIANTS[name][1])
        assert configs.differences(by_hand, config) == []
        assert configs.differences(recorded.from_json(configs.to_json(config)), config) == []


@each_study
def test_the_docstring_asks_a_question_and_its_commands_work(path):
    text = module(path.stem).__doc__
    assert "?" in text.split("\n\n", 1)[0]
    specs = re.findall(r"gan_jax\.main --config (\S+)", text)
    assert specs, "no command"
    for spec in specs:
        assert spec.startswith(f"{path}:")
        cli.parse_config(spec, [])
    bases = {spec.partition("@")[2] or "tutorial" for spec in specs}
    assert bases <= set(module(path.stem).BASELINE)


def test_the_same_run_in_two_studies():
    """The runner trains each of these pairs once, because it identifies runs by their configs."""
    same = [
        ("optimizer.py:adamw", "weight_decay.py:adamw_1e-2"),
        ("normalization.py:group_g", "group_count.py:8"),
        ("learning_rate.py:2e-3@tuned", "ttur.py:d_2e-3_g_2e-3@tuned"),
        ("batch_norm_batch.py:none_32", "batch_size.py:32"),
        ("../cgan_final.py", "final.py:batch_norm_prelu_adamw"),
    ]
    for one, other in same:
        assert configs.differences(configs.load(f"{FOLDER}/{one}"), configs.load(f"{FOLDER}/{other}")) == []


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("optimizer.py", "optimizer.py:ONE, with one of: adam, .*sgd_1e-1, .*radam@tuned"),
        ("optimizer.py:radan", "did you mean .*radam"),
        ("optimizer.py:radam@tund", "did you mean .*radam@tuned"),
        ("optimizer.py:radam@tutorial", "did you mean .*radam"),
        ("optimiser.py:radam", "did you mean .*configs/ablations/optimizer.py"),
        ("improved_techniques.py:none", "no variant 'none'"),
    ],
)
def test_mistakes(spec, message):
    with pytest.raises(UserError, match=message) as error:
        configs.load(f"{FOLDER}/{spec}")
    assert "\n" not in str(error.value)
