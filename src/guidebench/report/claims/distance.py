"""Claims 11 to 14: Frechet distances of guided samples (nrCG, figures 6, 7, 8b and 8c)."""

from __future__ import annotations

from functools import partial

from guidebench.base.cells import Cell
from guidebench.report.claims.intervals import all_above, holm
from guidebench.report.claims.verdicts import (
    FAILS,
    HOLDS,
    UNDECIDED,
    Outcome,
    Unmeasured,
    by_sign,
    difference,
    measured,
    rank_correlation,
    require,
    selected,
    unbroken,
)
from guidebench.report.tables import UNGUIDED, Tables
from guidebench.report.words import number

RISING = 0.5
NOISE_TRAINED, EMA99 = "noise_trained/raw", "clean/x0+ema0.99"
Values = dict[str, float | None]


def fd_rises(tables: Tables, dataset: str) -> Outcome:
    """Claim 11: the unconditional distance rises with the noise-trained classifier's scale."""
    cells, said = unbroken(tables, dataset, NOISE_TRAINED, least=3)
    values: Values = {}
    outcome = None
    for metric in {"fd_judge": 0, tables.distance(dataset, "fd"): 0}:
        rise = difference(tables, dataset, (cells[-1], metric), (cells[0], metric))
        level = [measured(tables, dataset, cell, metric).value for cell in cells]
        rho = rank_correlation([cell.scale or 0.0 for cell in cells], level)
        values |= rise.values(f"{metric} rise") | {f"{metric} Spearman with scale": rho}
        verdict = by_sign([rise])
        verdict = UNDECIDED if verdict == HOLDS and round(rho, 9) < RISING else verdict
        reason = (
            f"{metric} changes by {rise} from scale {cells[0].scale:g} to {cells[-1].scale:g}; "
            f"Spearman {rho:.2f}"
        )
        peak = cells[level.index(max(level))]
        if peak != cells[-1]:
            turn = difference(tables, dataset, (cells[-1], metric), (peak, metric))
            values |= turn.values(f"{metric} change after its peak")
            reason += f"; by {turn} from its peak at scale {peak.scale:g} on"
            verdict = UNDECIDED if verdict == HOLDS and turn.negative else verdict
        reason += f".{said}"
        outcome = Outcome(verdict, values, reason)
    assert outcome is not None
    return outcome


def _turn(tables: Tables, dataset: str, setup: str, metric: str) -> Outcome:
    """Whether the cFD of one setup falls below unguided's, then rises again."""
    cells, said = unbroken(tables, dataset, setup, least=3)
    low = selected(tables, dataset, setup, metric)
    fell = partial(difference, tables, dataset, (Cell(UNGUIDED), metric), (low, metric))
    fall = fell(1)
    values: Values = {f"{metric} {setup}: scale of the minimum": low.scale}
    values |= fall.values(f"{metric} {setup}: fall from unguided")
    start = f"On selection seeds scale {low.scale:g} is best; fall from unguided {fall}"
    if low == cells[-1]:
        verdict = FAILS if fall.negative else UNDECIDED
        return Outcome(
            verdict,
            values,
            f"{start}; that is the largest scale, so the grid did not reach the turn.{said}",
        )
    rose = partial(difference, tables, dataset, (cells[-1], metric), (low, metric))
    rise = rose(1)
    values |= rise.values(f"{metric} {setup}: rise to the largest scale")
    reason = f"{start}; rise to scale {cells[-1].scale:g} {rise}"
    if low == cells[0]:
        verdict = FAILS if fell(2).negative or rose(2).negative else UNDECIDED
        return Outcome(
            verdict,
            values,
            f"{reason}; that is the smallest scale, so the grid does not show the fall.{said}",
        )
    return Outcome(all_above([fell, rose]), values, f"{reason}.{said}")


def cfd_turns(tables: Tables, dataset: str) -> Outcome:
    """Claim 12: the cFD falls, then turns; the verdict is the noise-trained classifier's."""
    require(tables, dataset, NOISE_TRAINED)
    metric = tables.distance(dataset, "cfd")
    outcome = _turn(tables, dataset, NOISE_TRAINED, metric)
    values = dict(outcome.values)
    for setup in tables.guided(dataset, "classifier"):
        for name in {"cfd_judge": 0, metric: 0}:
            try:
                values |= _turn(tables, dataset, setup, name).values
            except Unmeasured:  # another setup's gap does not decide this claim
                values[f"{name} {setup}: scale of the minimum"] = None
    return Outcome(outcome.verdict, values, outcome.reason)


def _against(tables: Tables, dataset: str, others: list[str], metric: str) -> Outcome:
    """Whether EMA 0.99's cFD is below that of every other setup, each at its selected scale."""
    champion = selected(tables, dataset, EMA99, metric)
    own = measured(tables, dataset, champion, metric)
    values: Values = {f"{metric} {EMA99}": own.value, f"scale {EMA99} by {metric}": champion.scale}
    levels, gaps = {}, {}
    why: Unmeasured | None = None
    for setup in others:
        try:
            cell = selected(tables, dataset, setup, metric)
            level = measured(tables, dataset, cell, metric)
            behind = partial(difference, tables, dataset, (cell, metric), (champion, metric))
            behind(1)
        except Unmeasured as error:  # one rival does not decide what the others say
            values[f"{metric} {setup}"] = None
            why = error
            continue
        values |= {f"{metric} {setup}": level.value, f"scale {setup} by {metric}": cell.scale}
        levels[cell] = level.value
        gaps[cell] = behind
    if not levels:
        assert why is not None
        raise why
    found = holm(gaps)
    for cell, gap in found.items():
        values |= gap.values(f"{metric} {cell.setup} minus {EMA99}")
    better = [cell for cell, gap in found.items() if gap.negative]
    rival = min(better or found, key=lambda cell: levels[cell])
    verdict = by_sign(list(found.values()))
    compared = {cell.setup for cell in found}
    if missing := ", ".join(setup for setup in others if setup not in compared):
        verdict = UNDECIDED if verdict == HOLDS else verdict
    return Outcome(
        verdict,
        values,
        f"{metric} is {number(own.value)} for "
        f"{EMA99} (scale {champion.scale:g}) and {number(levels[rival])} for "
        f"{rival.setup} (scale {rival.scale:g}); difference {found[rival]}; "
        f"{sum(gap.positive for gap in found.values())} of {len(found)} above for "
        f"certain.{f' Not compared: {missing}.' if missing else ''}",
    )


def _compared(tables: Tables, dataset: str, others: list[str]) -> Outcome:
    """The verdict on the leading distance; the judge's numbers stand beside it."""
    metric = tables.distance(dataset, "cfd")
    outcome = _against(tables, dataset, others, metric)
    values = dict(outcome.values)
    if metric != "cfd_judge":
        values |= _against(tables, dataset, others, "cfd_judge").values
    return Outcome(outcome.verdict, values, outcome.reason)


def ema99_best(tables: Tables, dataset: str) -> Outcome:
    """Claim 13: among the clean classifier's setups EMA 0.99 has the best cFD."""
    require(tables, dataset, EMA99)
    setups = tables.facts(dataset)["setups"]
    others = [
        name
        for name in tables.guided(dataset)
        if setups[name]["classifier"] == "clean" and name != EMA99
    ]
    if not others:
        raise Unmeasured(f"not measured: no clean setup beside {EMA99} in this data set's config")
    return _compared(tables, dataset, others)


def ema99_beats_noise_trained(tables: Tables, dataset: str) -> Outcome:
    """Claim 14: it also beats the noise-trained classifier's best cFD (the paper's headline)."""
    require(tables, dataset, EMA99, NOISE_TRAINED)
    return _compared(tables, dataset, [NOISE_TRAINED])
