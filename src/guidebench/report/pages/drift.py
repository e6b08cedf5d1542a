"""The table of attribute drift."""

from typing import Any

from guidebench.report import words
from guidebench.report.claims.verdicts import Unmeasured
from guidebench.report.drift import cells, compared, unit, values
from guidebench.report.figures import theme
from guidebench.report.tables import Tables
from guidebench.report.words import MISSING, number

CLEAR = 0.05


def shows(attribute: str) -> tuple[str, ...]:
    """What is told of an attribute; of a turn only whether guidance prefers one.

    Kinds of balls have no common zero, and not each one's turn can be read: a pair that moved, or
    two distributions that differ, may be a class that changed, as it should.
    """
    return ("moved", "shift", "distance") if unit(attribute) else ("shift",)


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
                shown += [MISSING] * len(shows(attribute))
                continue
            clear = " *" if drift.chance * tests < CLEAR else ""
            told = {
                "moved": number(drift.moved),
                "shift": str(drift.shift),
                "distance": f"{number(drift.distance)} (p = {number(drift.chance)}){clear}",
            }
            shown += [told[what] for what in shows(attribute)]
            n = drift.n
        head = [theme.title(cell.setup), f"{cell.scale:g}"]
        rows.append([*head, *shown, str(n)])
    columns = [
        f"{attribute}: {what}{unit(attribute)}" for attribute in errors for what in shows(attribute)
    ]
    read = [f"{number(error)} ({name}{unit(name)})" for name, error in errors.items()]
    return words.table(["setup", "scale", *columns, "n"], rows) | {"errors": read}
