"""Claims 11 to 14: Frechet distances of guided samples (nrCG, figures 6, 7, 8b and 8c)."""

from functools import partial

from guidebench.report.claims.intervals import all_above, holm
from guidebench.report.claims.kinds import Kind, one_of_each, setup_of, which
from guidebench.report.claims.verdicts import (
    FAILS,
    HOLDS,
    UNDECIDED,
    Outcome,
    Unmeasured,
    Values,
    by_sign,
    difference,
    measured,
    rank_correlation,
    selected,
    unbroken,
)
from guidebench.report.tables import Tables
from guidebench.report.words import number

RISING = 0.5


def _judges_and_leading(tables: Tables, dataset: str, kind: str) -> list[str]:
    """The distance on the judge's features, then the one that decides, where it is another."""
    return list(dict.fromkeys([f"{kind}_judge", tables.distance(dataset, kind)]))


def fd_rises(tables: Tables, dataset: str, noise_trained: Kind) -> Outcome:
    """Claim 11: the unconditional distance rises with the noise-trained classifier's scale."""
    setup = setup_of(tables, dataset, noise_trained)
    values: Values = {}
    for metric in _judges_and_leading(tables, dataset, "fd"):
        verdict, numbers, reason = _rise(tables, dataset, setup, metric)
        values |= numbers
    # of the leading distance
    return Outcome(verdict, values, reason + which(tables, dataset, noise_trained))


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


def _turn(tables: Tables, dataset: str, setup: str, metric: str) -> Outcome:
    """Whether the cFD of one setup falls below unguided's, then rises again."""
    cells, on_broken = unbroken(tables, dataset, setup, least=3)
    lowest = selected(tables, dataset, setup, metric)
    unguided = tables.unguided(dataset, setup)
    fall_among = partial(difference, tables, dataset, (unguided, metric), (lowest, metric))
    fall = fall_among(1)
    values: Values = {f"{metric} {setup}: scale of the minimum": lowest.scale}
    values |= fall.values(f"{metric} {setup}: fall from unguided")
    base = tables.against(dataset, setup)
    start = f"On selection seeds scale {lowest.scale:g} is best; fall from {base} {fall}"
    if lowest == cells[-1]:
        verdict = FAILS if fall.negative else UNDECIDED
        return Outcome(
            verdict,
            values,
            f"{start}; that is the largest scale, so the grid did not reach the turn.{on_broken}",
        )
    rise_among = partial(difference, tables, dataset, (cells[-1], metric), (lowest, metric))
    rise = rise_among(1)
    values |= rise.values(f"{metric} {setup}: rise to the largest scale")
    reason = f"{start}; rise to scale {cells[-1].scale:g} {rise}"
    if lowest == cells[0]:
        verdict = FAILS if fall_among(2).negative or rise_among(2).negative else UNDECIDED
        return Outcome(
            verdict,
            values,
            f"{reason}; that is the smallest scale, so the grid does not show the fall.{on_broken}",
        )
    return Outcome(all_above([fall_among, rise_among]), values, f"{reason}.{on_broken}")


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
    best = selected(tables, dataset, champion, metric)
    own = measured(tables, dataset, best, metric)
    values: Values = {
        f"{metric} {champion}": own.value,
        f"scale {champion} by {metric}": best.scale,
    }
    levels, gaps_among = {}, {}
    reason: Unmeasured | None = None
    for setup in rivals:
        try:
            cell = selected(tables, dataset, setup, metric)
            level = measured(tables, dataset, cell, metric)
            gap_among = partial(difference, tables, dataset, (cell, metric), (best, metric))
            gap_among(1)
        except Unmeasured as error:  # one rival does not decide what the others say
            values[f"{metric} {setup}"] = None
            reason = error
            continue
        values |= {f"{metric} {setup}": level.value, f"scale {setup} by {metric}": cell.scale}
        levels[cell] = level.value
        gaps_among[cell] = gap_among
    if not levels:
        assert reason is not None
        raise reason
    gaps = holm(gaps_among)
    for cell, gap in gaps.items():
        values |= gap.values(f"{metric} {cell.setup} minus {champion}")
    better = [cell for cell, gap in gaps.items() if gap.negative]
    nearest = min(better or gaps, key=lambda cell: levels[cell])
    verdict = by_sign(list(gaps.values()))
    compared = {cell.setup for cell in gaps}
    if missing := ", ".join(setup for setup in rivals if setup not in compared):
        verdict = UNDECIDED if verdict == HOLDS else verdict
    return Outcome(
        verdict,
        values,
        f"{metric} is {number(own.value)} for "
        f"{champion} (scale {best.scale:g}) and {number(levels[nearest])} for "
        f"{nearest.setup} (scale {nearest.scale:g}); difference {gaps[nearest]}; "
        f"{sum(gap.positive for gap in gaps.values())} of {len(gaps)} above for "
        f"certain.{f' Not compared: {missing}.' if missing else ''}",
    )


def _compared(tables: Tables, dataset: str, champion: str, rivals: list[str]) -> Outcome:
    """The verdict on the leading distance; the judge's numbers stand beside it."""
    metric = tables.distance(dataset, "cfd")
    outcome = _below(tables, dataset, champion, rivals, metric)
    values = dict(outcome.values)
    if metric != "cfd_judge":
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
