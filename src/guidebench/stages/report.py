"""Write the self-contained report, and the index of all experiments' reports."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from guidebench.artifacts import MANIFEST, atomic, read_json
from guidebench.report import index, page
from guidebench.report.tables import Tables
from guidebench.stages.stage import Stage


def run(stage: Stage) -> None:
    """Render report.html from tables, findings and figures."""
    layout = stage.layout
    stage.use(layout.tables)
    stage.use(layout.root, layout.root / "findings" / MANIFEST)
    stage.use(layout.figures, layout.root / "plots" / MANIFEST)
    tables, findings = Tables.read(layout.tables), read_json(layout.findings)
    with atomic(layout.report) as temporary:
        temporary.write_text(page.render(layout.root, tables, findings, layout.figures))
    with atomic(layout.root.parent / "index.html") as temporary:
        temporary.write_text(index.render(experiments(layout.root.parent)))
    stage.events.artifact(layout.tables / "results.csv")
    stage.events.artifact(layout.report)


def experiments(results: Path) -> list[dict[str, object]]:
    """Every experiment below `results` that has a report."""
    return [
        {
            "name": report.parent.name,
            "description": read_json(report.parent / "tables" / "summary.json")["description"],
            "report_path": f"{report.parent.name}/{report.name}",
            "findings": Counter(f["verdict"] for f in read_json(report.parent / "findings.json")),
        }
        for report in sorted(results.glob("*/report.html"))
    ]
