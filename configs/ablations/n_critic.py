"""How many discriminator updates to one of the generator (n_critic)?

The tutorial concluded, from one run each, that a larger number converges in fewer steps of the generator and takes
more time. The number of images that the discriminator is trained on is fixed, so every arm has the same number of
discriminator updates, and with n_critic 5 the generator has a fifth of the updates that it has with n_critic 1.

    python -m gan_jax.main --config configs/ablations/n_critic.py:1
    python -m gan_jax.main --config configs/ablations/n_critic.py:5@tuned
"""

from configs import study

BASELINE = {"tutorial": "5", "tuned": "1"}
ARMS = {str(updates): {"d_steps": updates} for updates in (1, 2, 3, 5, 10)}
VARIANTS, get_config = study.variants(ARMS, BASELINE)
