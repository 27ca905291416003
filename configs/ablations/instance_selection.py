"""Does training on the most typical images help?

An arm keeps a share of each class, the images with the highest density in a space of features (arXiv 2007.15255). Here
these are the images reduced to 16 x 16 pixels, which need no network. A classifier would be one choice for photographs,
but scores on its own features would then measure what it selected. The scores compare with all test images, so an arm
pays for the variety that it gives up.

    python -m gan_jax.main --config configs/ablations/instance_selection.py:0.5@tuned
    python -m gan_jax.main --config configs/ablations/instance_selection.py:0.8@cdcgan
"""

from configs import study

BASELINE = {"tuned": "1", "cdcgan": "1"}
ARMS = {
    "1": {},
    **{f"{share:g}": {"data.keep_share": share, "data.keep_features": "thumbnails"} for share in (0.8, 0.5)},
}
VARIANTS, get_config = study.variants(ARMS, BASELINE)
