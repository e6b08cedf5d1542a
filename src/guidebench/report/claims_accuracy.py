"""Claims 8 to 10: accuracy of guided samples against the scale (nrCG, figures 5 and 8a)."""

from __future__ import annotations

from typing import NamedTuple

from guidebench.report.tables import SELECTION, UNGUIDED, Cell, Tables
from guidebench.report.verdicts import (
    FAILS,
    HOLDS,
    UNDECIDED,
    Outcome,
    Unmeasured,
    measured,
    require,
    scales,
)
from guidebench.report.words import number

SHIFT = 0.15
DIVERGED = 0.5
REACHED = 0.90
SHARE = 1 / 5
EPS = 1e-9  # a number exactly at its limit counts, whatever its binary rounding
ADAM = "clean/x0+adam"
X0 = ["clean/x0", "clean/x0+ema0.9", "clean/x0+ema0.99"]
Values = dict[str, float | None]


def clean_raw_fails(tables: Tables, dataset: str) -> Outcome:
    """Claim 8: guidance by the clean classifier on x_t fails at every scale."""
    cells = scales(tables, dataset, "clean/raw")
    base = measured(tables, dataset, Cell(UNGUIDED), "accuracy_judge").value
    base_cfd = measured(tables, dataset, Cell(UNGUIDED), "cfd_judge").value
    values: Values = {"accuracy_judge unguided": base, "cfd_judge unguided": base_cfd}
    works = []
    for cell in cells:
        diverged = tables.measure(dataset, cell, "diverged")
        values[f"diverged at scale {cell.scale:g}"] = diverged.value if diverged else None
        if diverged and diverged.value >= DIVERGED - EPS:
            continue
        judge = measured(tables, dataset, cell, "accuracy_judge").value
        cfd = measured(tables, dataset, cell, "cfd_judge").value
        values |= {f"accuracy_judge at scale {cell.scale:g}": judge,
                   f"cfd_judge at scale {cell.scale:g}": cfd}  # fmt: skip
        if judge >= base + SHIFT - EPS and cfd <= base_cfd:
            works.append(f"{cell.scale:g} (judge {judge:.3f}, cfd_judge {number(cfd)})")
    against = f"unguided: judge {base:.3f}, cfd_judge {number(base_cfd)}"
    if works:
        return Outcome(FAILS, values, f"It works at scale {', '.join(works)}; {against}.")
    return Outcome(HOLDS, values, f"It fails at each of {len(cells)} scales; {against}.")


def ema_reaches(tables: Tables, dataset: str) -> Outcome:
    """Claim 9: clean/x0 with EMA convinces both the guide and the judge."""
    setups = [name for name in tables.guided(dataset) if name.startswith("clean/x0+ema")]
    if not setups:
        raise Unmeasured("not measured: setup clean/x0+ema* is not in this data set's config")
    values: Values = {}
    best, text = -1.0, ""
    for setup in setups:
        chances = {}
        for cell in scales(tables, dataset, setup):
            pair = [tables.measure(dataset, cell, f"accuracy_{who}", SELECTION)
                    for who in ("guide", "judge")]  # fmt: skip
            if pair[0] and pair[1]:
                chances[cell] = min(pair[0].value, pair[1].value)
        if not chances:
            continue
        cell = max(chances, key=lambda cell: (chances[cell], -cell.scale))
        guide, judge = (measured(tables, dataset, cell, f"accuracy_{who}").value
                        for who in ("guide", "judge"))  # fmt: skip
        values |= {f"scale {setup}": cell.scale, f"accuracy_guide {setup}": guide,
                   f"accuracy_judge {setup}": judge}  # fmt: skip
        if min(guide, judge) > best:
            best = min(guide, judge)
            text = f"{setup} at scale {cell.scale:g}: guide {guide:.3f}, judge {judge:.3f}"
    if not values:
        raise Unmeasured("not measured: no accuracies of clean/x0+ema* on selection seeds")
    return Outcome(HOLDS if best >= REACHED - EPS else FAILS, values, f"Best is {text}.")


class Threshold(NamedTuple):
    """Scales between which a setup's accuracy by the guide first reaches 90 %.

    `below`: the largest scale before it that was measured, 0 without one; `at`: None, never.
    """

    below: float
    at: float | None

    def __str__(self) -> str:
        return f"above {self.below:g}" + (f", at most {self.at:g}" if self.at is not None else "")


def _threshold(tables: Tables, dataset: str, setup: str) -> Threshold:
    below = 0.0
    for cell in scales(tables, dataset, setup):
        found = tables.measure(dataset, cell, "accuracy_guide")
        if found and found.value >= REACHED - EPS:
            return Threshold(below, cell.scale)
        below = cell.scale if found else below
    return Threshold(below, None)


def adam_needs_less(tables: Tables, dataset: str) -> Outcome:
    """Claim 10: ADAM needs at most a fifth of the others' scale for 90 %."""
    require(tables, dataset, ADAM)
    others = [setup for setup in X0 if setup in tables.facts(dataset)["setups"]]
    if not others:
        raise Unmeasured("not measured: no clean/x0 setup beside clean/x0+adam in this "
                         "data set's config")  # fmt: skip
    found = {setup: _threshold(tables, dataset, setup) for setup in [ADAM, *others]}
    values: Values = {f"smallest scale {setup}": one.at for setup, one in found.items()}
    values |= {f"largest scale before it {setup}": one.below for setup, one in found.items()}
    adam = found.pop(ADAM)
    # a grid tells between which scales the threshold lies, not where
    verdict = UNDECIDED
    if adam.at is not None and all(adam.at <= SHARE * one.below + EPS for one in found.values()):
        verdict = HOLDS
    elif any(one.at and adam.below >= SHARE * one.at - EPS for one in found.values()):
        verdict = FAILS
    text = "; ".join(f"{setup} {one}" for setup, one in found.items())
    return Outcome(verdict, values, f"90 % needs a scale {adam} with ADAM; others: {text}.")
