"""The table of docs/claims.md against the criteria that stand beside the verdicts."""

import re
from pathlib import Path

from guidebench.report.claims.findings import NUMBERED

LIMIT = re.compile(r"\b0\.\d+")


def _rows(page: str) -> dict[int, str]:
    """What the first table says of each claim."""
    table = page.partition("| claim | quantity")[2].partition("\n\n")[0]
    rows: dict[int, str] = {}
    for line in table.splitlines()[2:]:
        numbers = [int(number) for number in re.findall(r"\d+", line.split("|")[1])]
        if " to " in line.split("|")[1]:
            numbers = list(range(numbers[0], numbers[1] + 1))
        for number in numbers:
            assert number not in rows
            rows[number] = line
    return rows


def test_every_claim_has_a_row_with_its_limits(repository: Path) -> None:
    """That of 11 had neither Spearman's 0.5 nor the fall from the peak."""
    rows = _rows((repository / "docs/claims.md").read_text())
    assert sorted(rows) == list(NUMBERED)
    for number, claim in NUMBERED.items():
        limits = set(map(float, LIMIT.findall(claim.criterion)))
        assert limits <= set(map(float, LIMIT.findall(rows[number]))), number
        for word in ("Spearman", "unguided", "selection seeds"):
            assert (word in claim.criterion) <= (word in rows[number]), (number, word)
