"""Decide the paper's claims from the tables."""

from __future__ import annotations

from guidebench.artifacts import MANIFEST, write_json
from guidebench.report.findings import decide
from guidebench.report.tables import Tables
from guidebench.stages.stage import Stage


def run(stage: Stage) -> None:
    """Write findings.json: a list of claims with criterion, values and verdict."""
    layout = stage.layout
    stage.use(layout.tables)
    write_json(layout.findings, decide(Tables.read(layout.tables)))
    stage.events.artifact(layout.findings)
    manifest = layout.root / "findings" / MANIFEST
    stage.finish(layout.root, [layout.findings.name], manifest)
