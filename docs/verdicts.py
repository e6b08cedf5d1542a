"""Write the verdicts in the README and in docs/ from the kept findings of runs.

`python docs/verdicts.py results/default/findings.json` keeps these as docs/findings/default.json
and writes every page again from the files that it names.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
README = DOCS.parent / "README.md"
BLOCK = re.compile(r"<!-- verdicts: (\S+) -->\n.*?<!-- end of verdicts -->", re.DOTALL)


def block(findings: list[dict[str, Any]], kept: str) -> str:
    """A page's part between two marks: every claim's verdict, and what was measured."""
    datasets = list(dict.fromkeys(finding["dataset"] for finding in findings))
    claims = {finding["id"]: finding["claim"] for finding in findings}
    found = {(finding["id"], finding["dataset"]): finding for finding in findings}
    lines = [
        f"<!-- verdicts: {kept} -->",
        f"Experiment `{Path(kept).stem}`:",
        "",
        f"| | claim | {' | '.join(datasets)} |",
        f"|---|---|{'---|' * len(datasets)}",
    ]
    for number, claim in claims.items():
        cells = [
            found[number, name]["verdict"] if (number, name) in found else "–" for name in datasets
        ]
        lines.append(f"| {number} | {claim} | {' | '.join(cells)} |")
    lines += ["", "<details><summary>What was measured</summary>", ""]
    lines += [
        f"- {finding['id']}, {finding['dataset']}: {finding['reason']}" for finding in findings
    ]
    return "\n".join([*lines, "", "</details>", "<!-- end of verdicts -->"])


def written(page: str, root: Path = DOCS.parent) -> str:
    """A page's text with the verdicts of the files that its blocks name."""
    return BLOCK.sub(
        lambda match: block(
            json.loads((root / match[1]).read_text(encoding="utf-8")), kept=match[1]
        ),
        page,
    )


def pages() -> list[Path]:
    """The pages that show verdicts."""
    return [page for page in (README, *sorted(DOCS.glob("*.md"))) if BLOCK.search(_text(page))]


def _text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


if __name__ == "__main__":
    for source in map(Path, sys.argv[1:]):
        kept = DOCS / "findings" / f"{source.resolve().parent.name}.json"
        kept.write_bytes(source.read_bytes())
    for page in pages():
        page.write_text(written(_text(page)), encoding="utf-8")
