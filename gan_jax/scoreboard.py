"""Results of `evaluate` as people read them."""

# score -> (how it is printed, name for people); in the order of the table.
_ROWS = {
    "conditional_accuracy": ("{:.2%}", "conditional accuracy"),
    "classification_accuracy_score": ("{:.2%}", "classification accuracy score"),
    "classifier_score": ("{:.2f}", "classifier score (Inception score's formula)"),
    "frechet_distance": ("{:.2f}", "Frechet distance"),
    "frechet_distance_extrapolated": ("{:.2f}", "  extrapolated to infinitely many images"),
    "kernel_distance": ("{:.4f}", "kernel distance"),
    "precision": ("{:.2%}", "precision"),
    "recall": ("{:.2%}", "recall"),
    "density": ("{:.3f}", "density"),
    "coverage": ("{:.2%}", "coverage"),
    "two_sample_accuracy": ("{:.2%}", "1-NN real against generated (50%: alike)"),
    "different_bins": ("{:.2%}", "statistically different bins"),
    "nearer_to_train": ("{:.2%}", "nearer to train than held out (50%: no copies)"),
}


def table(result: dict, best: dict | None = None) -> str:
    """A result; `best`: the same protocol's of the state with the best validation score, as a column more."""
    data = result["data"]
    if data != result["requested_data"]:
        data += f" (fallback: {result['requested_data']} could not be had)"
    lines = [
        f"data {data}, {result['split']} split, step {result['step']}, {result['generator']} generator, features "
        f"{result['features']}",
        f"{'':<50}{'generated':>12}{'+-':>10}{'real images':>14}"
        + (f"{'step ' + str(best['step']):>14}" if best else ""),
    ]
    for score, (form, name) in _ROWS.items():
        if score in result:
            error = result[f"{score}_standard_error"]
            spread = "" if error is None else form.format(error)
            value, floor = (form.format(result[key]) for key in (score, f"{score}_floor"))
            other = f"{form.format(best[score]):>14}" if best and score in best else ""
            lines.append(f"{name:<50}{value:>12}{spread:>10}{floor:>14}{other}")
    if "discriminator_accuracy" in result:
        own = f"{result['discriminator_accuracy']:.2%}"
        lines.append(f"{'D as a classifier, accuracy on real images':<50}{own:>12}")
    lines.append(
        f"{result['num_generated']} generated against {result['num_real']} {result['split']} images; +- is a standard "
        f"error; real images: {result['num_floor']} training images against the same split"
    )
    if best:
        lines.append(f"step {best['step']} had the best validation score; it was not chosen by these numbers")
    return "\n".join(lines)
