"""The option --sampler: its settings, the runs for which it is refused, and the commands that take it."""

import functools
import inspect
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gan_jax
from gan_jax import cli, evaluate, sample
from gan_jax.evaluation.rejection import generate_by_rejection
from gan_jax.formats.generator import Generator
from gan_jax.gan.types import Targets
from gan_jax.losses.adversarial import OBJECTIVES
from gan_jax.runs import samplers
from gan_jax.runs.load import load_run
from gan_jax.runs.samplers import SAMPLERS, make_sampler
from gan_jax.system.errors import UserError
from tests.gan.tiny_gan import make
from tests.tiny import run

# Imports of TensorFlow give warnings about other packages.
pytestmark = pytest.mark.filterwarnings("ignore")


def config_with(*overrides):
    return cli.parse_config("configs/cgan.py", [f"--config.{override}" for override in overrides])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dsr", "sampler='dsr' is unknown; did you mean drs"),
        ("drs:percentil=3", "did you mean percentile"),
        ("drs:percentile=100", "percentile=100.0: must be at least 0 and less than 100"),
        ("drs:percentile=", "percentile=: must be at least 0"),
        ("drs:percentile=80,gamma=0", "give one of them"),
        ("drs:gamma=nan", "gamma=nan: must be a number"),
        ("drs:burn_in=0", "burn_in=0: must be a whole number of images, at least 1"),
        ("ddls:steps=1.5", "steps=1.5: must be a whole number, at least 1"),
        ("ddls:step_size=4", "step_size=4.0: must be more than 0 and less than 4"),
        ("prior:steps=3", "the setting of the sampler='steps' is unknown"),
    ],
)
def test_mistakes_in_the_text(text, message):
    with pytest.raises(UserError, match=message) as error:
        make_sampler(text, make()[0], config_with())
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "override", "message"),
    [
        *[
            (name, override, message)
            for name in ("drs", "ddls")
            for override, message in [
                ("objective=lsgan", r"a log density ratio \(objective bce or bce_logits or .*\), not lsgan"),
                ("targets.real=0.9", "not one with targets.real=0.9"),
                ("targets.inverted=true", "not one with targets.inverted=True"),
                ("d_loss.adversarial=0", "not one with d_loss.adversarial=0"),
                ("discriminator.minibatch=stddev", "not one with discriminator.minibatch=stddev"),
            ]
        ],
        ("ddls", "prior.name=uniform", "ddls needs the prior normal, not uniform; leave the sampler out"),
        ("ddls", "prior.name=truncated_normal", "not truncated_normal"),
    ],
)
def test_runs_to_which_a_sampler_does_not_apply(name, override, message):
    gan, _ = make()
    with pytest.raises(UserError, match=message) as error:
        make_sampler(name, gan, config_with(override))
    assert "\n" not in str(error.value)
    assert make_sampler("prior", gan, config_with(override))


def test_what_a_sampler_does_not_need_is_not_asked_for():
    gan, _ = make()
    for override in ("targets.generator=0.9", "objective=saturating", "d_loss.r1=1", "discriminator.norm=batch"):
        assert make_sampler("drs", gan, config_with(override))
        assert make_sampler("ddls", gan, config_with(override))
    assert make_sampler("drs", gan, config_with("prior.name=uniform"))


def test_the_log_ratio_minimises_the_loss_of_these_objectives_alone():
    """At a point x with densities p_data and p_G, D's loss p_data L(1) + p_G L(0) has its minimum at some logit."""
    logits, ratio = np.linspace(-3, 3, 601), 2.5
    one, zero, far = np.ones(1, np.float32), np.zeros(1, np.float32), np.full(1, 30, np.float32)
    for name, objective in OBJECTIVES.items():
        loss = jax.jit(functools.partial(objective.discriminator, targets=Targets(one, zero, one)))

        def at_x(logit, loss=loss):
            """The other image of each pair is far away, where D is sure."""
            here = np.full(1, logit, np.float32)
            return ratio * float(loss(here, -far)) + float(loss(far, here))

        values = [at_x(logit) for logit in logits]
        is_found = abs(logits[np.argmin(values)] - np.log(ratio)) < 0.02
        assert objective.logit_is_log_ratio == is_found, name


def test_a_registered_objective_says_so_itself():
    gan, losses = make()[0], (lambda real, fake, targets: jnp.mean(fake - real),) * 2
    try:
        gan_jax.register_objective("my_calibrated", *losses, uses_targets=False, logit_is_log_ratio=True)
        gan_jax.register_objective("my_other", *losses, uses_targets=False)
        assert make_sampler("drs", gan, config_with("objective=my_calibrated"))
        with pytest.raises(UserError, match="or my_calibrated\\), not my_other"):
            make_sampler("drs", gan, config_with("objective=my_other"))
    finally:
        for name in ("my_calibrated", "my_other"):
            gan_jax.unregister("objective", name)


def test_the_defaults_are_those_of_the_functions():
    arguments = inspect.signature(generate_by_rejection).parameters
    knobs = SAMPLERS["drs"].knobs
    assert {name for name, parameter in arguments.items() if parameter.kind is parameter.KEYWORD_ONLY} == set(knobs)
    assert all(arguments[name].default == knob.default for name, knob in knobs.items() if name != "gamma")
    arguments = inspect.signature(samplers._by_langevin).parameters
    assert all(arguments[name].default == knob.default for name, knob in SAMPLERS["ddls"].knobs.items())


def test_an_unconditional_run_has_one_series_for_all_labels():
    gan, state = make(generator__conditioning="none")
    config = config_with("generator.conditioning=none", "discriminator.conditioning=none")
    draw = make_sampler("drs:burn_in=20", gan, config)
    labels = np.arange(6, dtype=np.int32) % 3
    images = draw(state, labels, 1)
    np.testing.assert_array_equal(images, draw(state, labels[::-1], 1))
    assert len(np.unique(images.reshape(6, -1), axis=0)) == 6, "every image is another one"


@pytest.mark.parametrize("text", ["drs:burn_in=30", "drs:gamma=0,burn_in=30", "ddls:steps=3,step_size=0.1"])
def test_the_command_and_the_library_give_the_same_images(text, finished_run, tmp_path):
    path, _ = finished_run
    arguments = ("--workdir", path, "--labels", "2,0,1,2", "--seed", 3)
    files = {name: tmp_path / f"{name}.npz" for name in ("plain", "chosen", "again")}
    assert run(sample, *arguments, "--output", files["plain"]) == 0
    for name in ("chosen", "again"):
        assert run(sample, *arguments, "--sampler", text, "--output", files[name]) == 0
    plain, chosen, again = (np.load(file) for file in files.values())
    assert chosen["labels"].tolist() == [2, 0, 1, 2]
    np.testing.assert_array_equal(chosen["images"], again["images"])
    assert (chosen["images"] != plain["images"]).any()
    loaded = gan_jax.load(path)
    np.testing.assert_array_equal(loaded.sample(labels=[2, 0, 1, 2], seed=3, sampler=text), chosen["images"])
    assert (loaded.sample(labels=[2, 0, 1, 2], seed=3, sampler=text, raw=True) != chosen["images"]).any()
    for other in ({"z": loaded.latents(4)}, {"truncation": 1.0}, {"labels": np.eye(3)}):
        with pytest.raises(UserError, match="draws z itself"):
            loaded.sample(len(other.get("labels", range(4))), **other, sampler=text)


def test_nothing_is_written_after_a_mistake(finished_run, tmp_path, capfd):
    path, _ = finished_run
    before = sorted(path.rglob("*"))
    output = tmp_path / "x.png"
    assert run(sample, "--workdir", path, "--sampler", "drs:percentile=200", "--output", output) == 2
    assert run(evaluate, "--workdir", path, "--sampler", "drz", "--features", "pixels") == 2
    lines = [line for line in capfd.readouterr().err.splitlines() if line]
    assert [line[:7] for line in lines] == ["error: "] * 2
    assert not output.exists()
    assert sorted(path.rglob("*")) == before


@pytest.mark.thorough
def test_the_scores_of_a_sampler_are_a_protocol_of_their_own(copy_of_run, tmp_path, capsys):
    """Of both seeds of a run. An export states only scores of images whose z are from the prior."""
    copy_of_run(tmp_path / "run", num_seeds=2)
    arguments = ("--workdir", tmp_path / "run", "--features", "pixels", "--quick", "--num_images", 20)
    assert run(evaluate, *arguments, "--sampler", "drs:burn_in=30,percentile=50") == 0
    assert ", sampler drs:burn_in=30,percentile=50" in capsys.readouterr().out
    name = "evaluation-20_images-pixels-quick-drs-burn_in=30-percentile=50.json"
    results = [json.loads((tmp_path / "run" / seed / name).read_text()) for seed in ("seed-0", "seed-1", "")]
    assert [result["sampler"] for result in results] == ["drs:burn_in=30,percentile=50"] * 3
    assert results[0]["frechet_distance"] != results[1]["frechet_distance"]
    exported = Generator(load_run(str(tmp_path / "run" / "seed-0")), is_ema=True)
    assert exported.scores() == {}
    assert run(evaluate, *arguments) == 0
    assert "sampler" not in capsys.readouterr().out
    plain = json.loads((tmp_path / "run" / "seed-0" / "evaluation-20_images-pixels-quick.json").read_text())
    assert plain["sampler"] == "prior"
    assert plain["frechet_distance"] != results[0]["frechet_distance"]
    assert exported.scores() == plain
