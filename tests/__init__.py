"""By default, pytest shows the values of a failed assert only in tests and conftest.py. These modules need it too."""

import pytest

pytest.register_assert_rewrite(
    "tests.systems", "tests.pages", "tests.commands.turing_pages", "tests.experiments.canned_studies"
)
