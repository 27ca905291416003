"""Many-seed runs of the studies in configs/ablations: python -m experiments.ablations [--preset full] [...]

Length: `--steps` is the generator updates of every base. Where a base's own length is passes over the images (tutorial,
tuned) an arm of another batch size or number of discriminator updates gets the updates that show its discriminator as
many images as the base's; where it is in updates (cdcgan) every arm makes `--steps` updates. Noise that fades
(instance_noise) ends at half of an arm's discriminator updates, and every arm is scored on the held-out images ten
times, early_stopping's arms included: both are numbers of a length, and the studies' own are of another one.

Layout of --workdir: <hash>/ holds config.json (what the hash is of), seed-<s>/ (a run as every command knows it),
seed-<s>.json (its record, once it has ended) and log.txt. Arms of equal configs are one run. A record of a completed,
collapsed or diverged seed is final; a crashed one is tried again by the next command.

Results, <output>/<study>@<base>.json, rewritten whenever a run has ended:

    study, base, baseline, preset, steps (of the base), seeds, question, tuned
    protocol    num_images, split, features, ..., and <score>_real of every score
    provenance  of the seed that ended first, and commits: those of all
    arms        arm -> {spelled, hash, overrides, steps (of this arm), seeds}
    seeds       "0" -> {status, reason, step, seconds, steps_per_second, final, best, curves}

`final` and `best` (by validation) hold every score and its standard error with the step they are of, the newest
checkpoint for a failed seed; {} without one. curves: step, d_loss, g_loss, d_grad_norm, g_grad_norm as means of at most
100 windows; validation_step, validation_frechet_distance, validation_conditional_accuracy as they were made. A number
that is not finite is null.
"""
