"""Claims 8 to 10: accuracy of guided samples against the scale (nrCG, figures 5 and 8a)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from guidebench.base.cells import Cell
from guidebench.report.claims.intervals import proportion
from guidebench.report.claims.verdicts import (
    FAILS,
    HOLDS,
    UNDECIDED,
    Interval,
    Outcome,
    Unmeasured,
    along,
    difference,
    measured,
    require,
    scales,
    unbroken,
)
from guidebench.report.tables import SELECTION, UNGUIDED, Tables

SHIFT = 0.15
DIVERGED = 0.5
REACHED = 0.90
FIFTH = 5
ADAM = "clean/x0+adam"
X0 = ["clean/x0", "clean/x0+ema0.9", "clean/x0+ema0.99"]
Values = dict[str, float | None]
NOTHING = Interval(np.nan, -np.inf, np.inf)  # of what was not measured


def _share(tables: Tables, dataset: str, cell: Cell, metric: str, tests: int = 1) -> Interval:
    found = measured(tables, dataset, cell, metric)
    return proportion(found.value, found.n, tests)


class Against(NamedTuple):
    """A cell against unguided: the share that diverged, and judge's accuracy and cFD above it."""

    diverged: Interval
    accuracy: Interval
    cfd: Interval

    @property
    def fails(self) -> bool:
        """One of the three ways to fail is certain."""
        return self.diverged.low >= DIVERGED or self.accuracy.high < SHIFT or self.cfd.positive

    @property
    def works(self) -> bool:
        """None of the three ways to fail is left."""
        return self.diverged.high < DIVERGED and self.accuracy.low >= SHIFT and self.cfd.negative


def _unguided(tables: Tables, dataset: str, cell: Cell, tests: int) -> Against:
    found = []
    for metric in ("accuracy_judge", "cfd_judge"):
        pair = (cell, metric), (Cell(UNGUIDED), metric)
        try:
            found.append(difference(tables, dataset, *pair, tests))
        except Unmeasured:
            found.append(NOTHING)
    share = tables.measure(dataset, cell, "diverged")
    return Against(proportion(share.value, share.n, tests) if share else NOTHING, *found)


def clean_raw_fails(tables: Tables, dataset: str) -> Outcome:
    """Claim 8: guidance by the clean classifier on x_t fails at every scale."""
    measured(tables, dataset, Cell(UNGUIDED), "accuracy_judge")
    if tables.is_broken(dataset, Cell(UNGUIDED)):
        raise Unmeasured("not measured: unguided is broken, and all scales are compared with it")
    cells = scales(tables, dataset, "clean/raw")
    values: Values = {}
    for cell in cells:
        alone, at = _unguided(tables, dataset, cell, 1), f"at scale {cell.scale:g}"
        values |= alone.diverged.values(f"diverged {at}")
        values |= alone.accuracy.values(f"accuracy_judge above unguided {at}")
        values |= alone.cfd.values(f"cfd_judge above unguided {at}")
    # that it fails is one of three reasons at all scales, that it works all three at one scale
    fails = [f"{cell.scale:g}" for cell in cells if _unguided(tables, dataset, cell, 3).fails]
    works = [
        f"{cell.scale:g}" for cell in cells if _unguided(tables, dataset, cell, len(cells)).works
    ]
    verdict = FAILS if works else HOLDS if len(fails) == len(cells) else UNDECIDED
    return Outcome(
        verdict,
        values,
        f"Of {len(cells)} scales it fails for certain at "
        f"{', '.join(fails) or 'none'} and works for certain at "
        f"{', '.join(works) or 'none'}.",
    )


def _chosen(tables: Tables, dataset: str, setup: str) -> Cell | None:
    """The scale, none that broke, with the highest smaller accuracy of two on selection seeds."""
    chances, lost = {}, tables.broken(dataset, setup, SELECTION)
    for cell in [cell for cell in scales(tables, dataset, setup) if cell.scale not in lost]:
        pair = [
            tables.measure(dataset, cell, f"accuracy_{who}", SELECTION)
            for who in ("guide", "judge")
        ]
        if pair[0] and pair[1]:
            chances[cell] = min(pair[0].value, pair[1].value)
    return max(chances, key=lambda cell: chances[cell], default=None)


def ema_reaches(tables: Tables, dataset: str) -> Outcome:
    """Claim 9: clean/x0 with EMA convinces both the guide and the judge."""
    setups = [name for name in tables.guided(dataset) if name.startswith("clean/x0+ema")]
    if not setups:
        raise Unmeasured("not measured: setup clean/x0+ema* is not in this data set's config")
    cells = [cell for setup in setups if (cell := _chosen(tables, dataset, setup))]
    if not cells:
        raise Unmeasured("not measured: no accuracies of clean/x0+ema* on selection seeds")
    values: Values = {}
    parts, reached, missed = [], [], []
    for cell in cells:
        guide, judge = (
            _share(tables, dataset, cell, f"accuracy_{who}") for who in ("guide", "judge")
        )
        values[f"scale {cell.setup}"] = cell.scale
        values |= guide.values(f"accuracy_guide {cell.setup}")
        values |= judge.values(f"accuracy_judge {cell.setup}")
        parts.append(f"{cell.setup} at scale {cell.scale:g}: guide {guide}, judge {judge}")
        # that it reaches it is one of several setups, that it does not one of its two accuracies
        several, two = (
            [_share(tables, dataset, cell, f"accuracy_{who}", tests) for who in ("guide", "judge")]
            for tests in (len(cells), 2)
        )
        reached.append(all(one.low >= REACHED for one in several))
        missed.append(any(one.high < REACHED for one in two))
    verdict = HOLDS if any(reached) else FAILS if all(missed) else UNDECIDED
    return Outcome(verdict, values, f"{'; '.join(parts)}.")


class Threshold(NamedTuple):
    """Scales between which a setup's accuracy by the guide first reaches 90 %.

    `below`: the largest one up to which it is below for certain, 0 without one; `at`: the smallest
    one at which it is not for certain; None, at no scale.
    """

    below: float
    at: float | None

    def __str__(self) -> str:
        return f"above {self.below:g}" + (f", at most {self.at:g}" if self.at is not None else "")


def _threshold(tables: Tables, dataset: str, setup: str, tests: int) -> Threshold:
    below, open_ = 0.0, True
    # an image that diverged is of no class: where many did, a miss says nothing of the scale
    for cell in unbroken(tables, dataset, setup).cells:
        found = tables.measure(dataset, cell, "accuracy_guide")
        share = proportion(found.value, found.n, tests) if found else NOTHING
        if share.low >= REACHED:
            return Threshold(below, cell.scale)
        open_ = open_ and (found is None or share.high < REACHED)
        below = cell.scale or 0.0 if found and open_ else below
    return Threshold(below, None)


def adam_needs_less(tables: Tables, dataset: str) -> Outcome:
    """Claim 10: ADAM needs at most a fifth of the others' scale for 90 %."""
    require(tables, dataset, ADAM)
    others = [setup for setup in X0 if setup in tables.facts(dataset)["setups"]]
    if not others:
        raise Unmeasured(
            "not measured: no clean/x0 setup beside clean/x0+adam in this data set's config"
        )
    # whatever is concluded from them, all of these intervals hold together
    grids = [unbroken(tables, dataset, setup) for setup in (ADAM, *others)]
    tests = sum(len(grid.cells) for grid in grids)
    found = {setup: _threshold(tables, dataset, setup, tests) for setup in [ADAM, *others]}
    values: Values = {f"smallest scale {setup}": one.at for setup, one in found.items()}
    values |= {f"largest scale before it {setup}": one.below for setup, one in found.items()}
    adam = found.pop(ADAM)
    # a grid tells between which scales the threshold lies, not where
    verdict = UNDECIDED
    if adam.at is not None and all(FIFTH * adam.at <= one.below for one in found.values()):
        verdict = HOLDS
    elif any(one.at and FIFTH * adam.below >= one.at for one in found.values()):
        verdict = FAILS
    acts, share = _acts(tables, dataset)
    text = "; ".join(f"{setup} {one}" for setup, one in found.items())
    return Outcome(
        verdict,
        values | share,
        f"90 % needs a scale {adam} with ADAM; others: {text}."
        f"{''.join(grid.said for grid in grids)} {acts}",
    )


def _acts(tables: Tables, dataset: str) -> tuple[str, Values]:
    """Whether ADAM's normalisation or its eps acts: the root of its second moment against eps.

    That root is followed along the forward process from the gradient's size on held-out images
    (root mean square over pixels), as the stabilizer's recursion has it (nrCG, eq. 8).
    """
    facts = tables.facts(dataset)
    options = facts["setups"][ADAM]["stabilizer_options"]
    try:
        size = along(tables, dataset, "update_norm", "clean", "x0", "none")
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
    name = "share of steps in which ADAM's root exceeds eps"
    return (
        f"The root of ADAM's second moment exceeds its eps ({eps:g}) in {100 * share:.0f} % of "
        f"the steps: its normalisation acts there, its eps in the others.{unit}"
    ), {name: share}
