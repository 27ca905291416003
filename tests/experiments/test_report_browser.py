"""The report in a real browser at two widths. Needs: pip install playwright, and its Chromium or the system's."""

import json

import pytest

from tests.experiments.canned_studies import HOSTILE, canned, of_scores, page_of, seed_record

pytest.importorskip("playwright.sync_api")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

WIDTHS = pytest.mark.parametrize("width", [1280, 390])
LONG = "an_arm_whose_name_is_much_longer_than_a_phone_is_wide_" * 2


@pytest.fixture
def page(width, open_page, tmp_path):
    arms = of_scores(adam=[10, 12, 11], radam=[8, 9.5, 9.2], sgd=[60, 50, 55])
    arms[LONG] = [seed_record(0, 0, status="diverged") | {"reason": HOSTILE + LONG}]
    studies = [canned(base=base, arms=arms | {HOSTILE: arms["sgd"]}) for base in ("tutorial", "tuned")]
    text, _ = page_of(studies, tmp_path)
    return open_page(text, viewport={"width": width, "height": 800})


@WIDTHS
def test_the_page_does_not_scroll_sideways_and_tables_do(page, width):
    assert page.evaluate("document.documentElement.scrollWidth") == width
    boxes = page.evaluate("""[...document.querySelectorAll(".scroll")].map((box) => {
        const around = box.getBoundingClientRect();
        return [around.left, around.right, box.scrollWidth > box.clientWidth, box.querySelector("table").className];
    })""")
    assert len(boxes) > 6
    assert all(left >= 0 and right <= width for left, right, *_ in boxes), json.dumps(boxes)
    scrolling = [kind for *_, scrolls, kind in boxes if scrolls]
    # Rows with sentences become cards; tables of numbers scroll in their box, with a fixed column of names.
    if width == 390:
        assert set(scrolling) == {"numbers"}
        box = page.locator(".scroll:has(.numbers)").first
        name = box.locator("tbody th").first
        before = name.bounding_box()["x"]
        box.evaluate("box => box.scrollLeft = 60")
        assert box.evaluate("box => box.scrollLeft") == 60
        assert name.bounding_box()["x"] == pytest.approx(before, abs=1)


@WIDTHS
def test_pictures_curves_and_links_work(page):
    assert page.evaluate("[...document.images].every((image) => image.naturalWidth === 88)")
    assert page.locator("img").count() == 10
    lines = page.locator(".charts svg path")
    assert lines.count() > 40
    charts = page.locator(".charts svg")
    assert charts.count() == 8
    assert all(charts.nth(i).bounding_box()["height"] > 150 for i in range(8))
    page.locator("td a, th a").first.click()
    assert page.evaluate("document.querySelector(location.hash).getBoundingClientRect().top") < 400


@WIDTHS
def test_printed_tables_are_complete(page):
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 718, "height": 1000})  # A4 less its margins
    tables = "[...document.querySelectorAll('table')]"
    assert page.evaluate(f"Math.max(...{tables}.map((table) => table.getBoundingClientRect().right))") <= 718
    assert page.evaluate("getComputedStyle(document.querySelector('.scroll')).overflowX") == "visible"
