"""Full sessions on the page in a real browser. Needs: pip install playwright, and its Chromium or the system's."""

import json

import pytest
from scipy.stats import binomtest

from tests.commands.turing_pages import COUNTS, PROVENANCE, check_statistics, noise_page

pytest.importorskip("playwright.sync_api")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 360, "height": 640}
# Within 200 ms, the page takes an answer for the second click of a double click.
PAUSE = 230


def by_keyboard(page, answer, index):
    page.keyboard.press({"real": ("r", "ArrowLeft", "R"), "fake": ("f", "ArrowRight", "F")}[answer][index % 3])


def by_mouse(page, answer, _):
    page.click(f"#{answer}")


def by_touch(page, answer, _):
    page.tap(f"#{answer}")


def answer_all(page, truths, wrong, act, feedback):
    """Answers every image, with wrong answers for the indices in `wrong`; returns the answers."""
    page.click("#begin")
    answers = [{"real": "fake", "fake": "real"}[t] if i in wrong else t for i, t in enumerate(truths)]
    for index, answer in enumerate(answers):
        assert page.inner_text("#progress") == f"Image {index + 1} of {len(truths)}"
        page.wait_for_timeout(PAUSE)
        act(page, answer, index)
        if feedback:
            kind = "real" if truths[index] == "real" else "generated"
            assert page.inner_text("#verdict") == f"{'Wrong' if index in wrong else 'Right'}: it is {kind}."
            page.wait_for_timeout(PAUSE)
            assert page.evaluate("document.activeElement.id") == "next"
            page.keyboard.press("Enter") if act is by_keyboard else page.click("#next")
        else:
            assert page.inner_text("#verdict") == ""
    return answers


def saved_record(page, tmp_path):
    with page.expect_download() as waiting:
        page.click("#save")
    assert waiting.value.suggested_filename == "turing-run-step-7.json"
    waiting.value.save_as(tmp_path / "answers.json")
    return json.loads((tmp_path / "answers.json").read_text())


@pytest.mark.parametrize("feedback", [False, True])
@pytest.mark.parametrize(
    ("act", "options"),
    [
        (by_keyboard, {"viewport": DESKTOP}),
        (by_mouse, {"viewport": DESKTOP, "color_scheme": "dark"}),
        (by_touch, {"viewport": PHONE, "has_touch": True, "is_mobile": True, "device_scale_factor": 3}),
    ],
)
def test_a_session(act, options, feedback, open_page, tmp_path):
    text, truths = noise_page(12, feedback)
    page, wrong = open_page(text, **options), {3, 4, 7}
    assert page.is_checked("#feedback") == feedback
    answers = answer_all(page, truths, wrong, act, feedback)
    right, total = 9, 12
    wrong_real = sum(truths[index] == "real" for index in wrong)
    assert page.evaluate("document.activeElement.id") == "heading"
    record = saved_record(page, tmp_path)
    assert [entry["answer"] for entry in record["answers"]] == answers
    assert [entry["truth"] for entry in record["answers"]] == truths
    assert [entry["index"] for entry in record["answers"]] == list(range(total))
    assert all(200 <= entry["milliseconds"] < 60_000 for entry in record["answers"])
    assert record["provenance"] == PROVENANCE
    assert record["feedback"] == feedback
    expected = binomtest(right, total)
    low, high = expected.proportion_ci(method="wilson")
    result = record["result"]
    assert result["all"]["interval"] == pytest.approx([low, high], abs=1e-12)
    assert result["p_value"] == pytest.approx(expected.pvalue, rel=1e-9)
    assert [result[kind]["right"] for kind in ("all", "real", "fake")] == [9, 6 - wrong_real, 3 + wrong_real]
    # The page shows the same numbers.
    first = page.inner_text("#rows tr:first-child").split("\t")
    assert first == ["All", "9 of 12", "75.0%", f"{low:.1%} to {high:.1%}"]
    assert f"p = {expected.pvalue:.4f}" in page.inner_text("#test")
    assert "guessing may do as well" in page.inner_text("#summary")
    assert page.is_visible("#caution") == feedback


def test_statistics_and_their_summary(open_page):
    page = open_page(noise_page(4)[0])
    names = ("wilsonInterval", "binomialPValue")
    check_statistics(*[[page.evaluate(f"{name}({right}, {total})") for right, total in COUNTS] for name in names])
    assert "better than guessing" in page.evaluate("meaning(55, 60)")
    assert "worse than guessing" in page.evaluate("meaning(5, 60)")
    assert "do not show" in page.evaluate("meaning(33, 60)")


def test_one_press_is_one_answer(open_page):
    page = open_page(noise_page(8)[0])
    page.click("#begin")
    page.wait_for_timeout(PAUSE)
    page.dblclick("#real")
    assert page.inner_text("#progress") == "Image 2 of 8"
    for _ in range(3):  # a key that is held down
        page.wait_for_timeout(PAUSE)
        page.keyboard.down("f")
    assert page.inner_text("#progress") == "Image 3 of 8"
    page.keyboard.up("f")
    page.wait_for_timeout(PAUSE)
    page.keyboard.press("Control+f")
    page.keyboard.press("x")
    assert page.inner_text("#progress") == "Image 3 of 8"


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE, {"width": 320, "height": 480}, {"width": 740, "height": 360}])
def test_image_and_buttons_fit_on_the_screen(viewport, open_page):
    page = open_page(noise_page(4)[0], viewport=viewport)
    page.click("#begin")
    box = page.locator("#frame img").bounding_box()
    # Each of the 8 x 8 image pixels is an integer number of screen pixels.
    assert box["width"] == box["height"] >= 144
    assert box["width"] % 8 == 0
    assert page.evaluate("getComputedStyle(document.querySelector('#frame img')).imageRendering") == "pixelated"
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    buttons = page.locator("#real").bounding_box()
    assert buttons["y"] + buttons["height"] <= viewport["height"]
    assert buttons["height"] >= 44


def test_the_policy_stops_other_scripts(chromium, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(noise_page(4, workdir="<script>window.injected = 1</script>")[0])
    page = chromium.new_page()
    page.goto(path.as_uri())
    page.evaluate(
        "() => document.head.append(Object.assign(document.createElement('script'), {text: 'window.injected = 1'}))"
    )
    assert page.evaluate("window.injected") is None
    assert page.evaluate("fetch('https://example.org').then(() => 'sent', () => 'stopped')") == "stopped"
    assert page.title() == "Real or fake? <script>window.injected = 1</script>"
