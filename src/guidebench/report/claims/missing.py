"""What a claim needs and was not measured, and what is decided without it."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from guidebench.report.claims.verdicts import (
    UNDECIDED,
    UNMEASURED,
    Interval,
    Unmeasured,
    sentence,
)

UNKNOWN = Interval(np.nan, -np.inf, np.inf)  # of what was not measured


@contextmanager
def kept(missing: list[Unmeasured]) -> Iterator[None]:
    """Goes on after what is not measured, and keeps its error: the rest may decide."""
    try:
        yield
    except Unmeasured as error:
        missing.append(error)


def known(measure: Callable[[], Interval], missing: list[Unmeasured]) -> Interval:
    """What `measure` gives; UNKNOWN where it is not measured, with the error in `missing`."""
    try:
        return measure()
    except Unmeasured as error:
        missing.append(error)
        return UNKNOWN


def unless_missing(verdict: str, missing: Collection[object]) -> str:
    """The verdict; not measured where it is open and what is missing might decide it."""
    return UNMEASURED if missing and verdict == UNDECIDED else verdict


def not_measured(missing: Sequence[Unmeasured]) -> str:
    """The end of a reason: what was not measured, each once."""
    return "".join(f" {said}" for said in dict.fromkeys(map(sentence, missing)))


def not_compared(setups: Collection[str]) -> str:
    """The end of a reason: the setups that a claim ranges over and could not compare."""
    return f" Not compared: {', '.join(setups)}." if setups else ""
