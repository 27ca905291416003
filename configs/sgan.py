"""Semi-supervised GAN (Odena 2016, arXiv 1606.01583), as the common tutorial has it, but with few labels.

D has a real-or-fake logit and K + 1 class logits beside it, the last class for generated images; logits, not a
softmax's output, enter the cross-entropy. The tutorial uses every label, so that nothing in it is semi-supervised: here
`data.num_labels` of the training images have one, balanced over the classes, and the others' labels are never seen.

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
