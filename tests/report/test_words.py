"""Numbers as a reader wants them."""

import pytest

from guidebench.report import words
from guidebench.report.tables import Measure


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (12.3456, 0.4321, "12.3 ± 0.4"),
        (12.3456, 0.1234, "12.35 ± 0.12"),
        (1234.5, 56.0, "1234 ± 56"),
        (0.98, 0.004, "0.980 ± 0.004"),
        (1.0, 0.0, "1.000 ± 0.000"),
        (3.14159, float("nan"), "3.14"),
        (9.96, 0.0996, "9.96 ± 0.10"),
    ],
)
def test_value_and_error_have_the_same_decimals(value: float, error: float, text: str) -> None:
    assert words.measure(Measure(value, error, 10)).replace("\u00a0", " ") == text


def test_interval_shares_a_line_with_its_estimate() -> None:
    values = {"t": 3, "rise": 1.5, "rise, low": 1.0, "rise, high": None}
    assert words.lines(values) == {"t": "3", "rise": "1.5 [1, –]"}
