"""What claims take for granted: classifiers that know the classes, guides that have work to do."""

from collections.abc import Iterable
from typing import NamedTuple

from guidebench.base.choices import EACH
from guidebench.report.claims.chance import MARGIN
from guidebench.report.claims.intervals import proportion
from guidebench.report.claims.verdicts import Interval, Values, times
from guidebench.report.tables import Tables
from guidebench.report.words import number

SATURATED = 0.90  # what claims 9 and 10 ask of guided samples
# what a saturated classifier makes of a claim's question (`Claim.moot`)
REACHED_BEFORE = "so 90 % by it is there before any guidance"
NO_GRADIENT = (
    "so the log-probability that it raises is near its top, and hardly anything is left of the "
    "gradient that is compared"
)


class Ignorant(NamedTuple):
    """A classifier that may be at chance, and its accuracy on clean images."""

    classifier: str
    share: Interval
    chance: float

    def __str__(self) -> str:
        return (
            f"already on clean images the classifier {self.classifier} is not for certain more "
            f"than {MARGIN:.2f} above chance: its accuracy is {self.share}, chance "
            f"{number(self.chance)}"
        )

    @property
    def values(self) -> Values:
        """Its accuracy under a readable key."""
        return self.share.values(f"accuracy {self.classifier}, clean images")


class Saturated(NamedTuple):
    """A classifier, and the share of the unguided samples that it calls the target."""

    classifier: str
    share: Interval

    def __str__(self) -> str:
        who = "" if self.classifier == "judge" else "guiding classifier "
        return (
            f"the {who}{self.classifier} calls {times(self.share, 100)} % of the "
            "unguided samples the target"
        )

    @property
    def values(self) -> Values:
        """The share under a readable key."""
        return self.share.values(f"accuracy {self.classifier}, unguided")


def ignorant(tables: Tables, dataset: str, classifiers: Iterable[str]) -> list[Ignorant]:
    """Those that are not for certain more than MARGIN above chance on clean images."""
    chance = float(tables.facts(dataset)["chance"])
    known = {name: tables.clean_accuracy(dataset, name) for name in dict.fromkeys(classifiers)}
    found = [
        Ignorant(name, proportion(accuracy.value, accuracy.n), chance)
        for name, accuracy in known.items()
        if accuracy
    ]
    return [one for one in found if one.share.low <= chance + MARGIN]


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
    """A sentence on each of a data set's classifiers that may be at chance or is saturated."""
    facts = tables.facts(dataset)
    guides = [setup["classifier"] for setup in facts["setups"].values() if setup["classifier"]]
    judge = _share(tables, dataset, "judge")
    beside = f" (the judge {times(judge, 100)} %)" if judge else ""
    return [
        f"{_capital(one)}. So what it says of samples, and guidance by it, measure nothing here."
        for one in ignorant(tables, dataset, facts["trained"])
    ] + [
        f"{_capital(one)}{beside}. So its accuracy is high before any guidance and measures "
        "nothing here, and it has little to guide with."
        for one in saturated(tables, dataset, guides)
    ]


def _capital(one: Ignorant | Saturated) -> str:
    return f"{str(one)[0].upper()}{str(one)[1:]}"


def _share(tables: Tables, dataset: str, classifier: str) -> Interval | None:
    # where none guides, accuracy_guide is that of `clean`
    metric = "accuracy_guide" if classifier == "clean" else f"accuracy_{classifier}"
    value = tables.measure(dataset, tables.unguided(dataset), metric)
    return proportion(value.value, value.n) if value else None
