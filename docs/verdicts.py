"""Write the README's verdicts from the kept findings of a run.

`python docs/verdicts.py results/default/findings.json` keeps these as docs/findings/default.json
and shows them; without an argument the README is written again from the file that it names.
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
    """The README's part between its two marks: every claim's verdict, and what was measured."""
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


def written(readme: str, root: Path = DOCS.parent) -> str:
    """The README's text with the verdicts of the file that it names."""
    (kept,) = BLOCK.findall(readme)
    text = block(json.loads((root / kept).read_text(encoding="utf-8")), kept)
    return BLOCK.sub(lambda _: text, readme)


if __name__ == "__main__":
    text = README.read_text(encoding="utf-8")
    if sys.argv[1:]:
        source = Path(sys.argv[1])
        kept = DOCS / "findings" / f"{source.resolve().parent.name}.json"
        kept.parent.mkdir(exist_ok=True)
        kept.write_bytes(source.read_bytes())
        name = kept.relative_to(README.parent).as_posix()
        text = re.sub(r"<!-- verdicts: \S+ -->", f"<!-- verdicts: {name} -->", text)
    README.write_text(written(text), encoding="utf-8")
