"""Write the self-contained report, what all stages cost, and the index of all reports."""

from collections import Counter
from contextlib import suppress
from pathlib import Path

from guidebench.pipeline.errors import UserError
from guidebench.pipeline.jobs.check import check
from guidebench.pipeline.jobs.listing import inputs
from guidebench.pipeline.records.artifacts import atomic, read_json
from guidebench.report.figures import drawing
from guidebench.report.pages import index, page
from guidebench.report.tables import Tables
from guidebench.stages.stage import Stage


def run(stage: Stage) -> None:
    """Render report.html from tables, findings and figures."""
    layout = stage.layout
    # no report is published unless all results that it rests on are there, fresh and undamaged
    check(stage.config, layout, inputs(stage.config, stage.job))
    tables, findings = Tables.read(layout.tables), read_json(layout.findings)
    costs = drawing.draw_costs(tables, layout.figures)
    with atomic(layout.report) as temporary:
        temporary.write_text(page.render(layout.root, tables, findings, layout.figures))
    layout.preview.unlink(missing_ok=True)
    with atomic(layout.root.parent / "index.html") as temporary:
        temporary.write_text(index.render(experiments(layout.root.parent)))
    stage.events.artifact(layout.tables / "results.csv")
    stage.events.artifact(layout.report)
    measured = [layout.report, *costs]
    stage.finish([], [path.relative_to(layout.root).as_posix() for path in measured])


def experiments(results: Path) -> list[dict[str, object]]:
    """Every experiment below `results` that has a report, and tables and findings beside it."""
    experiments: list[dict[str, object]] = []
    for report in sorted(results.glob("*/report.html")):
        folder = report.parent
        # another experiment's missing or damaged file is no reason to withhold this one's report
        with suppress(UserError, KeyError, TypeError):
            summary = read_json(folder / "tables" / "summary.json")
            findings = read_json(folder / "findings.json")
            experiments.append(
                {
                    "name": folder.name,
                    "description": summary["description"],
                    "report_path": f"{folder.name}/{report.name}",
                    "findings": Counter(finding["verdict"] for finding in findings),
                }
            )
    return experiments
