"""Claims 11 to 14: Frechet distances of guided samples (nrCG, figures 6, 7, 8b and 8c)."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial

from guidebench.base.cells import Cell
from guidebench.report.claims.intervals import all_above, holm
from guidebench.report.claims.kinds import Kind, one_of_each, setup_of, which
from guidebench.report.claims.missing import (
    UNKNOWN,
    kept,
    not_compared,
    not_measured,
    unless_missing,
)
from guidebench.report.claims.verdicts import (
    HOLDS,
    UNDECIDED,
    Interval,
    Outcome,
    Undecided,
    Unmeasured,
    Values,
    by_sign,
    difference,
    measured,
    rank_correlation,
    unbroken,
)
from guidebench.report.tables import SELECTION, Tables
from guidebench.report.words import number

RISING = 0.5


def _judges_and_leading(tables: Tables, dataset: str, kind: str) -> list[str]:
    """The distance on the judge's features, then the one that decides, where it is another."""
    return list(dict.fromkeys([f"{kind}_judge", tables.distance(dataset, kind)]))


def fd_rises(tables: Tables, dataset: str, noise_trained: Kind) -> Outcome:
    """Claim 11: the unconditional distance rises with the noise-trained classifier's scale."""
    setup = setup_of(tables, dataset, noise_trained)
    *beside, leading = _judges_and_leading(tables, dataset, "fd")
    outcome = _rise(tables, dataset, setup, leading)
    values: Values = {}
    for metric in beside:
        with suppress(Unmeasured, Undecided):  # it does not decide
            values |= _rise(tables, dataset, setup, metric).values
    values |= outcome.values
    reason = outcome.reason + which(tables, dataset, noise_trained)
    return Outcome(outcome.verdict, values, reason)


def _rise(tables: Tables, dataset: str, setup: str, metric: str) -> Outcome:
    """Whether the distance rises from the smallest unbroken scale to the largest."""
    cells, on_broken = unbroken(tables, dataset, setup, least=3)
    rise = difference(tables, dataset, (cells[-1], metric), (cells[0], metric))
    levels = [measured(tables, dataset, cell, metric).value for cell in cells]
    rho = rank_correlation(range(len(cells)), levels)
    values = rise.values(f"{metric} rise") | {f"{metric} Spearman with scale": rho}
    verdict = by_sign([rise])
    verdict = UNDECIDED if verdict == HOLDS and round(rho, 9) < RISING else verdict
    reason = (
        f"{metric} changes by {rise} from scale {cells[0].scale:g} to {cells[-1].scale:g}; "
        f"Spearman {rho:.2f}"
    )
    peak = cells[levels.index(max(levels))]
    if peak != cells[-1]:
        turn = difference(tables, dataset, (cells[-1], metric), (peak, metric))
        values |= turn.values(f"{metric} change after its peak")
        reason += f"; by {turn} from its peak at scale {peak.scale:g} on"
        verdict = UNDECIDED if verdict == HOLDS and turn.negative else verdict
    return Outcome(verdict, values, f"{reason}.{on_broken}")


def _selected(tables: Tables, dataset: str, setup: str, metric: str) -> Cell:
    """The setup at the unbroken scale with the lowest `metric` on selection seeds.

    Unmeasured where one of these has no value: it may have been the lowest.
    """
    cell = tables.best(dataset, setup, metric)
    if cell is None:
        raise Unmeasured(
            f"not measured: {metric} of {setup} has no finite value on selection seeds"
        )
    for other in unbroken(tables, dataset, setup, split=SELECTION).cells:
        measured(tables, dataset, other, tables.chooser(dataset, metric), SELECTION)
    return cell


def _turn(tables: Tables, dataset: str, setup: str, metric: str) -> Outcome:
    """Whether the cFD of one setup falls below unguided's, then rises again."""
    cells, on_broken = unbroken(tables, dataset, setup, least=3)
    lowest = _selected(tables, dataset, setup, metric)
    unguided, base = tables.unguided(dataset, setup), tables.against(dataset, setup)
    last = cells[-1]
    changes = {
        "fall from unguided": (f"fall from {base}", unguided),
        "rise to the largest scale": (f"rise to scale {last.scale:g}", last),
    }
    said = ""
    if lowest == last:  # there is no rise to look for
        del changes["rise to the largest scale"]
        said = "; that is the largest scale, so the grid did not reach the turn"
    elif lowest == cells[0]:
        said = "; that is the smallest scale, so the grid does not show the fall"
    values: Values = {f"{metric} {setup}: scale of the minimum": lowest.scale}
    reason = [f"On selection seeds scale {lowest.scale:g} is best"]
    compared: list[Callable[[int], Interval]] = []
    missing: list[Unmeasured] = []
    for title, (words, other) in changes.items():
        change = partial(difference, tables, dataset, (other, metric), (lowest, metric))
        with kept(missing):
            values |= change(1).values(f"{metric} {setup}: {title}")
            reason.append(f"{words} {change(1)}")
            compared.append(change)
    verdict = all_above(compared, missing)
    return Outcome(
        UNDECIDED if said and verdict == HOLDS else verdict,
        values,
        f"{'; '.join(reason)}{said}.{on_broken}{not_measured(missing)}",
    )


def cfd_turns(tables: Tables, dataset: str, noise_trained: Kind) -> Outcome:
    """Claim 12: the cFD falls, then turns; the verdict is the noise-trained classifier's."""
    metrics = _judges_and_leading(tables, dataset, "cfd")
    outcome = _turn(tables, dataset, setup_of(tables, dataset, noise_trained), metrics[-1])
    values = dict(outcome.values)
    for setup in tables.guided(dataset, "classifier"):
        for metric in metrics:
            try:
                values |= _turn(tables, dataset, setup, metric).values
            except Unmeasured:  # another setup's gap does not decide this claim
                values[f"{metric} {setup}: scale of the minimum"] = None
    reason = outcome.reason + which(tables, dataset, noise_trained)
    return Outcome(outcome.verdict, values, reason)


def _below(tables: Tables, dataset: str, champion: str, rivals: list[str], metric: str) -> Outcome:
    """Whether a setup's cFD is below that of every rival, each at its selected scale."""
    best = _selected(tables, dataset, champion, metric)
    own = measured(tables, dataset, best, metric)
    values: Values = {
        f"{metric} {champion}": own.value,
        f"scale {champion} by {metric}": best.scale,
    }
    on_broken = unbroken(tables, dataset, champion, split=SELECTION).on_broken
    levels: dict[Cell, float] = {}
    gaps_among: dict[Cell, Callable[[int], Interval]] = {}
    missing: dict[str, Unmeasured] = {}
    for setup in rivals:
        try:
            cell = _selected(tables, dataset, setup, metric)
            level = measured(tables, dataset, cell, metric)
            gap_among = partial(difference, tables, dataset, (cell, metric), (best, metric))
            gap_among(1)
        except Unmeasured as error:  # one rival does not decide what the others say
            values[f"{metric} {setup}"] = None
            missing[setup] = error
            gaps_among[Cell(setup)] = lambda tests: UNKNOWN  # the others are corrected for it, too
            continue
        on_broken += unbroken(tables, dataset, setup, split=SELECTION).on_broken
        values |= {f"{metric} {setup}": level.value, f"scale {setup} by {metric}": cell.scale}
        levels[cell] = level.value
        gaps_among[cell] = gap_among
    if not levels:
        raise missing[rivals[-1]]
    gaps = holm(gaps_among)
    for cell in levels:
        values |= gaps[cell].values(f"{metric} {cell.setup} minus {champion}")
    better = [cell for cell, gap in gaps.items() if gap.negative]
    nearest = min(better or levels, key=lambda cell: levels[cell])
    return Outcome(
        unless_missing(by_sign(list(gaps.values())), missing),
        values,
        f"{metric} is {number(own.value)} for "
        f"{champion} (scale {best.scale:g}) and {number(levels[nearest])} for "
        f"{nearest.setup} (scale {nearest.scale:g}); difference {gaps[nearest]}; "
        f"{sum(gap.positive for gap in gaps.values())} of {len(levels)} above for "
        f"certain.{on_broken}{not_compared(missing)}",
    )


def _compared(tables: Tables, dataset: str, champion: str, rivals: list[str]) -> Outcome:
    """The verdict on the leading distance; the judge's numbers stand beside it."""
    metric = tables.distance(dataset, "cfd")
    outcome = _below(tables, dataset, champion, rivals, metric)
    values = dict(outcome.values)
    if metric != "cfd_judge":
        with suppress(Unmeasured):
            values |= _below(tables, dataset, champion, rivals, "cfd_judge").values
    return Outcome(outcome.verdict, values, outcome.reason)


def best_of_its_classifier(tables: Tables, dataset: str, best: Kind, others: Kind) -> Outcome:
    """Claim 13: a setup has the best cFD among those of its classifier, one of each kind."""
    champion = setup_of(tables, dataset, best)
    rivals = [name for name in one_of_each(tables, dataset, others) if name != champion]
    if not rivals:
        raise Unmeasured(
            f"not measured: no {others} setup beside {champion} in this data set's config"
        )
    return _compared(tables, dataset, champion, rivals)


def beats(tables: Tables, dataset: str, best: Kind, other: Kind) -> Outcome:
    """Claim 14: it also beats another classifier's best cFD (the paper's headline)."""
    champion, rival = (setup_of(tables, dataset, kind) for kind in (best, other))
    return _compared(tables, dataset, champion, [rival])
