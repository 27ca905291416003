"""Semi-supervised GAN (Odena 2016, arXiv 1606.01583), as in the common tutorial, but with few labels.

D has a real-or-fake logit and K + 1 class logits; the last class is for generated images. The cross-entropy takes
logits, not a softmax's output. The tutorial uses every label, so it is not semi-supervised. Here only `data.num_labels`
training images, balanced over the classes, have a label; the labels of the other images are not used.

    python -m gan_jax.main --config configs/sgan.py --config.data.num_labels=100
    python -m experiments.semi_supervised --recipes sgan --labels 100,1000,all --seeds 1 --dtype bfloat16

Errors of D as a classifier on the 10,000 test images of MNIST, bfloat16: 2,623 with 100 labels, 530 with 1,000 and 164
with all. 16 to 28 minutes on a CPU core.
"""

from ml_collections import ConfigDict

from configs import dcgan


def get_config() -> ConfigDict:
    """The differences from the paper's DCGAN."""
    config = dcgan.get_config()
    config.batch_size = 64
    config.objective = "bce_logits"
    config.prior.name = "normal"
    config.data.num_labels = 1000
    config.discriminator.head = "auxiliary_fake"
    config.discriminator.dropout = 0.25
    config.discriminator.channel_dropout = True
    config.d_loss.classification = 1.0
    config.d_loss.classification_as_fake = 1.0
    return config
