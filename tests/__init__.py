"""pytest shows the values of an assert in tests and in conftest.py; in the other modules here, if they are named."""

import pytest

pytest.register_assert_rewrite(
    "tests.systems", "tests.pages", "tests.commands.turing_pages", "tests.experiments.canned_studies"
)
