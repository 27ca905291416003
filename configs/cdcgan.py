"""Conditional DCGAN: the best digits for the time on a small machine.

DCGAN's layers (arXiv 1511.06434), a label embedding appended to z in G, and a projection discriminator
(arXiv 1802.05637). It differs from the paper's recipe in these choices. They were made by conditional accuracy with one
short run each, which is not on record; some are questions of configs/ablations, with several seeds:
- batches of 64: twice the updates in the same time;
- learning rate 1e-3 for both players;
- batch norm in D, as in the paper;
- projection instead of the label as one more input channel of D: as good, and a little cheaper;
- samples from an exponential moving average (EMA) of G.

    python -m gan_jax.main --config configs/cdcgan.py
    python -m gan_jax.main --config configs/cdcgan.py --config.num_steps=0 --config.num_epochs=10

The first command is a quick run: a few minutes on 2 cores, whatever the size of the data set. Its scores are in
docs/first_run.md. The second command trains on all of MNIST.
"""

from ml_collections import ConfigDict

from configs import dcgan


def get_config() -> ConfigDict:
    """The differences from the paper's DCGAN."""
    config = dcgan.get_config()
    config.num_epochs = 0
    config.num_steps = 1500
    config.batch_size = 64
    config.prior.name = "normal"
    config.objective = "bce_logits"
    config.generator.conditioning = "concat"
    config.generator.ema_decay = 0.999
    config.discriminator.head = "projection"
    for optimizer in (config.d_optimizer, config.g_optimizer):
        optimizer.learning_rate = 1e-3
    return config
