"""Cards: what they say of numbers."""

from __future__ import annotations

import pytest

from gen_models import cards


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [(12.345, 0.0678, "12.345 ± 0.068"), (100.0, 12.0, "100 ± 12"), (0.5, 0.0, "0.500 ± 0.000"), (88.88, 0.25, "88.88 ± 0.25")],
)
def test_numbers_have_two_digits_of_their_error(value, error, text):
    assert cards.shown(value, error) == text
