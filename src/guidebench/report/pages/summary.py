"""What the summary of the page says of a data set: winners against unguided, floor, verdicts."""

from collections.abc import Sequence
from typing import Any

from guidebench.base.cells import Cell
from guidebench.report import chosen
from guidebench.report.claims import premises
from guidebench.report.claims.verdicts import Unmeasured, difference
from guidebench.report.figures import theme
from guidebench.report.pages import winners
from guidebench.report.tables import FLOOR, Tables
from guidebench.report.words import measure


def of(
    tables: Tables, dataset: str, findings: list[dict[str, Any]], verdicts: Sequence[str]
) -> dict[str, Any]:
    """Winners of each kind of classifier and of all, unguided, floor, and the claims by verdict."""
    metric = tables.distance(dataset, "cfd")
    rows: list[dict[str, Any]] = []
    for who, classifier in (*((words, name) for name, words in theme.WORDS.items()), ("any", None)):
        won = chosen.winner(tables, dataset, classifier)
        if won and won[0] not in [row["cell"] for row in rows]:
            cell, value = won
            rows.append(
                {
                    "who": who,
                    "cell": cell,
                    "setup": cell.setup,
                    "unit": _unit(tables, dataset, cell),
                    "scale": f"{cell.scale:g}",
                    "value": measure(value),
                }
                | _against_unguided(tables, dataset, cell, metric)
            )
    tied = [entry.cell.setup for entry in winners.contest(tables, dataset) if entry.tied]
    return {
        "name": dataset,
        "metric": metric,
        "rows": rows,
        "guided": tables.guided(dataset),
        "tied": tied,
        "premises": premises.said(tables, dataset),
        "unguided": _unguided(tables, dataset, metric, [row["setup"] for row in rows]),
        "floor": _floor(tables, dataset, metric),
        "claims": {
            verdict: [
                finding["id"]
                for finding in findings
                if (finding["dataset"], finding["verdict"]) == (dataset, verdict)
            ]
            for verdict in verdicts
        },
    }


def _unit(tables: Tables, dataset: str, cell: Cell) -> str:
    kind = tables.facts(dataset)["setups"][cell.setup]["kind"]
    return "weight" if kind == "cfg" else "scale"


def _against_unguided(tables: Tables, dataset: str, cell: Cell, metric: str) -> dict[str, str]:
    """`none`: why a winner is no gain, "" where it may be; `gap`: what was measured of that."""
    unguided = tables.unguided(dataset, cell.setup)
    try:
        gap = difference(tables, dataset, (cell, metric), (unguided, metric))
    except Unmeasured:
        return {"none": "", "gap": "its difference from unguided was not measured"}
    if gap.negative:
        return {"none": "", "gap": ""}
    none = "none is better than unguided" if gap.positive else "none can be told from unguided"
    against = tables.against(dataset, cell.setup)
    return {"none": none, "gap": f"its difference from {against} is {gap}"}


def _floor(tables: Tables, dataset: str, metric: str) -> str:
    if floor := tables.measure(dataset, Cell(FLOOR), metric):
        return measure(floor)
    if not tables.has(dataset, metric):
        return "not measured"
    of_target = " of the target class" if metric.startswith("c") else ""
    return f"none (fewer than {tables.facts(dataset)['n']} held-out images{of_target})"


def _unguided(tables: Tables, dataset: str, metric: str, setups: Sequence[str]) -> str:
    """The distance without guidance, and what a setup that is sampled otherwise compares with."""

    def value(cell: Cell) -> str:
        broken = " (broken)" if tables.is_broken(dataset, cell) else ""
        found = tables.measure(dataset, cell, metric)
        return (measure(found) if found else "not measured") + broken

    plain = tables.unguided(dataset)
    named = {setup: tables.against(dataset, setup) for setup in setups}
    others = [
        f"{setup} compares with {base}, {value(tables.unguided(dataset, setup))}"
        for setup, base in named.items()
        if base != plain.setup
    ]
    return "; ".join([value(plain), *others])
