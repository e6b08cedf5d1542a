"""Claims 8 and 9: accuracy of guided samples against the scale (nrCG, figures 5 and 8a)."""

from functools import partial
from typing import NamedTuple

from guidebench.base.cells import Cell
from guidebench.report.claims.intervals import proportion
from guidebench.report.claims.kinds import (
    Kind,
    one_of_each,
    setup_of,
    which,
)
from guidebench.report.claims.missing import known, not_compared, unless_missing
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
    sentence,
    times,
    unbroken,
)
from guidebench.report.tables import SELECTION, Tables
from guidebench.report.words import plural

SHIFT = 0.15
DIVERGED = 0.5
REACHED = 0.90


def share_of(tables: Tables, dataset: str, cell: Cell, metric: str, tests: int = 1) -> Interval:
    """A cell's share with its exact interval, one of `tests`; Unmeasured where it has none."""
    value = measured(tables, dataset, cell, metric)
    return proportion(value.value, value.n, tests)


class AgainstUnguided(NamedTuple):
    """The share of a cell that diverged, and judge's accuracy and cFD minus unguided's.

    `missing`: what was not measured of these. `room`: unguided's accuracy may be low enough for
    SHIFT more; without, that it is not reached says nothing of the guidance.
    """

    diverged: Interval
    accuracy: Interval
    cfd: Interval
    missing: list[str]
    room: bool

    @property
    def fails(self) -> bool:
        """One of the three ways to fail is certain."""
        too_low = self.room and self.accuracy.high < SHIFT
        return self.diverged.low >= DIVERGED or too_low or self.cfd.positive

    @property
    def works(self) -> bool:
        """None of the three ways to fail is left."""
        enough = self.room and self.accuracy.low >= SHIFT
        return self.diverged.high < DIVERGED and enough and self.cfd.negative


def _against_unguided(
    tables: Tables, dataset: str, cell: Cell, room: bool, tests: int
) -> AgainstUnguided:
    measures = [partial(share_of, tables, dataset, cell, "diverged", tests)]
    for metric in ("accuracy_judge", "cfd_judge"):
        pair = (cell, metric), (tables.unguided(dataset, cell.setup), metric)
        measures.append(partial(difference, tables, dataset, *pair, tests))
    missing: list[Unmeasured] = []
    diverged, accuracy, cfd = (known(measure, missing) for measure in measures)
    return AgainstUnguided(diverged, accuracy, cfd, [sentence(error) for error in missing], room)


def clean_raw_fails(tables: Tables, dataset: str, clean_raw: Kind) -> Outcome:
    """Claim 8: guidance by the clean classifier on x_t fails at every scale."""
    setup = setup_of(tables, dataset, clean_raw)
    unguided = tables.unguided(dataset, setup)
    before = share_of(tables, dataset, unguided, "accuracy_judge")
    if tables.is_broken(dataset, unguided):
        raise Unmeasured("not measured: unguided is broken, and all scales are compared with it")
    cells = scales(tables, dataset, setup)
    room = before.low <= 1 - SHIFT
    values = {} if room else before.values("accuracy_judge unguided")
    missing: dict[str, list[Cell]] = {}
    for cell in cells:
        alone, at = _against_unguided(tables, dataset, cell, room, 1), f"at scale {cell.scale:g}"
        for gap in alone.missing:
            missing.setdefault(gap, []).append(cell)
        values |= alone.diverged.values(f"diverged {at}")
        values |= alone.accuracy.values(f"accuracy_judge above unguided {at}")
        values |= alone.cfd.values(f"cfd_judge above unguided {at}")
    # "fails" takes any of three reasons at every scale, "works" all three at any of the scales:
    # each is corrected for the number that it takes any of
    fails = [cell for cell in cells if _against_unguided(tables, dataset, cell, room, 3).fails]
    works = [
        cell for cell in cells if _against_unguided(tables, dataset, cell, room, len(cells)).works
    ]
    at_fails, at_works = (
        ", ".join(f"{cell.scale:g}" for cell in certain) or "none" for certain in (fails, works)
    )
    base = tables.against(dataset, setup)
    otherwise = "" if base == unguided.setup else f" Compared with {base}."
    if not room:
        otherwise += (
            f" The accuracy decides nothing: the judge calls {times(before, 100)} % of the "
            f"unguided samples the target, and {100 * SHIFT:g} % more cannot be reached."
        )
    verdict = FAILS if works else HOLDS if len(fails) == len(cells) else UNDECIDED
    # where a scale fails for certain, what is missing there would change nothing
    gaps = [gap for gap, of in missing.items() if not set(of) <= set(fails)]
    return Outcome(
        unless_missing(verdict, gaps),
        values,
        f"Of {plural(len(cells), 'scale')} it fails for certain at {at_fails} and works for "
        f"certain at {' '.join([at_works + '.', *gaps])}{otherwise}"
        f"{which(tables, dataset, clean_raw)}",
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
        gaps: list[Unmeasured] = []
        try:
            cell, said = _chosen(tables, dataset, setup)
        except Unmeasured as error:  # one setup does not decide what the others say
            missing[setup] = error
            continue
        # "reached" takes any of the setups, "missed" any of the two accuracies of a setup
        (guide, judge), among_setups, of_two = (
            [
                known(partial(share_of, tables, dataset, cell, f"accuracy_{who}", tests), gaps)
                for who in ("guide", "judge")
            ]
            for tests in (1, len(setups), 2)
        )
        misses = any(share.high < REACHED for share in of_two)
        if gaps and not misses:
            missing[setup] = gaps[0]
            continue
        on_broken += said
        values[f"scale {cell.setup}"] = cell.scale
        values |= guide.values(f"accuracy_guide {cell.setup}")
        values |= judge.values(f"accuracy_judge {cell.setup}")
        sentences.append(f"{cell.setup} at scale {cell.scale:g}: guide {guide}, judge {judge}")
        reached.append(all(share.low >= REACHED for share in among_setups))
        missed.append(misses)
    if not sentences:
        raise missing[setups[-1]]
    verdict = HOLDS if any(reached) else FAILS if all(missed) and not missing else UNDECIDED
    return Outcome(
        unless_missing(verdict, missing),
        values,
        f"{'; '.join(sentences)}.{on_broken}{not_compared(missing)}",
    )
