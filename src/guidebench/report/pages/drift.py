"""The table of attribute drift."""

from typing import Any

from guidebench.report import words
from guidebench.report.claims.verdicts import Unmeasured
from guidebench.report.drift import cells, compared, values
from guidebench.report.figures import theme
from guidebench.report.tables import Tables
from guidebench.report.words import MISSING, number

CLEAR = 0.05


def table(tables: Tables, dataset: str) -> dict[str, Any]:
    """Head and rows: each setup at its selected scale against the unguided images of its seeds."""
    found = tables.attributes[tables.attributes.dataset == dataset]
    errors = dict(zip(found.attribute, found.error, strict=True))
    chosen, plain = cells(tables, dataset), tables.unguided(dataset)
    tests = len(chosen) * len(errors)
    rows = []
    for cell in chosen if errors else []:
        shown: list[str] = []
        n = 0
        for attribute in errors:
            guided, without = (values(tables, dataset, one, attribute) for one in (cell, plain))
            try:
                drift = compared(guided, without, tests)
            except Unmeasured:
                shown += [MISSING] * 3
                continue
            clear = " *" if drift.chance * tests < CLEAR else ""
            shown += [
                number(drift.moved),
                str(drift.shift),
                f"{number(drift.distance)} (p = {number(drift.chance)}){clear}",
            ]
            n = drift.n
        head = [theme.title(cell.setup), f"{cell.scale:g}"]
        rows.append([*head, *shown, str(n)])
    columns = [
        f"{attribute}: {what}"
        for attribute in errors
        for what in ("moved, px", "shift, px", "distance, px")
    ]
    return words.table(["setup", "scale", *columns, "n"], rows) | {"errors": errors}
