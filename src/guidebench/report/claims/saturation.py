"""Guides that take unguided samples for the target: their accuracy does not measure guidance."""

from collections.abc import Iterable
from typing import NamedTuple

from guidebench.base.choices import EACH
from guidebench.report.claims.intervals import proportion
from guidebench.report.claims.verdicts import Interval, times
from guidebench.report.tables import Tables

SATURATED = 0.90  # what claims 9 and 10 ask of guided samples
# what a saturated guide makes of a claim's question (`Claim.moot`)
REACHED_BEFORE = "so 90 % by it is there before any guidance"
NO_GRADIENT = (
    "so the log-probability that it raises is near its top, and hardly anything is left of the "
    "gradient that is compared"
)


class Saturated(NamedTuple):
    """A classifier, and the share of the unguided samples that it calls the target."""

    classifier: str
    share: Interval

    def __str__(self) -> str:
        return (
            f"the guiding classifier {self.classifier} calls {times(self.share, 100)} % of the "
            "unguided samples the target"
        )


def saturated(tables: Tables, dataset: str, classifiers: Iterable[str]) -> list[Saturated]:
    """Those that call SATURATED of the unguided samples the target, for certain.

    None where each class is a target in turn.
    """
    if tables.facts(dataset)["target"] == EACH:
        return []
    shares = {name: _share(tables, dataset, name) for name in dict.fromkeys(classifiers)}
    return [
        Saturated(name, share) for name, share in shares.items() if share and share.low >= SATURATED
    ]


def said(tables: Tables, dataset: str) -> list[str]:
    """A sentence on each of a data set's guiding classifiers that is saturated."""
    setups = tables.facts(dataset)["setups"].values()
    guides = [setup["classifier"] for setup in setups if setup["classifier"]]
    judge = _share(tables, dataset, "judge")
    beside = f" (the judge {times(judge, 100)} %)" if judge else ""
    return [
        f"T{str(one)[1:]}{beside}. So its accuracy is high before any guidance and measures "
        "nothing here, and it has little to guide with."
        for one in saturated(tables, dataset, guides)
    ]


def _share(tables: Tables, dataset: str, classifier: str) -> Interval | None:
    # where none guides, accuracy_guide is that of `clean`
    metric = "accuracy_guide" if classifier == "clean" else f"accuracy_{classifier}"
    value = tables.measure(dataset, tables.unguided(dataset), metric)
    return proportion(value.value, value.n) if value else None
