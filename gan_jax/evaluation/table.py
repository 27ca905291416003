"""The printed table of an evaluation."""

from gan_jax.evaluation.sizes import few_images

# score -> (format, printed name), in the order of the table.
_ROWS = {
    "conditional_accuracy": ("{:.2%}", "conditional accuracy"),
    "classification_accuracy_score": ("{:.2%}", "classification accuracy score"),
    "classifier_score": ("{:.2f}", "classifier score (Inception score's formula)"),
    "frechet_distance": ("{:.2f}", "Frechet distance"),
    "frechet_distance_extrapolated": ("{:.2f}", "  extrapolated to infinitely many images"),
    "kernel_distance": ("{:.4f}", "kernel distance"),
    "precision": ("{:.2%}", "precision (k = 3)"),
    "recall": ("{:.2%}", "recall (k = 3)"),
    "density": ("{:.3f}", "density (k = 5)"),
    "coverage": ("{:.2%}", "coverage (k = 5)"),
    "two_sample_accuracy": ("{:.2%}", "1-NN real against generated (50%: alike)"),
    "different_bins": ("{:.2%}", "statistically different bins"),
    "nearer_to_train": ("{:.2%}", "nearer to train than held out"),
}


# The entry "generator" of a result -> its printed name.
GENERATORS = {"ema": "EMA generator", "last": "generator without EMA"}


def table_of_sets(result: dict) -> str:
    """The table of a result of `two_sets.score_sets`."""
    header = f"real {result['data']}, generated {result['generated']}, features {result['features']}"
    return "\n".join([header, *_lines(result | {"split": "real"}, None, [])])


def table(result: dict, best: dict | None = None) -> str:
    """The table of a result of one seed or of several seeds.

    best: the result of the states with the best validation score; adds a column.
    +- is a standard error over images for one seed, and the standard deviation over seeds for several.
    """
    data, seed_results = result["data"], result.get("seeds", [])
    if data != result["requested_data"]:
        data += f" (fallback: {result['requested_data']} could not be had)"
    header = (
        f"data {data}, {result['split']} split, step {result.get('step', 'by seed')}, "
        f"{GENERATORS[result['generator']]}, features {result['features']}"
    )
    if (sampler := result.get("sampler", "prior")) != "prior":  # Older results have no such entry.
        header += f", sampler {sampler}"
    lines = [header, *_lines(result, best, seed_results)]
    if best:
        lines.append(
            f"best state: step {best.get('step', 'by seed')}, chosen by its validation score, not by these numbers"
        )
    return "\n".join(lines)


def _lines(result: dict, best: dict | None, seed_results: list[dict]) -> list[str]:
    """The rows of scores under the names of their columns, and what is to be known about them."""
    columns = [f"{'generated':>12}{'+-':>10}{'held-out real':>15}"]
    if best:
        columns.append(f"{'best state':>14}")
    columns += [f"{'seed ' + str(seed_result['training_seed']):>10}" for seed_result in seed_results]
    lines = [f"{'':<50}" + "".join(columns)]
    for score, (form, name) in _ROWS.items():
        if score in result:
            error = result.get(f"{score}_over_seeds" if seed_results else f"{score}_standard_error")
            real = result.get(f"{score}_real")
            spread, floor = ("" if number is None else form.format(number) for number in (error, real))
            cells = [f"{form.format(result[score]):>12}{spread:>10}{floor:>15}"]
            if best:
                cells.append(f"{form.format(best[score]) if score in best else '':>14}")
            cells += [f"{form.format(seed_result[score]):>10}" for seed_result in seed_results]
            lines.append((f"{name:<50}" + "".join(cells)).rstrip())
    if "discriminator_accuracy" in result:
        d_accuracy = f"{result['discriminator_accuracy']:.2%}"
        lines.append(f"{'D as a classifier, accuracy on real images':<50}{d_accuracy:>12}")
    lines.append(
        f"{result['num_generated']} generated against {result['num_real']} {result['split']} images; +- is "
        + (f"the standard deviation over {len(seed_results)} seeds" if seed_results else "a standard error")
        + "; held-out real: half of these real images against the other half"
    )
    if result.get("nearer_to_train_real") is not None:
        lines.append("nearer to train: the held-out real images are the validation images against the same images")
    if "classification_accuracy_score" in result and not seed_results:
        lines.append("classification accuracy score: +- is of one training, without the variation between trainings")
    if "classifier_accuracy" in result:
        line = f"the classifier recognises {result['classifier_accuracy']:.1%} of these {result['split']} images"
        lines.append(result.get("classifier_accuracy_note", line))
    if few := few_images(result["num_features"], result["num_generated"], result["num_real"]):
        lines.append(few)
    if "features_note" in result:
        lines.append(result["features_note"])
    return lines
