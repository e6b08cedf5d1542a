"""Claims 8 to 10: accuracy of guided samples against the scale (nrCG, figures 5 and 8a)."""

from functools import partial
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
    UNKNOWN,
    Interval,
    Outcome,
    Unmeasured,
    Values,
    difference,
    measured,
    name,
    not_compared,
    scales,
    sentence,
    unbroken,
    unless_missing,
)
from guidebench.report.tables import SELECTION, Tables

SHIFT = 0.15
DIVERGED = 0.5
REACHED = 0.90
FIFTH = 5


def _share(tables: Tables, dataset: str, cell: Cell, metric: str, tests: int = 1) -> Interval:
    value = measured(tables, dataset, cell, metric)
    return proportion(value.value, value.n, tests)


class AgainstUnguided(NamedTuple):
    """The share of a cell that diverged, and judge's accuracy and cFD minus unguided's.

    `missing`: what was not measured of these.
    """

    diverged: Interval
    accuracy: Interval
    cfd: Interval
    missing: list[str]

    @property
    def fails(self) -> bool:
        """One of the three ways to fail is certain."""
        return self.diverged.low >= DIVERGED or self.accuracy.high < SHIFT or self.cfd.positive

    @property
    def works(self) -> bool:
        """None of the three ways to fail is left."""
        return self.diverged.high < DIVERGED and self.accuracy.low >= SHIFT and self.cfd.negative


def _against_unguided(tables: Tables, dataset: str, cell: Cell, tests: int) -> AgainstUnguided:
    measures = [partial(_share, tables, dataset, cell, "diverged", tests)]
    for metric in ("accuracy_judge", "cfd_judge"):
        pair = (cell, metric), (tables.unguided(dataset, cell.setup), metric)
        measures.append(partial(difference, tables, dataset, *pair, tests))
    found, missing = [], []
    for measure in measures:
        try:
            found.append(measure())
        except Unmeasured as error:
            found.append(UNKNOWN)
            missing.append(sentence(error))
    diverged, accuracy, cfd = found
    return AgainstUnguided(diverged, accuracy, cfd, missing)


def clean_raw_fails(tables: Tables, dataset: str, clean_raw: Kind) -> Outcome:
    """Claim 8: guidance by the clean classifier on x_t fails at every scale."""
    setup = setup_of(tables, dataset, clean_raw)
    unguided = tables.unguided(dataset, setup)
    measured(tables, dataset, unguided, "accuracy_judge")
    if tables.is_broken(dataset, unguided):
        raise Unmeasured("not measured: unguided is broken, and all scales are compared with it")
    cells = scales(tables, dataset, setup)
    values: Values = {}
    missing: dict[str, list[Cell]] = {}
    for cell in cells:
        alone, at = _against_unguided(tables, dataset, cell, 1), f"at scale {cell.scale:g}"
        for gap in alone.missing:
            missing.setdefault(gap, []).append(cell)
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
    # where a scale fails for certain, what is missing there would change nothing
    gaps = [gap for gap, of in missing.items() if not set(of) <= set(fails)]
    return Outcome(
        unless_missing(verdict, gaps),
        values,
        f"Of {len(cells)} scales it fails for certain at {at_fails} and works for certain at "
        f"{' '.join([at_works + '.', *gaps])}{otherwise}{which(tables, dataset, clean_raw)}",
    )


def _chosen(tables: Tables, dataset: str, setup: str) -> tuple[Cell, str]:
    """The unbroken scale at which the smaller accuracy of guide and judge is highest.

    On selection seeds; of equal ones the smallest scale. With a sentence on the broken ones.
    """
    cells, on_broken = unbroken(tables, dataset, setup, split=SELECTION)
    smaller = {
        cell: min(
            measured(tables, dataset, cell, f"accuracy_{who}", SELECTION).value
            for who in ("guide", "judge")
        )
        for cell in cells
    }
    return max(smaller, key=lambda cell: smaller[cell]), on_broken


def ema_reaches(tables: Tables, dataset: str, clean_ema: Kind) -> Outcome:
    """Claim 9: clean/x0 with EMA convinces both the guide and the judge."""
    setups = one_of_each(tables, dataset, clean_ema)
    values: Values = {}
    sentences, reached, missed, on_broken = [], [], [], ""
    missing: dict[str, Unmeasured] = {}
    for setup in setups:
        try:
            cell, said = _chosen(tables, dataset, setup)
            guide, judge = (
                _share(tables, dataset, cell, f"accuracy_{who}") for who in ("guide", "judge")
            )
        except Unmeasured as error:  # one setup does not decide what the others say
            missing[setup] = error
            continue
        on_broken += said
        values[f"scale {cell.setup}"] = cell.scale
        values |= guide.values(f"accuracy_guide {cell.setup}")
        values |= judge.values(f"accuracy_judge {cell.setup}")
        sentences.append(f"{cell.setup} at scale {cell.scale:g}: guide {guide}, judge {judge}")
        # "reached" takes any of the setups, "missed" any of the two accuracies of a setup
        among_setups, of_two = (
            [_share(tables, dataset, cell, f"accuracy_{who}", tests) for who in ("guide", "judge")]
            for tests in (len(setups), 2)
        )
        reached.append(all(share.low >= REACHED for share in among_setups))
        missed.append(any(share.high < REACHED for share in of_two))
    if not sentences:
        raise missing[setups[-1]]
    verdict = HOLDS if any(reached) else FAILS if all(missed) and not missing else UNDECIDED
    return Outcome(
        unless_missing(verdict, missing),
        values,
        f"{'; '.join(sentences)}.{on_broken}{not_compared(missing)}",
    )


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
            share = _share(tables, dataset, cell, "accuracy_guide", tests)
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
