"""The tables of a page of short runs, and the curves, from its record."""

import pathlib

from experiments.reporting import markdown
from experiments.short_runs.plan import Page
from gan_jax.system.files import atomic_write

# The two runs whose errors are compared: the same discriminator with a generator and without.
_WITH, _WITHOUT = "few_labels", "labels_only"


def _runs(page: Page, record: dict) -> list[tuple[str, dict]]:
    """(name, run), in the order of the page."""
    return [(name, record["runs"][name]) for name in page.runs if name in record["runs"]]


def scores_table(page: Page, record: dict) -> str:
    """A table for each kind of features, since distances in different features do not compare.

    A row for each run that trains a generator, with the score of held-out real images beside each score.
    """
    head = ["run", "data", "Frechet distance", "conditional accuracy", "precision", "recall", "coverage", "classifier"]
    by_features: dict[str, list] = {}
    for name, run in _runs(page, record):
        if not page.runs[name].trains_generator:
            continue
        s = run["scores"]
        conditional = _beside_real(s, "conditional_accuracy", "{:.1%}")
        cells = [f"{run['title']} (`{name}`)", record["data"][run["data"]]["title"]]
        cells += [_beside_real(s, "frechet_distance", "{:.2f}"), conditional]
        cells += [_beside_real(s, score, "{:.1%}") for score in ("precision", "recall", "coverage")]
        by_features.setdefault(s["features"], []).append([*cells, f"{s['classifier_accuracy']:.1%}"])
    return "\n\n".join(f"Features `{name}`:\n\n{markdown.table(head, rows)}" for name, rows in by_features.items())


def _beside_real(scores: dict, name: str, form: str) -> str:
    """A score +- its standard error, and in brackets that of real images; "-" if the run has no such score."""
    if name not in scores:
        return "-"
    error, real = scores[f"{name}_standard_error"], scores[f"{name}_real"]
    spread = "" if error is None else f" +- {form.format(error)}"
    return f"{form.format(scores[name])}{spread} (real: {'-' if real is None else form.format(real)})"


def trainings_table(page: Page, record: dict) -> str:
    head = ["run", "config and changes", "steps", "batch", "minutes", "steps/s", "cores", "load", "commit"]
    rows = []
    for name, run in _runs(page, record):
        changes = " ".join(f"`{key}={value}`" for key, value in run["changes"].items())
        loads = run["load_averages"]
        cells = [f"`{name}`", f"`{run['config']}` {changes}".strip(), f"{run['scores']['step']:,}", run["batch_size"]]
        rate = run["steps_per_second"]
        cells += [f"{run['minutes']:.1f}", "-" if rate is None else f"{rate:.2f}", run["cpu_cores"]]
        rows.append([*cells, f"{min(loads):.1f} to {max(loads):.1f}", markdown.commit(run["commit"])])
    return markdown.table(head, rows)


def data_table(page: Page, record: dict) -> str:
    head = [
        "data",
        "pixels",
        "classes",
        "training",
        "held out",
        "test",
        "test images with a near-duplicate in training",
    ]
    rows = []
    for data in (record["data"][name] for name in page.sets if name in record["data"]):
        counts = {split: sum(images) for split, images in data["images"].items()}
        pairs = data.get("near_duplicates")
        share = "not counted" if pairs is None else f"{pairs} ({pairs / counts['test']:.1%})"
        sizes = [counts[split] for split in ("train", "validation", "test")]
        rows.append([data["title"], f"{data['side']} x {data['side']}", len(data["classes"]), *sizes, share])
    return markdown.table(head, rows)


def samples_table(page: Page, record: dict) -> str:
    """The pictures of all runs that train a generator."""
    names = [name for name, _ in _runs(page, record) if page.runs[name].trains_generator]
    return markdown.table(["run", "samples"], [[f"`{name}`", f"![{name}]({page.name}/{name}.png)"] for name in names])


def errors_table(_: Page, record: dict) -> str:
    """A row for each pair of checkpoints: the same share of both runs."""
    runs, rows = [record["runs"][name] for name in (_WITH, _WITHOUT)], []
    for (step, errors), (other_step, other_errors) in zip(*(run["test_errors"] for run in runs), strict=False):
        num_test = runs[0]["scores"]["num_real"]
        rows.append([step, f"{errors / num_test:.1%}", other_step, f"{other_errors / num_test:.1%}"])
    return markdown.table([f"step, `{_WITH}`", "error", f"step, `{_WITHOUT}`", "error"], rows)


# The names of the tables in templates (experiments/reporting/references.py).
TABLES = {
    "scores": scores_table,
    "trainings": trainings_table,
    "data": data_table,
    "samples": samples_table,
    "errors": errors_table,
}


def draw(page: Page, record: dict, folder: pathlib.Path) -> None:
    """Writes <name>-curves.png for each run: the losses, and the validation Frechet distance or the test errors."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    for name, run in _runs(page, record):
        figure, (losses, right) = plt.subplots(1, 2, figsize=(8, 2.8), layout="constrained")
        steps, d_loss, g_loss = zip(*run["losses"], strict=True)
        losses.plot(steps, d_loss, label="D")
        losses.plot(steps, g_loss, label="G")
        losses.set(xlabel="step", ylabel="loss, means of rows")
        losses.legend()
        if "test_errors" in run:
            steps, errors = zip(*run["test_errors"], strict=True)
            right.plot(steps, [100 * error / run["scores"]["num_real"] for error in errors], marker=".")
            right.set(xlabel="step", ylabel="test error of D, %")
        elif run["validation_frechet_distance"]:
            steps, distances = zip(*run["validation_frechet_distance"], strict=True)
            right.plot(steps, distances, marker=".")
            right.set(xlabel="step", ylabel="validation Frechet distance", yscale="log")
        with atomic_write(folder / f"{name}-curves.png") as partial:
            figure.savefig(partial, dpi=80)
        plt.close(figure)
