"""The origin of a number that is not finite, in small functions and in a run that diverges."""

import jax
import jax.numpy as jnp
import pytest

from gan_jax.losses.adversarial import OBJECTIVES
from gan_jax.system import config as configs
from gan_jax.system.errors import TrainingFailed
from gan_jax.training import session
from gan_jax.training.diagnosis import first_not_finite


def test_finite_outputs_give_no_diagnosis():
    assert first_not_finite(lambda x: jnp.where(x > 0, jnp.log(x), 0.0), jnp.arange(3.0)) is None
    assert first_not_finite(lambda key: jax.random.normal(key, (3,)), jax.random.key(0)) is None


def test_the_first_operation_is_named_and_not_its_consequences():
    def chain(x):
        masked = jnp.where(x > 0, jnp.log(x), 0.0)
        return {"a": jnp.exp(jnp.sqrt(x - 1.0)) + masked, "b": jnp.log(jnp.sqrt(x - 1.0))}

    message = first_not_finite(chain, jnp.arange(3.0))
    assert "'sqrt'" in message
    assert "shape [3], 1 of its 3 numbers are not finite" in message
    assert "from -1 to 1" in message


def test_inside_scan_jit_and_grad():
    def step(carry, x):
        return carry - x, jax.jit(jnp.sqrt)(carry)

    def last(start, xs):
        return jnp.sum(jax.lax.scan(step, start, xs)[1])

    assert "'sqrt'" in first_not_finite(last, 2.0, jnp.ones(5))
    # sqrt(0) is finite; its derivative is not.
    assert first_not_finite(last, 2.0, jnp.ones(3)) is None
    assert "'div'" in first_not_finite(jax.grad(last), 2.0, jnp.ones(3))


def test_an_input_that_is_not_finite_is_named():
    message = first_not_finite(lambda state: state, {"params": {"kernel": jnp.full(2, jnp.inf)}})
    assert message == "params.kernel was not finite before the step"


@pytest.mark.thorough
@pytest.mark.parametrize("every", [pytest.param(0, marks=pytest.mark.slow), 2])
def test_a_run_that_diverges_names_the_operation(config, tmp_path, every, monkeypatch):
    """D's loss has a root whose argument falls below 0 after some steps, within a call of many steps."""

    def discriminator(real, fake, targets):
        return jnp.mean(fake - real) + jnp.mean(jnp.sqrt(8.0 + fake - real))

    monkeypatch.setitem(OBJECTIVES, "bce_logits", OBJECTIVES["bce_logits"]._replace(discriminator=discriminator))
    changes = {"objective": "bce_logits", "steps_per_call": 50, "num_steps": 200, "checkpoint_every_steps": every}
    rates = {"d_optimizer.learning_rate": 0.1, "g_optimizer.learning_rate": 1e-4, "sample_every_steps": 0}
    # The diagnosis compiles each kind of operation separately, so this network has few kinds.
    few_operations = {"generator.norm": "none", "generator.ema_decay": 0.0, "d_steps": 1}
    configs.override(config, changes | rates | few_operations)
    path = str(tmp_path / "run")
    with pytest.raises(TrainingFailed, match="not finite at step") as error:
        session.train(config, path)
    assert "bad tensor" not in str(error.value)
    # The same command with guard.debug.
    configs.override(config, {"guard.debug": True})
    with pytest.raises(TrainingFailed, match="the first bad tensor is the output of 'sqrt' in d_update") as error:
        session.train(config, path)
    assert error.value.exit_code == 3
    assert "\n" not in str(error.value)
