"""Decide the paper's claims from the tables."""

from guidebench.pipeline.records.artifacts import write_json
from guidebench.report.claims.findings import decide
from guidebench.report.tables import Tables
from guidebench.stages.stage import Stage


def run(stage: Stage) -> None:
    """Write findings.json: a list of claims with criterion, values and verdict."""
    layout = stage.layout
    stage.use("collect")
    write_json(layout.findings, decide(Tables.read(layout.tables)))
    stage.events.artifact(layout.findings)
    stage.finish([layout.findings.name])
