"""A claim: what it says, when it holds, which kinds of guidance it needs, and its decision."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from guidebench.report.claims.kinds import Kind, followed, guides_of
from guidebench.report.claims.premises import ignorant, saturated
from guidebench.report.claims.verdicts import (
    UNDECIDED,
    UNMEASURED,
    Outcome,
    Undecided,
    Unmeasured,
    sentence,
)
from guidebench.report.tables import Tables

PAIRED = "paired 95 % interval over images of the log ratio (averaged over t) excludes 0"
JACKKNIFE = "paired block-jackknife 95 % interval"
EXACT = "exact 95 % interval (Clopper-Pearson)"
FIRST = "at every t that may be the first one"
CHOSEN = "scales chosen on selection seeds, compared on evaluation seeds"


class Claim(NamedTuple):
    """A claim of the paper, its criterion ({fd}, {cfd}: the distance used) and its decision.

    `needs`: the kinds of guidance that it is about; `decide` gets them after tables and data set.
    `forward`: it follows their classifiers along the forward process, and samples nothing.
    `judged`: it asks which class the judge sees. `moot`: what a saturated one of these classifiers
    makes of the question; "": nothing.
    """

    claim: str
    criterion: str
    decide: Callable[..., Outcome]
    needs: tuple[Kind, ...]
    forward: bool = False
    judged: bool = False
    moot: str = ""


def finding(claim: Claim, tables: Tables, dataset: str, number: int) -> dict[str, Any]:
    """A claim on a data set: dataset, id, claim, criterion, values, verdict, reason."""
    outcome = _outcome(claim, tables, dataset)
    distances = {kind: tables.distance(dataset, kind) for kind in ("fd", "cfd")}
    return {
        "dataset": dataset,
        "id": number,
        "claim": claim.claim,
        "criterion": claim.criterion.format(**distances),
        "values": _safe(outcome.values),
        "verdict": outcome.verdict,
        "reason": outcome.reason,
    }


def _outcome(claim: Claim, tables: Tables, dataset: str) -> Outcome:
    """The decision on a data set; where there is none to make, the reason."""
    outcome = _decided(claim, tables, dataset)
    about = followed if claim.forward else guides_of
    names = [name for kind in claim.needs for name in about(tables, dataset, kind)]
    names += ["judge"] * claim.judged
    full = saturated(tables, dataset, names) if claim.moot else []
    lost = ignorant(tables, dataset, names)
    if not full and not lost:
        return outcome
    values = dict(outcome.values)
    for found in (*(one.values for one in lost), *(one.values for one in full)):
        values |= found
    why = "; ".join([*map(str, lost), *(f"{one}, {claim.moot}" for one in full)])
    return Outcome(
        UNMEASURED if outcome.verdict == UNMEASURED else UNDECIDED,
        values,
        f"The question does not arise: {why}. {outcome.reason}",
    )


def _decided(claim: Claim, tables: Tables, dataset: str) -> Outcome:
    try:
        return claim.decide(tables, dataset, *claim.needs)
    except Unmeasured as missing:
        return Outcome(UNMEASURED, {}, sentence(missing))
    except Undecided as reason:
        return Outcome(UNDECIDED, {}, sentence(reason))


def _safe(values: Mapping[str, float | None]) -> dict[str, float | None]:
    """Plain Python numbers; None where one is not finite."""
    return {
        key: None
        if value is None or not math.isfinite(value)
        else (int(value) if key.split(",")[0] == "t" else float(value))
        for key, value in values.items()
    }
