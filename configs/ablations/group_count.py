"""How many groups for group norm in the generator?

The tutorial concluded, from one run each, that group norm with well-chosen groups comes close to batch norm. So batch
norm is also an arm. The widths are fixed: in a layer of 256 units, 2 groups have 128 entries each and 32 groups have 8.
One group would be layer norm.

    python -m gan_jax.main --config configs/ablations/group_count.py:16
    python -m gan_jax.main --config configs/ablations/group_count.py:16@tuned
"""

from configs import study

BASELINE = {"tutorial": "none", "tuned": "batch"}
ARMS = {
    "none": study.norms(),
    "batch": study.norms(generator="batch"),
    **{
        str(groups): {**study.norms(generator="group"), "generator.norm_groups": groups} for groups in (2, 4, 8, 16, 32)
    },
}
VARIANTS, get_config = study.variants(ARMS, BASELINE)
