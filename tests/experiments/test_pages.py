"""The pages whose numbers come from records: they are those of their templates, and nobody typed a result."""

import pathlib

import pytest

from experiments.reporting.references import References, bare_numbers, page_of, templates
from gan_jax.system.errors import UserError

ROOT = pathlib.Path(__file__).parents[2]
TEMPLATES = templates(ROOT)


@pytest.fixture(scope="module")
def references():
    return References(ROOT / "experiments" / "results")


def test_there_are_templates():
    assert ROOT / "experiments" / "README.in.md" in TEMPLATES


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_is_that_of_its_template(template, references):
    message = "python -m experiments.pages writes the pages again"
    assert page_of(template).read_text() == references.render(template.read_text()), message


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_result_was_typed(template):
    assert bare_numbers(template.read_text()) == []


def test_typed_results_are_found_and_knobs_are_not():
    assert bare_numbers("It is 25.4, 3 ± 1, 80% or +4") == ["25.4", "3 ±", "80%", "+4"]
    text = "`0.5` of {{mean a b}} (arXiv 1606.03498, 2026-11-30)\n\n    --rate 0.5\n\nat [10](x.md#1.5) in 2,500 steps"
    assert bare_numbers(text) == []


@pytest.mark.parametrize(
    "reference",
    [
        "mean beta1@tuned 0.7",
        "mean beta2@tuned 0.9",
        "factor beta1@tuned 0.5",
        "errors none@labels-100",
        "record ablations/claims.json claims/9999/id",
        "mean",
        "median beta1@tuned 0.9",
    ],
)
def test_a_reference_without_a_number_is_one_line(reference, references):
    with pytest.raises(UserError) as error:
        references.render(f"about {{{{{reference}}}}}.")
    assert "\n" not in str(error.value)
    assert reference.split()[0] in str(error.value)


def test_references_have_the_numbers_of_the_records(references):
    # By hand from results/semi_supervised/long@labels-100.json: 103, 80 and 89 errors.
    assert (
        references.render("{{errors long@labels-100}}: {{errors long@labels-100 mean}}") == "103, 80, 89: 90.7 ± 11.6"
    )
    # Welch's test of ten subsets against 1,677 ± 452 over ten: t = -3.50 at 17.99 degrees of freedom.
    assert references.render("{{welch long_propagated-gpu@labels-20 20}}") == "0.003"
    assert references.render("{{record semi_supervised/published_errors.json 20/mean ,}}") == "1,677"
