"""The table of attribute drift."""

from contextlib import suppress
from typing import Any

from guidebench.base.choices import BALL_NUMBERS
from guidebench.report import words
from guidebench.report.claims.verdicts import Unmeasured
from guidebench.report.drift import (
    CLEAR,
    cells,
    chance,
    compared,
    errors,
    paired,
    unit,
    values,
)
from guidebench.report.figures import theme
from guidebench.report.tables import Tables
from guidebench.report.words import MISSING, number


def shows(attribute: str) -> tuple[str, ...]:
    """What is told of an attribute; of a turn only whether guidance prefers one.

    Kinds of balls have no common zero, and not each one's turn can be read: a pair that moved, or
    two distributions that differ, may be a class that changed, as it should.
    """
    return ("moved", "shift", "distance") if unit(attribute) else ("shift",)


def table(tables: Tables, dataset: str) -> dict[str, Any]:
    """Head and rows: each setup at its selected scale against unguided images of its seeds.

    `errors`: of what was read, in words; `constant`: what was not, as all training images agree.
    """
    found = errors(tables, dataset)
    chosen = cells(tables, dataset) if found else []
    pairs = {}
    for cell in chosen:
        both = cell, tables.unguided(dataset, cell.setup)
        for attribute in found:
            with suppress(Unmeasured):
                pairs[cell, attribute] = paired(
                    *(values(tables, dataset, one, attribute) for one in both)
                )
    # of all that is shown: intervals of shifts hold together, and so do tests of distances
    distances = sum("distance" in shows(attribute) for _, attribute in pairs)
    rows = []
    for cell in chosen:
        shown: list[str] = []
        n = 0
        for attribute in found:
            if (cell, attribute) not in pairs:
                shown += [MISSING] * len(shows(attribute))
                continue
            drift = compared(pairs[cell, attribute], len(pairs))
            told = {"moved": number(drift.moved), "shift": str(drift.shift)}
            if "distance" in shows(attribute):
                p = chance(pairs[cell, attribute], distances)
                clear = " *" if p * distances < CLEAR else ""
                told["distance"] = f"{number(drift.distance)} (p = {number(p)}){clear}"
            shown += [told[what] for what in shows(attribute)]
            n = drift.n
        head = [theme.title(cell.setup), f"{cell.scale:g}", tables.against(dataset, cell.setup)]
        rows.append([*head, *shown, str(n)])
    columns = [
        f"{attribute}: {what}{unit(attribute)}" for attribute in found for what in shows(attribute)
    ]
    return words.table(["setup", "scale", "against", *columns, "n"], rows) | {
        "errors": [f"{number(error)} ({name}{unit(name)})" for name, error in found.items()],
        "constant": [name for name in BALL_NUMBERS if name not in found],
    }
