"""Claim 10: the scales at which accuracy by the guide reaches 90 % (nrCG, figures 5 and 8a)."""

from typing import NamedTuple

import numpy as np

from guidebench.base.cells import Cell
from guidebench.report.claims.accuracy import REACHED, share_of
from guidebench.report.claims.kinds import (
    CLEAN_X0,
    Kind,
    along,
    one_of_each,
    setup_of,
    setups_of,
    which,
)
from guidebench.report.claims.missing import UNKNOWN, unless_missing
from guidebench.report.claims.verdicts import (
    FAILS,
    HOLDS,
    UNDECIDED,
    Outcome,
    Unmeasured,
    Values,
    name,
    unbroken,
)
from guidebench.report.tables import Tables

FIFTH = 5


class Threshold(NamedTuple):
    """Scales between which a setup's accuracy by the guide first reaches 90 %.

    `below`: the largest scale up to which it is below 90 % for certain, 0 without one; `at`: the
    smallest at which it is above for certain; None, at no scale. `missing`: up to there, the cells
    without an accuracy.
    """

    below: float
    at: float | None
    missing: list[Cell]

    def __str__(self) -> str:
        return f"above {self.below:g}" + (f", at most {self.at:g}" if self.at is not None else "")


def _threshold(tables: Tables, dataset: str, cells: list[Cell], tests: int) -> Threshold:
    below, below_so_far = 0.0, True
    missing: list[Cell] = []
    # an image that diverged is of no class: where many did, a miss says nothing of the scale
    for cell in cells:
        try:
            share = share_of(tables, dataset, cell, "accuracy_guide", tests)
        except Unmeasured:
            share = UNKNOWN
            missing.append(cell)
        if share.low >= REACHED:
            return Threshold(below, cell.scale, missing)
        below_so_far = below_so_far and share.high < REACHED
        if below_so_far and cell.scale is not None:
            below = cell.scale
    return Threshold(below, None, missing)


def adam_needs_less(tables: Tables, dataset: str, with_adam: Kind, stabilized: Kind) -> Outcome:
    """Claim 10: ADAM needs at most a fifth of the others' scale for 90 %."""
    adam = setup_of(tables, dataset, with_adam)
    adams = setups_of(tables, dataset, with_adam)
    others = [setup for setup in one_of_each(tables, dataset, stabilized) if setup not in adams]
    if not others:
        raise Unmeasured(
            f"not measured: no {stabilized} setup beside {adam} in this data set's config"
        )
    # the verdict may rest on any of these intervals, so all of them are to hold together
    unbroken_of = {setup: unbroken(tables, dataset, setup, least=0) for setup in (adam, *others)}
    tests = sum(len(cells) for cells, _ in unbroken_of.values())
    thresholds = {
        setup: _threshold(tables, dataset, cells, tests)
        for setup, (cells, _) in unbroken_of.items()
    }
    all_broken = [setup for setup, (cells, _) in unbroken_of.items() if not cells]
    missing = [name(cell) for threshold in thresholds.values() for cell in threshold.missing]
    values: Values = {f"smallest scale {setup}": t.at for setup, t in thresholds.items()}
    values |= {f"largest scale before it {setup}": t.below for setup, t in thresholds.items()}
    own = thresholds.pop(adam)
    # a grid tells between which scales the threshold lies, not where
    verdict = UNDECIDED
    if own.at is not None and all(FIFTH * own.at <= t.below for t in thresholds.values()):
        verdict = HOLDS
    elif any(t.at and FIFTH * own.below >= t.at for t in thresholds.values()):
        verdict = FAILS
    acts, share = _what_acts(tables, dataset, adam)
    rest = "; ".join(f"{setup} {threshold}" for setup, threshold in thresholds.items())
    gaps = f" Not measured: accuracy_guide of {', '.join(missing)}." if missing else ""
    return Outcome(
        unless_missing(verdict, [*missing, *all_broken]),
        values | share,
        f"90 % needs a scale {own} with ADAM; others: {rest}."
        f"{''.join(on_broken for _, on_broken in unbroken_of.values())}{gaps} {acts}"
        f"{which(tables, dataset, with_adam)}",
    )


def _what_acts(tables: Tables, dataset: str, adam: str) -> tuple[str, Values]:
    """Whether ADAM's normalisation or its eps acts: the root of its second moment against eps.

    That root is followed along the forward process from the gradient's size on held-out images
    (root mean square over pixels), as the stabilizer's recursion has it (nrCG, eq. 8).
    """
    facts = tables.facts(dataset)
    options = facts["setups"][adam]["stabilizer_options"]
    try:
        size = along(tables, dataset, "update_norm", CLEAN_X0)
    except Unmeasured:
        return "The gradient's size was not measured.", {}
    pixels = facts["channels"] * facts["image_size"] ** 2
    exponent = facts["timesteps"] / len(size) if options["per_step"] == "full_grid" else 1
    beta, moment = options["beta2"] ** exponent, np.zeros(size.shape[1])
    roots = []
    for _, row in size.sort_index(ascending=False).iterrows():
        moment = beta * moment + (1 - beta) * row.to_numpy() ** 2 / pixels
        roots.append(np.sqrt(moment))
    share, eps = float(np.mean(np.array(roots) > options["eps"])), options["eps"]
    unit = (
        ""
        if share >= 0.5
        else (
            f" There an update is the averaged gradient times {1 / eps:g}, so the smaller scale is "
            "mostly a change of units."
        )
    )
    return (
        f"The root of ADAM's second moment exceeds its eps ({eps:g}) in {100 * share:.0f} % of "
        f"the steps: its normalisation acts there, its eps in the others.{unit}"
    ), {"share of steps in which ADAM's root exceeds eps": share}
