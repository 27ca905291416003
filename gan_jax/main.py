"""Trains one config: python -m gan_jax.main --config configs/cdcgan.py [--workdir W] [--config.key=value ...]"""

import argparse

from gan_jax import cli, workdir


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m gan_jax.main", description=__doc__, allow_abbrev=False)
    parser.add_argument("--config", required=True, help="config file, or file:variant")
    parser.add_argument("--workdir", help="folder of the run; continues what lies there (default runs/<config>-<time>)")
    parser.add_argument("--data_dir", default="", help="where prepared data lies (default: the user's cache folder)")
    arguments, rest = parser.parse_known_args()
    config = cli.parse_config(arguments.config, rest)

    # Imported here, so that --help and mistakes answer at once.
    from gan_jax import evaluate, train

    path = arguments.workdir or workdir.default_path(arguments.config)
    grid = train.train(config, path, arguments.data_dir)
    if config.eval.at_end:
        print(evaluate.final_table(path, config.eval.at_end_num_images, arguments.data_dir))
    print(f"results     {path} (samples {grid})")
    print(f"TensorBoard python -m tensorboard.main --logdir {path}")


if __name__ == "__main__":
    cli.execute(main)
