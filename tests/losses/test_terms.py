"""The table of terms: the default config follows from it, and each entry declares what its function reads."""

import inspect

import jax
import jax.numpy as jnp
import pytest

from gan_jax import build
from gan_jax.losses import conditional, penalties, semi_supervised
from gan_jax.losses.build import build_losses
from gan_jax.losses.term import Knob, Term
from gan_jax.losses.terms import TERMS
from gan_jax.losses.weighted_sum import KNOBS
from gan_jax.runs import initial_state
from gan_jax.semi_supervised.codistillation import TEACHER_PROBS
from gan_jax.system import config as configs
from gan_jax.system.errors import UserError
from tests.losses.linear import linear_discriminator, linear_inputs

KNOBS_OF_TERMS = [(name, knob) for name, term in TERMS.items() for knob in term.knobs]
# Changes to the default config with which every term works: no layer mixes images, and D has a class for fakes.
COMPLETE = {
    "discriminator.head": "auxiliary_fake",
    "discriminator.ema_decay": 0.9,
    "discriminator.conditioning": "none",
    "data.num_labels": 100,
    "d_loss.classification": 1.0,
}
# Terms that need another head than that.
HEADS = {name: "contrastive" for name in TERMS if name.startswith(("contrastive", "data_to_data"))}


def complete(name):
    """The changes with which the term works."""
    return COMPLETE if name not in HEADS else {"discriminator.head": HEADS[name]}


def default(changes=None):
    config = configs.load("configs/default.py")
    configs.override(config, changes or {})
    return config


def refusal(config):
    with pytest.raises(UserError) as refused:
        build_losses(config, 100)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def value_of(name, inputs):
    """The value of a term with the default knobs."""
    return TERMS[name].value(inputs, **{knob: settings.default for knob, settings in TERMS[name].knobs.items()})


def complete_inputs(discriminate=linear_discriminator):
    """LossInputs with everything that any term reads."""
    inputs = linear_inputs()
    images, labels = inputs.batch[:2]
    return inputs._replace(
        batch=inputs.batch._replace(extras={TEACHER_PROBS: jnp.full((6, 3), 1 / 3)}),
        discriminate=discriminate,
        discriminate_ema=discriminate,
        real=discriminate(images, labels),
        fake=discriminate(*inputs.fakes[:2]),
    )


def test_a_new_term_is_one_entry(monkeypatch):
    """Every config has a weight and a knob for the new term, and the loss contains the term."""
    knobs = {"scale": Knob(2.0, "more than 0", lambda scale: scale > 0)}
    new = Term(lambda inputs, *, scale: scale * jnp.mean(inputs.real.logits), "d", knobs)
    monkeypatch.setitem(TERMS, "new", new)
    assert default().d_loss.new == 0
    assert default().terms.new.scale == 2
    assert "new" not in default().g_loss
    config = default({"d_loss.new": 3.0, "d_loss.adversarial": 0.0, "terms.new.scale": 5.0})
    inputs = complete_inputs()
    value, _ = build_losses(config, 100)[0](inputs)
    assert float(value) == pytest.approx(15 * float(jnp.mean(inputs.real.logits)))


def test_the_default_config_has_every_term_and_no_weight_but_that_of_the_adversarial_loss():
    config = default()
    weights = {name for loss in (config.d_loss, config.g_loss) for name in loss}
    assert weights == {"adversarial"} | TERMS.keys()
    for loss in (config.d_loss, config.g_loss):
        assert {name: weight for name, weight in loss.items() if weight} == {"adversarial": 1}
    assert config.ramp_up.to_dict() == {name: knob.default for name, knob in KNOBS.items()}


@pytest.mark.parametrize("name", TERMS)
def test_the_knobs_of_a_term_are_the_keywords_that_it_needs(name):
    parameters = list(inspect.signature(TERMS[name].value).parameters.values())[1:]
    assert [parameter.name for parameter in parameters if parameter.default is parameter.empty] == [*TERMS[name].knobs]


def test_no_term_is_in_two_files():
    assert sum(len(module.TERMS) for module in (conditional, penalties, semi_supervised)) == len(TERMS)
    assert "adversarial" not in TERMS


@pytest.mark.parametrize("loss", ["d_loss", "g_loss"])
@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_a_name_without_a_term_is_refused(loss, weight):
    """An unknown name does not count as the adversarial loss."""
    config = default()
    with config.unlocked():
        config[loss].gradient_penalti = weight
    assert refusal(config) == f"{loss}.gradient_penalti is no term of gan_jax/losses; did you mean gradient_penalty?"


# Some of these are in the range of a knob, others outside of it.
NUMBERS = (1, 0.5, 2, 0.05, 3, 100, -0.5, 0, -1, -100, 10**6)


def other_value(knob):
    """A value that the knob may have and that is not its default."""
    if knob.choices:
        return next(choice for choice in knob.choices if choice != knob.default)
    kind = type(knob.default)
    return next(value for value in map(kind, NUMBERS) if knob.allows(value) and value != knob.default)


@pytest.mark.parametrize(("name", "knob"), KNOBS_OF_TERMS)
def test_a_knob_of_a_term_without_a_weight_is_refused(name, knob):
    key, value = f"terms.{name}.{knob}", other_value(TERMS[name].knobs[knob])
    message = refusal(default({key: value}))
    assert message.startswith(f"{key}={value} does nothing: give --config.")
    assert f"_loss.{name} a weight" in message
    assert message.endswith(f"or leave --config.{key} unset")
    build_losses(default(complete(name) | {key: value, f"{TERMS[name].players[0]}_loss.{name}": 1.0}), 100)


@pytest.mark.parametrize("knob", KNOBS)
def test_a_ramp_up_without_a_ramped_term_is_refused(knob):
    message = refusal(default({f"ramp_up.{knob}": 1, "d_loss.r1": 1.0}))
    ramping = " or ".join(f"--config.d_loss.{name}" for name, term in TERMS.items() if term.ramps)
    assert message == f"ramp_up.{knob}=1 does nothing: give {ramping} a weight, or leave --config.ramp_up.{knob} unset"
    build_losses(default(COMPLETE | {f"ramp_up.{knob}": 1, "d_loss.entropy": 1.0}), 100)


def test_lazy_penalties_without_a_penalty_are_refused():
    message = refusal(default({"penalty_every": 4, "d_loss.lecam": 1.0}))
    penalties_of_d = " or ".join(f"--config.d_loss.{name}" for name, term in TERMS.items() if term.per_example)
    assert (
        message
        == f"penalty_every=4 does nothing: give {penalties_of_d} a weight, or leave --config.penalty_every unset"
    )
    assert refusal(default({"penalty_every": 0})) == "penalty_every=0: must be at least 1"
    build_losses(default({"penalty_every": 4, "d_loss.r1": 1.0}), 100)


@pytest.mark.parametrize(
    ("name", "knob"), [pair for pair in KNOBS_OF_TERMS if not TERMS[pair[0]].knobs[pair[1]].choices]
)
def test_a_knob_out_of_its_range_is_refused(name, knob):
    kind, allows = type(TERMS[name].knobs[knob].default), TERMS[name].knobs[knob].allows
    wrong = next(value for value in map(kind, NUMBERS) if not allows(value))
    message = refusal(default({f"terms.{name}.{knob}": wrong}))
    assert message.endswith(f": must be {TERMS[name].knobs[knob].range}")


@pytest.mark.parametrize("name", TERMS)
def test_a_term_declares_what_it_reads(name):
    """A term that needs class logits or param_mean fails without them; labels change its value if it uses labels."""
    term, inputs = TERMS[name], complete_inputs()
    value = value_of(name, inputs)

    def fails(incomplete_inputs):
        try:
            value_of(name, incomplete_inputs)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            return True
        return False

    no_classes = lambda images, labels: linear_discriminator(images, labels)._replace(class_logits=None)  # noqa: E731
    assert fails(complete_inputs(no_classes)) == term.needs_classes
    assert fails(inputs._replace(param_mean={})) == term.needs_param_mean
    labels = inputs.batch.labels.at[0].set(1)  # Other images have the same label as each other, too.
    with_other_labels = inputs._replace(
        batch=inputs.batch._replace(labels=labels), fakes=inputs.fakes._replace(labels=labels)
    )
    assert (float(value_of(name, with_other_labels)) != float(value)) == term.uses_labels


@pytest.mark.parametrize("name", TERMS)
def test_a_term_declares_that_it_differentiates_by_the_images(name):
    differentiated = []

    @jax.custom_jvp
    def record_gradient(images):
        return images

    @record_gradient.defjvp
    def _record_gradient_jvp(primals, tangents):
        differentiated.append(True)
        return primals[0], tangents[0]

    value_of(name, complete_inputs(lambda images, labels: linear_discriminator(record_gradient(images), labels)))
    assert bool(differentiated) == TERMS[name].per_example


@pytest.mark.parametrize("loss", ["", "d_loss", "g_loss"])
def test_the_state_has_param_mean_if_a_term_with_a_weight_reads_it(loss):
    config = default({"num_steps": 5} | ({f"{loss}.historical_averaging": 0.1} if loss else {}))
    gan = build.build(config, (8, 8, 1), 3, 5)
    state = initial_state.abstract_state(gan, 4, (8, 8, 1))
    assert bool(state.discriminator.param_mean) == (loss == "d_loss")
    assert bool(state.generator.param_mean) == (loss == "g_loss")
