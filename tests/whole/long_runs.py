"""Overrides for runs that are long enough to be killed, interrupted or left without disk space."""

COMMON = [
    "--config.data.name=mnist_5k",
    "--config.num_epochs=0",
    "--config.generator.norm=batch",
    "--config.generator.ema_decay=0.99",
    "--config.eval.at_end=false",
]
# A save after every second step: most of the time is for saves.
SAVING = [
    *COMMON,
    "--config.num_steps=40",
    "--config.steps_per_call=2",
    "--config.log_every_steps=1",
    "--config.checkpoint_every_steps=2",
    "--config.sample_every_steps=0",
    "--config.generator.widths=16",
    "--config.discriminator.widths=16",
    "--config.eval.every_steps=0",
]
# Rows of metrics, grids, scores on held-out images and checkpoints, each at a different interval.
SCORING = [
    *COMMON,
    "--config.num_steps=400",
    "--config.steps_per_call=4",
    "--config.log_every_steps=3",
    "--config.checkpoint_every_steps=20",
    "--config.sample_every_steps=50",
    "--config.generator.widths=64,128",
    "--config.discriminator.widths=128,64",
    "--config.eval.every_steps=60",
    "--config.eval.num_images=100",
]
