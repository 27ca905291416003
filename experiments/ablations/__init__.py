"""Many-seed runs of the studies in configs/ablations: python -m experiments.ablations [--preset full] [...]

Length: `--steps` is the number of generator updates of every base. If a base's length is in epochs (tutorial, tuned),
an arm with another batch size or number of discriminator updates gets as many updates as its discriminator needs to be
trained on the same number of images as the base's. If a base's length is in updates (cdcgan), every arm makes `--steps`
updates. Two numbers of the studies belong to their own lengths and are replaced: fading noise (instance_noise) ends at
half of an arm's discriminator updates, and every arm, also early_stopping's, is scored on the held-out images ten
times.

Layout of --workdir: <hash>/ has config.json (the hash is of its differences from configs/default.py), seed-<s>/ (the
workdir of a run), seed-<s>.json (the seed's record, after its end) and log.txt. Arms with equal configs are one run.
The record of a completed, collapsed or diverged seed is final. The next command tries a crashed seed again. A folder is
found by its config.json, so runs of older versions count. Seeds in a file of results of the same arm, length, data and
numbers of images count too, if --workdir lacks them; to train them again, choose another --output.

Results, <output>/<study>@<base>.json, rewritten whenever a run has ended:

    study, base, baseline, preset, steps (of the base), seeds, question, tuned
    protocol    num_images, split, features, ..., and <score>_real of every score
    provenance  of the first seed, and commits: those of all seeds
    arms        arm -> {spelled, hash, overrides, steps (of this arm), seeds}
    seeds       "0" -> {status, reason, step, seconds, steps_per_second, final, best, curves}

`final` and `best` (by validation) have every score, its standard error, and the step of the scored checkpoint. A failed
seed is scored at its newest checkpoint; without a checkpoint both are {}. curves: step, d_loss, g_loss, d_grad_norm and
g_grad_norm are means over at most 100 windows; validation_step, validation_frechet_distance and
validation_conditional_accuracy have every score. A number that is not finite is null.
"""
