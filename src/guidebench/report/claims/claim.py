"""A claim: what it says, when it holds, which kinds of guidance it needs, and its decision."""

from collections.abc import Callable
from typing import NamedTuple

from guidebench.report.claims.kinds import Kind, guides_of
from guidebench.report.claims.saturation import saturated
from guidebench.report.claims.verdicts import (
    UNDECIDED,
    UNMEASURED,
    Outcome,
    Undecided,
    Unmeasured,
    sentence,
)
from guidebench.report.tables import Tables

PAIRED = "paired 95 % interval over images of the log ratio (averaged over t) excludes 0"
JACKKNIFE = "paired block-jackknife 95 % interval"
EXACT = "exact 95 % interval (Clopper-Pearson)"
FIRST = "at every t that may be the first one"
CHOSEN = "scales chosen on selection seeds, compared on evaluation seeds"


class Claim(NamedTuple):
    """A claim of the paper, its criterion ({fd}, {cfd}: the distance used) and its decision.

    `needs`: the kinds of guidance that it is about; `decide` gets them after tables and data set.
    """

    claim: str
    criterion: str
    decide: Callable[..., Outcome]
    needs: tuple[Kind, ...]
    moot: str = ""  # what a saturated guide makes of the question; "": nothing

    def outcome(self, tables: Tables, dataset: str) -> Outcome:
        """The decision on a data set; where there is none to make, the reason."""
        outcome = self._decided(tables, dataset)
        if not self.moot:
            return outcome
        guides = [name for kind in self.needs for name in guides_of(tables, dataset, kind)]
        for one in saturated(tables, dataset, guides):
            outcome = Outcome(
                UNMEASURED if outcome.verdict == UNMEASURED else UNDECIDED,
                outcome.values | one.share.values(f"accuracy {one.classifier}, unguided"),
                f"The question does not arise: {one}, {self.moot}. {outcome.reason}",
            )
        return outcome

    def _decided(self, tables: Tables, dataset: str) -> Outcome:
        try:
            return self.decide(tables, dataset, *self.needs)
        except Unmeasured as missing:
            return Outcome(UNMEASURED, {}, sentence(missing))
        except Undecided as reason:
            return Outcome(UNDECIDED, {}, sentence(reason))
