"""Claims 8 to 10: accuracy of guided samples against the scale (nrCG, figures 5 and 8a)."""

from typing import NamedTuple

import numpy as np

from guidebench.base.cells import Cell
from guidebench.report.claims.intervals import proportion
from guidebench.report.claims.kinds import (
    CLEAN_X0,
    Kind,
    along,
    one_of_each,
    setup_of,
    setups_of,
    which,
)
from guidebench.report.claims.verdicts import (
    FAILS,
    HOLDS,
    UNDECIDED,
    Interval,
    Outcome,
    Unmeasured,
    Values,
    difference,
    measured,
    scales,
    unbroken,
)
from guidebench.report.tables import SELECTION, Tables

SHIFT = 0.15
DIVERGED = 0.5
REACHED = 0.90
FIFTH = 5
UNKNOWN = Interval(np.nan, -np.inf, np.inf)  # of what was not measured


def _share(tables: Tables, dataset: str, cell: Cell, metric: str, tests: int = 1) -> Interval:
    value = measured(tables, dataset, cell, metric)
    return proportion(value.value, value.n, tests)


class AgainstUnguided(NamedTuple):
    """The share of a cell that diverged, and judge's accuracy and cFD minus unguided's."""

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


def _against_unguided(tables: Tables, dataset: str, cell: Cell, tests: int) -> AgainstUnguided:
    gains = []
    for metric in ("accuracy_judge", "cfd_judge"):
        pair = (cell, metric), (tables.unguided(dataset, cell.setup), metric)
        try:
            gains.append(difference(tables, dataset, *pair, tests))
        except Unmeasured:
            gains.append(UNKNOWN)
    share = tables.measure(dataset, cell, "diverged")
    diverged = proportion(share.value, share.n, tests) if share else UNKNOWN
    return AgainstUnguided(diverged, *gains)


def clean_raw_fails(tables: Tables, dataset: str, clean_raw: Kind) -> Outcome:
    """Claim 8: guidance by the clean classifier on x_t fails at every scale."""
    setup = setup_of(tables, dataset, clean_raw)
    unguided = tables.unguided(dataset, setup)
    measured(tables, dataset, unguided, "accuracy_judge")
    if tables.is_broken(dataset, unguided):
        raise Unmeasured("not measured: unguided is broken, and all scales are compared with it")
    cells = scales(tables, dataset, setup)
    values: Values = {}
    for cell in cells:
        alone, at = _against_unguided(tables, dataset, cell, 1), f"at scale {cell.scale:g}"
        values |= alone.diverged.values(f"diverged {at}")
        values |= alone.accuracy.values(f"accuracy_judge above unguided {at}")
        values |= alone.cfd.values(f"cfd_judge above unguided {at}")
    # "fails" takes any of three reasons at every scale, "works" all three at any of the scales:
    # each is corrected for the number that it takes any of
    fails = [cell for cell in cells if _against_unguided(tables, dataset, cell, 3).fails]
    works = [cell for cell in cells if _against_unguided(tables, dataset, cell, len(cells)).works]
    at_fails, at_works = (
        ", ".join(f"{cell.scale:g}" for cell in certain) or "none" for certain in (fails, works)
    )
    base = tables.against(dataset, setup)
    otherwise = "" if base == unguided.setup else f" Compared with {base}."
    verdict = FAILS if works else HOLDS if len(fails) == len(cells) else UNDECIDED
    return Outcome(
        verdict,
        values,
        f"Of {len(cells)} scales it fails for certain at {at_fails} and works for certain at "
        f"{at_works}.{otherwise}{which(tables, dataset, clean_raw)}",
    )


def _chosen(tables: Tables, dataset: str, setup: str) -> Cell | None:
    """The unbroken scale at which the smaller accuracy of guide and judge is highest.

    On selection seeds; of equal ones the smallest scale.
    """
    smaller, broken = {}, tables.broken(dataset, setup, SELECTION)
    for cell in [cell for cell in scales(tables, dataset, setup) if cell.scale not in broken]:
        pair = [
            tables.measure(dataset, cell, f"accuracy_{who}", SELECTION)
            for who in ("guide", "judge")
        ]
        if pair[0] and pair[1]:
            smaller[cell] = min(pair[0].value, pair[1].value)
    return max(smaller, key=lambda cell: smaller[cell], default=None)


def ema_reaches(tables: Tables, dataset: str, clean_ema: Kind) -> Outcome:
    """Claim 9: clean/x0 with EMA convinces both the guide and the judge."""
    setups = one_of_each(tables, dataset, clean_ema)
    cells = [cell for setup in setups if (cell := _chosen(tables, dataset, setup))]
    if not cells:
        raise Unmeasured(f"not measured: no accuracies of {clean_ema} on selection seeds")
    values: Values = {}
    sentences, reached, missed = [], [], []
    for cell in cells:
        guide, judge = (
            _share(tables, dataset, cell, f"accuracy_{who}") for who in ("guide", "judge")
        )
        values[f"scale {cell.setup}"] = cell.scale
        values |= guide.values(f"accuracy_guide {cell.setup}")
        values |= judge.values(f"accuracy_judge {cell.setup}")
        sentences.append(f"{cell.setup} at scale {cell.scale:g}: guide {guide}, judge {judge}")
        # "reached" takes any of the setups, "missed" any of the two accuracies of a setup
        among_setups, of_two = (
            [_share(tables, dataset, cell, f"accuracy_{who}", tests) for who in ("guide", "judge")]
            for tests in (len(cells), 2)
        )
        reached.append(all(share.low >= REACHED for share in among_setups))
        missed.append(any(share.high < REACHED for share in of_two))
    verdict = HOLDS if any(reached) else FAILS if all(missed) else UNDECIDED
    return Outcome(verdict, values, f"{'; '.join(sentences)}.")


class Threshold(NamedTuple):
    """Scales between which a setup's accuracy by the guide first reaches 90 %.

    `below`: the largest scale up to which it is below 90 % for certain, 0 without one; `at`: the
    smallest at which it is above for certain; None, at no scale.
    """

    below: float
    at: float | None

    def __str__(self) -> str:
        return f"above {self.below:g}" + (f", at most {self.at:g}" if self.at is not None else "")


def _threshold(tables: Tables, dataset: str, setup: str, tests: int) -> Threshold:
    below, below_so_far = 0.0, True
    # an image that diverged is of no class: where many did, a miss says nothing of the scale
    for cell in unbroken(tables, dataset, setup).cells:
        value = tables.measure(dataset, cell, "accuracy_guide")
        share = proportion(value.value, value.n, tests) if value else UNKNOWN
        if share.low >= REACHED:
            return Threshold(below, cell.scale)
        below_so_far = below_so_far and (value is None or share.high < REACHED)
        if value and below_so_far and cell.scale is not None:
            below = cell.scale
    return Threshold(below, None)


def adam_needs_less(tables: Tables, dataset: str, with_adam: Kind, stabilized: Kind) -> Outcome:
    """Claim 10: ADAM needs at most a fifth of the others' scale for 90 %."""
    adam = setup_of(tables, dataset, with_adam)
    adams = setups_of(tables, dataset, with_adam)
    others = [name for name in one_of_each(tables, dataset, stabilized) if name not in adams]
    if not others:
        raise Unmeasured(
            f"not measured: no {stabilized} setup beside {adam} in this data set's config"
        )
    # the verdict may rest on any of these intervals, so all of them are to hold together
    unbroken_of = [unbroken(tables, dataset, setup) for setup in (adam, *others)]
    tests = sum(len(cells) for cells, _ in unbroken_of)
    thresholds = {setup: _threshold(tables, dataset, setup, tests) for setup in (adam, *others)}
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
    return Outcome(
        verdict,
        values | share,
        f"90 % needs a scale {own} with ADAM; others: {rest}."
        f"{''.join(on_broken for _, on_broken in unbroken_of)} {acts}"
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
