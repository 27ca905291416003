"""Results of ablation studies with numbers that can be checked by hand, for the tests of their reports."""

import json
import math
import re

import numpy as np
from PIL import Image

from experiments import report
from experiments.reporting import results
from tests.tiny import run

HOSTILE = "<script>alert(1)</script>"


def seed_record(distance, accuracy, *, status="completed", seconds=100.0, steps=1000, reach=500, wobble=0.1, **scores):
    """The record of one seed. The accuracy exceeds 80% from step `reach` on; wobble: the oscillation of the losses."""
    scored = np.arange(100, steps + 1, 100)
    step = np.arange(10, steps + 1, 10)
    curve = 0.7 + wobble * np.cos(np.arange(len(step)) * math.pi)
    final = {"frechet_distance": distance, "conditional_accuracy": accuracy, "precision": 0.9, "recall": 0.5, **scores}
    return {
        "status": status,
        "reason": "" if status == "completed" else f"it {status}",
        "step": steps,
        "seconds": seconds,
        "steps_per_second": steps / seconds,
        # For a failed seed: the scores of its last checkpoint.
        "final": final,
        "best": {**final, "frechet_distance": distance - 1, "step": steps // 2},
        "curves": {
            "step": step.tolist(),
            "d_loss": curve.tolist(),
            "g_loss": (curve + 1).tolist(),
            "d_grad_norm": np.full(len(step), 2.0).tolist(),
            "g_grad_norm": np.full(len(step), 0.1).tolist(),
            "validation_step": scored.tolist(),
            "validation_frechet_distance": (distance + 1000 / scored).tolist(),
            "validation_conditional_accuracy": np.where(scored >= reach, 0.9, 0.3).tolist(),
        },
    }


def canned(study="optimizer", base="tuned", arms=None, baseline="adam", preset="full", seeds=3):
    """The content of a result file; arms: name -> records of its seeds, None for a missing one."""
    return {
        "study": study,
        "base": base,
        "baseline": baseline,
        "preset": preset,
        "steps": 1000,
        "seeds": list(range(seeds)),
        "question": "Which optimizer, the same for both players?",
        "protocol": {"num_images": 1000, "split": "test", "features": "classifier-1", "frechet_distance_real": 6.25},
        "provenance": {"commit": "0123abcd", "versions": {"jax": "0.10.2"}, "device": {"platform": "cpu"}},
        "tuned": base == "tuned",
        "arms": {
            name: {
                "spelled": f"configs/ablations/{study}.py:{name}",
                "hash": f"{index:04x}",
                "overrides": {"d_optimizer.name": name},
                "steps": 1000,
                "seeds": {str(seed): record for seed, record in enumerate(records) if record is not None},
            }
            for index, (name, records) in enumerate((arms or {}).items())
        },
    }


def of_scores(**arms):
    """arm -> seed records with these Frechet distances; the accuracy follows from them."""
    return {
        name: [None if distance is None else seed_record(distance, 0.99 - distance / 1000) for distance in distances]
        for name, distances in arms.items()
    }


ARMS = of_scores(adam=[10.0, 12.0, 11.0], radam=[8.0, 9.5, 9.2], sgd=[60.0, 50.0, 55.0])


def parsed(**options):
    return results.parse(canned(**({"arms": ARMS} | options)))


def page_of(records, tmp_path, grids=True):
    """(HTML, Markdown) of the report on these result files."""
    folder = tmp_path / "ablations"
    (folder / "grids").mkdir(parents=True)
    for record in records:
        name = re.sub(r"[^\w@]", "_", f"{record['study']}@{record['base']}")
        (folder / f"{name}.json").write_text(json.dumps(record))
        for index, arm in enumerate(record["arms"].values() if grids else ()):
            picture = np.random.RandomState(index).randint(0, 256, (88, 88), np.uint8)
            Image.fromarray(picture).save(folder / "grids" / f"{arm['hash']}-seed0.png")
    assert run(report, "--input", folder, "--output", folder) == 0
    return (folder / "report.html").read_text(), (folder / "report.md").read_text()
