"""The user's own parts: registered by a file, named in a config, checked like this project's own."""

import os
import subprocess
import sys

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gan_jax
from gan_jax import build, evaluate, main, sample
from gan_jax.gan.types import DiscriminatorOutput
from gan_jax.losses.terms import TERMS
from gan_jax.networks import NETWORKS, mlp
from gan_jax.system import config as configs
from gan_jax.system import parts
from gan_jax.training.check import trace_step
from tests.tiny import overrides_of, run

FILE = '''
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

import gan_jax
from gan_jax.networks import mlp


def d_loss(real, fake, targets):
    return jnp.mean(jax.nn.softplus(-real) + jax.nn.softplus(fake))


def g_loss(real, fake, targets):
    return jnp.mean(jax.nn.softplus(-fake))


def drift(inputs, *, size):
    """Karras et al. 2017 (arXiv 1710.10196, appendix A.1)."""
    return jnp.mean(jnp.abs(inputs.real.logits) ** size)


class Generator(mlp.Generator):
    @nn.compact
    def __call__(self, z, labels, train):
        x = nn.Dense(self.widths[0], name="first")(self.condition()(z, labels, train))
        _, x = self.post_layers[0]()(x, labels, train)
        for post_layer in self.post_layers[1:]:
            _, x = post_layer()(x, labels, train)
        return self.output(nn.Dense(int(np.prod(self.image_shape)))(x)).reshape(-1, *self.image_shape)


def stripes():
    rng = np.random.default_rng(0)
    labels = np.arange(80) % 2
    images = np.where(labels[:, None, None, None] == 0, np.eye(8)[:, :, None], 1 - np.eye(8)[:, :, None]) * 200
    return [((images + rng.integers(0, 50, images.shape)).astype(np.uint8), labels)]


gan_jax.register_objective("my_objective", d_loss, g_loss, uses_targets=False)
gan_jax.register_term("my_drift", drift, "d", {"size": (2.0, "at least 1", lambda size: size >= 1)})
gan_jax.register_network("my_mlp", Generator, mlp.Discriminator)
gan_jax.register_activation("my_swish", lambda x: x * jax.nn.sigmoid(2 * x))
gan_jax.register_data_source("my_stripes", stripes)


def get_config():
    return gan_jax.config(
        "cgan",
        objective="my_objective",
        **{
            "d_loss.my_drift": 0.001,
            "terms.my_drift.size": 1.5,
            "generator.family": "my_mlp",
            "generator.activation": "my_swish",
            "data.name": "my_stripes",
        },
    )
'''
OVERRIDES = [line for line in overrides_of("") if ".data.name" not in line and ".data.dir" not in line]


@pytest.fixture(autouse=True)
def _nothing_stays_registered():
    yield
    for kind, name in list(parts._registered):
        gan_jax.unregister(kind, name)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    return path


@pytest.mark.thorough
def test_a_file_of_ones_own_trains_and_is_scored(file, tmp_path, capsys, quick_classifier):
    workdir = tmp_path / "run"
    arguments = ("--workdir", workdir, *(line.replace("norm=batch", "norm=none") for line in OVERRIDES))
    assert run(main, "--config", file, *arguments) == 0, capsys.readouterr().err
    info = gan_jax.load(workdir).info
    assert info["parts"] == [
        "activation my_swish",
        "data source my_stripes",
        "network my_mlp",
        "objective my_objective",
        "term my_drift",
    ]
    assert info["data"]["source"] == "data source my_stripes"
    assert "d_my_drift" in gan_jax.load(workdir).metrics()
    assert gan_jax.load(workdir).config.terms.my_drift.size == 1.5
    for kind, name in list(parts._registered):
        gan_jax.unregister(kind, name)
    capsys.readouterr()
    assert run(sample, "--workdir", workdir, "--output", tmp_path / "a.png") == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "was trained with parts of another file: activation my_swish, data source my_stripes, network my_mlp" in line
    assert "--parts FILE.py" in line
    assert run(sample, "--workdir", workdir, "--output", tmp_path / "a.png", "--parts", file) == 0
    assert run(evaluate, "--workdir", workdir, "--num_images", 10, "--features", "pixels", "--parts", file) == 0


@pytest.mark.thorough
def test_child_processes_load_the_file(file, monkeypatch):
    monkeypatch.setattr(parts, "_files", [])
    configs.load("cdcgan")
    assert parts.environment() == {}
    configs.load(str(file))
    configs.load(str(file))
    assert parts.environment() == {"GAN_JAX_PARTS": str(file)}
    code = "from gan_jax import cli; from gan_jax.losses.adversarial import OBJECTIVES as o; "
    code += "cli.execute(lambda: print('my_objective' in o))"
    for environment, expected in ((parts.environment(), "True"), ({}, "False")):
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == expected


def test_other_runs_do_not_change(file):
    before = configs.load("cdcgan").to_dict()
    mine = configs.load(str(file))
    assert "my_drift" in mine.d_loss
    assert "my_drift" not in mine.g_loss
    assert configs.load("cdcgan").to_dict() == before
    config = gan_jax.config("cdcgan", num_steps=5, batch_size=4)
    gan = gan_jax.build(config, (28, 28, 1), 10)
    _, _, metrics = trace_step(config, gan, (28, 28, 1))
    assert not [name for name in metrics if "my_" in name]
    assert parts.used(config) == []


def test_a_file_may_be_loaded_twice(file):
    assert configs.load(str(file)).to_dict() == configs.load(str(file)).to_dict()
    file.write_text(FILE.replace("softplus(-real)", "relu(1 - real)"))
    with pytest.raises(gan_jax.UserError, match="objective 'my_objective' is registered with another definition"):
        configs.load(str(file))
    gan_jax.unregister("objective", "my_objective")
    configs.load(str(file))


def d_loss(real, fake, targets):
    return jnp.mean(fake) - jnp.mean(real)


def g_loss(real, fake, targets):
    return -jnp.mean(fake)


def shifted(inputs, *, by):
    return by + jnp.mean(inputs.real.logits)


class NoHidden(gan_jax.BaseGenerator):
    pass


@pytest.mark.parametrize(
    ("register", "arguments", "message"),
    [
        ("objective", ("hinge", d_loss, g_loss), "objective 'hinge' is one of gan_jax's own; choose another name"),
        ("objective", ("My loss", d_loss, g_loss), "write a name of small letters, digits and _, such as my_objective"),
        ("objective", ("mine", lambda r, f, t: r, g_loss), r"the loss of the discriminator has the shape \(4,\)"),
        ("term", ("gradient_penalty", lambda inputs: 0.0), "is one of gan_jax's own"),
        ("term", ("adversarial", lambda inputs: 0.0), "is one of gan_jax's own"),
        ("term", ("mine", shifted), r"its function has the knobs \['by'\], and `knobs` has \[\]"),
        ("term", ("mine", shifted, "d", {"by": (0.0, "above 0", lambda by: by > 0)}), "terms.mine.by=0.0: must be ab"),
        ("term", ("mine", lambda inputs: 0.0, "dgx"), "players='dgx' must be d, g or dg"),
        ("network", ("mlp", mlp.Generator, mlp.Discriminator), "is one of gan_jax's own"),
        ("network", ("mine", nn.Dense, mlp.Discriminator), "its generator must be a subclass of gan_jax.BaseGenerator"),
        ("network", ("mine", mlp.Generator, mlp.Generator), "subclass of gan_jax.BaseDiscriminator"),
        ("network", ("mine", NoHidden, mlp.Discriminator), "its generator needs the static method num_hidden"),
        ("activation", ("relu", jax.nn.relu), "is one of gan_jax's own"),
        ("activation", ("mine", jax.nn.softmax), "must map one array element by element"),
        ("data_source", ("mnist_5k", list), "is one of gan_jax's own"),
        ("data_source", ("npz", list, (".x",)), "is one of gan_jax's own"),
    ],
)
def test_mistakes_get_one_line(register, arguments, message):
    tables = {**TERMS}, {**NETWORKS}
    with pytest.raises(gan_jax.UserError, match=message):
        getattr(gan_jax, f"register_{register}")(*arguments)
    assert tables == ({**TERMS}, {**NETWORKS})
    assert not parts._registered


def test_unregister_names_what_there_is():
    gan_jax.register_activation("mine", jnp.tanh)
    with pytest.raises(gan_jax.UserError, match="no activation 'min' is registered; registered are: activation 'mine'"):
        gan_jax.unregister("activation", "min")


def test_the_checks_of_a_config_apply_to_registered_terms():
    gan_jax.register_term("mine", shifted, "d", {"by": (1.0, "above 0", lambda by: by > 0)}, needs_classes=True)
    with pytest.raises(gan_jax.UserError, match="terms.mine.by=2.0 does nothing: give --config.d_loss.mine a weight"):
        build.build(gan_jax.config("cdcgan", **{"terms.mine.by": 2.0}), (28, 28, 1), 10, 5)
    config = gan_jax.config("cdcgan", **{"d_loss.mine": 2.0})
    with pytest.raises(gan_jax.UserError, match="d_loss.mine needs class logits"):
        build.build(config, (28, 28, 1), 10, 5)
    with pytest.raises(gan_jax.UserError, match="g_loss.mine is not a key"):
        gan_jax.config("cdcgan", **{"g_loss.mine": 2.0})


def test_a_module_is_an_activation():
    class Scaled(nn.Module):
        @nn.compact
        def __call__(self, x):
            return x * self.param("scale", nn.initializers.ones, (1,)).reshape((1,) * x.ndim)

    gan_jax.register_activation("mine", Scaled)
    config = gan_jax.config("cgan", num_steps=5, num_epochs=0, **{"generator.activation": "mine"})
    state, _, _ = trace_step(config, gan_jax.build(config, (8, 8, 1), 2), (8, 8, 1))
    names = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(state.generator.params)]
    assert any("Scaled" in name for name in names)


def test_a_source_of_files(tmp_path):
    from gan_jax.data import sources

    def read(path):
        images = np.load(path)
        return [(images, np.arange(len(images)) % 2)] * 2

    gan_jax.register_data_source("mine", read, (".npy",))
    np.save(tmp_path / "a.npy", np.zeros((6, 4, 4, 1), np.uint8))
    dataset = sources.load("mine", str(tmp_path / "a.npy"))
    assert (dataset.name, str(dataset.source)) == ("mine", f"mine files in {tmp_path / 'a.npy'}")
    with pytest.raises(gan_jax.UserError, match="data.name=mine needs a folder or a .npy file: set --config.data.dir"):
        sources.load("mine")
    np.save(tmp_path / "a.npy", np.zeros((6, 4, 4, 1)))
    with pytest.raises(gan_jax.UserError, match="data source 'mine' has images of float64"):
        sources.load("mine", str(tmp_path / "a.npy"))


def test_a_network_of_ones_own_has_the_networks_checks():
    class Generator(mlp.Generator):
        pass

    class Discriminator(gan_jax.BaseDiscriminator):
        num_hidden = mlp.Generator.num_hidden

        @nn.compact
        def __call__(self, images, labels, train) -> DiscriminatorOutput:
            x = self.preprocess(images, train).reshape(len(images), -1)
            return self.apply_head(x, x, labels, train)

    gan_jax.register_network("mine", Generator, Discriminator)
    changes = {"discriminator.family": "mine", "discriminator.layers_per_width": 2}
    with pytest.raises(gan_jax.UserError, match="discriminator.layers_per_width=2 does nothing for family mine"):
        build.build(gan_jax.config("cgan", **changes), (28, 28, 1), 10, 5)
    with pytest.raises(gan_jax.UserError, match="generator.family='min' is unknown; did you mean mine"):
        build.build(gan_jax.config("cgan", **{"generator.family": "min"}), (28, 28, 1), 10, 5)
