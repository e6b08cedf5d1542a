"""The README's verdicts and numbers are those of the kept findings."""

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

from guidebench.report.claims.findings import CLAIMS


@pytest.fixture
def verdicts(repository: Path) -> dict[str, Any]:
    return runpy.run_path(str(repository / "docs/verdicts.py"))


def test_the_readme_says_what_the_kept_findings_say(
    verdicts: dict[str, Any], repository: Path
) -> None:
    text = (repository / "README.md").read_text(encoding="utf-8")
    assert verdicts["written"](text) == text, "run `python docs/verdicts.py`"


def test_the_kept_findings_are_of_the_claims_as_they_are(
    verdicts: dict[str, Any], repository: Path
) -> None:
    (name,) = verdicts["BLOCK"].findall((repository / "README.md").read_text(encoding="utf-8"))
    kept = json.loads((repository / name).read_text(encoding="utf-8"))
    assert {finding["id"]: finding["claim"] for finding in kept} == {
        number: claim.claim for number, claim in enumerate(CLAIMS, start=1)
    }, "run the default experiment, then `python docs/verdicts.py results/default/findings.json`"


def test_another_verdict_is_another_readme(verdicts: dict[str, Any], tmp_path: Path) -> None:
    finding = {
        "id": 1,
        "dataset": "balls",
        "claim": "It falls.",
        "verdict": "holds",
        "reason": "At t = 3.",
    }
    (tmp_path / "kept.json").write_text(json.dumps([finding]))
    readme = "a\n<!-- verdicts: kept.json -->\nearlier\n<!-- end of verdicts -->\nz\n"
    text = verdicts["written"](readme, tmp_path)
    assert "| 1 | It falls. | holds |" in text
    assert "- 1, balls: At t = 3." in text
    assert "earlier" not in text
    assert (text[:2], text[-3:]) == ("a\n", "\nz\n")
    (tmp_path / "kept.json").write_text(json.dumps([finding | {"verdict": "undecided"}]))
    assert verdicts["written"](text, tmp_path) != text
