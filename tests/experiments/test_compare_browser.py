"""The page of a comparison in a real browser at two widths. Needs: pip install playwright, and a Chromium."""

import math

import numpy as np
import pytest

from experiments.compare import page as pages
from experiments.compare import sequential
from experiments.compare.arms import parse
from experiments.compare.prior import NONE
from experiments.compare.sequential import Rule
from experiments.compare.workdir import data_of, study_of_records
from tests.experiments.canned_studies import HOSTILE, seed_record

pytest.importorskip("playwright.sync_api")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

RULE = Rule("frechet_distance", True, math.log(1.1))
LONG = f"{HOSTILE} an_arm_whose_name_is_much_longer_than_a_phone_is_wide_and_has_no_space"


@pytest.fixture
def page(width, open_page, tmp_path):
    arms = parse("configs/cgan.py:tuned", "", ["objective=lsgan", f"{LONG.replace('/', ' ')}: generator.norm=none"])
    rng, means = np.random.default_rng(0), (10, 8, 10)
    records = {
        arm.name: (arm.hash, 1000, {seed: seed_record(mean * math.exp(rng.normal(0, 0.05)), 0.9) for seed in range(9)})
        for arm, mean in zip(arms, means, strict=True)
    }
    study = study_of_records(
        "configs/cgan.py:tuned",
        {
            n: (h, s, {k: r | {"protocol": {}, "provenance": {}} for k, r in seeds.items()})
            for n, (h, s, seeds) in records.items()
        },
    )
    looks = [sequential.look(1, RULE, data_of(study, RULE.score), {})]
    comparison = pages.Comparison(RULE, NONE, arms, looks, study, {}, tmp_path)
    return open_page(pages.write(comparison).read_text(), viewport={"width": width, "height": 800})


@pytest.mark.parametrize("width", [1280, 390])
def test_the_verdict_comes_first_and_the_page_does_not_scroll_sideways(page, width):
    assert page.evaluate("document.documentElement.scrollWidth") == width
    first = page.locator("p").first
    assert first.inner_text().startswith("objective=lsgan is better than the base: ")
    box = first.bounding_box()
    assert box["y"] + box["height"] < 800, "the verdict is on the first screen"
    charts = page.locator("svg")
    assert charts.count() >= 4
    boxes = [charts.nth(index).bounding_box() for index in range(charts.count())]
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= width for box in boxes if box)
    assert page.evaluate("[...document.scripts].length") == 0
