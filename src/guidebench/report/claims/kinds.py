"""Kinds of guidance that claims are about: by their properties, whatever a config calls them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from guidebench.report.claims.verdicts import Unmeasured
from guidebench.report.tables import Tables
from guidebench.report.variants import plainest_first


class Kind(NamedTuple):
    """Guidance by its properties; None: any."""

    guidance: str = "classifier"  # classifier, cfg
    classifier: str | None = None  # what it was trained on: clean, noise_trained, adversarial
    source: str | None = None  # what the classifier sees: raw (x_t), x0 (x0_pred)
    stabilizer: str | None = None  # of its gradient
    beta: float | None = None  # of the stabilizer ema

    def __str__(self) -> str:
        if self.guidance != "classifier":
            return self.guidance
        source = f"/{self.source}" if self.source else ""
        return f"{self.classifier}{source}" + (f"+{self.stabilized}" if self.stabilized else "")

    @property
    def stabilized(self) -> str:
        """`ema0.99`, `ema*` with any beta, `adam`; nothing for the gradient as it is."""
        if self.stabilizer in (None, "none"):
            return ""
        if self.stabilizer != "ema":
            return str(self.stabilizer)
        return "ema*" if self.beta is None else f"ema{self.beta:g}"

    def classifiers(self, facts: Mapping[str, Any]) -> list[str]:
        """The data set's classifiers of this kind that may guide, in the config's order."""
        return [
            name
            for name, trained in facts["trained"].items()
            if name != "judge" and trained == self.classifier
        ]

    def stabilizers(self, facts: Mapping[str, Any]) -> list[str]:
        """What the sensitivity analysis calls its stabilizers of this kind, the plainest first."""
        if self.stabilizer == "none":
            return ["none"]
        return plainest_first(
            {
                name: options
                for name, options in facts["stabilizers"].items()
                if options["name"] == self.stabilizer and self.beta in (None, options["beta"])
            }
        )

    def fits(self, setup: Mapping[str, Any], facts: Mapping[str, Any]) -> bool:
        """Whether a setup is of this kind, as the summary's facts of its data set describe it."""
        if self.classifier and setup["classifier"] not in self.classifiers(facts):
            return False
        pairs = (
            (self.guidance, setup["kind"]),
            (self.source, setup["input"]),
            (self.stabilizer, setup["stabilizer"]),
            (self.beta, setup["stabilizer_options"]["beta"]),
        )
        return all(needed in (None, value) for needed, value in pairs)


CFG = Kind("cfg")
CLEAN = Kind("classifier", "clean")
CLEAN_RAW = Kind("classifier", "clean", "raw", "none")
CLEAN_X0 = Kind("classifier", "clean", "x0", "none")
CLEAN_X0_ANY = Kind("classifier", "clean", "x0")
CLEAN_EMA = Kind("classifier", "clean", "x0", "ema")
CLEAN_EMA9, CLEAN_EMA99 = CLEAN_EMA._replace(beta=0.9), CLEAN_EMA._replace(beta=0.99)
CLEAN_ADAM = Kind("classifier", "clean", "x0", "adam")
NOISE_TRAINED = Kind("classifier", "noise_trained", "raw", "none")


def setups_of(tables: Tables, dataset: str, kind: Kind) -> list[str]:
    """The data set's setups of a kind, in the config's order; Unmeasured without any."""
    names = _fitting(tables, dataset, kind)
    if not names:
        raise Unmeasured(f"not measured: setup {kind} is not in this data set's config")
    return names


def _fitting(tables: Tables, dataset: str, kind: Kind) -> list[str]:
    facts = tables.facts(dataset)
    return [name for name, setup in facts["setups"].items() if kind.fits(setup, facts)]


def one_of_each(tables: Tables, dataset: str, kind: Kind) -> list[str]:
    """Of a kind's setups with the same input, stabilizer and beta the plainest one.

    The claims compare the paper's setups: a setup of the user's own that differs in some other key
    (its temperature, its interval) is no rival of theirs. Unmeasured without any.
    """
    setups = tables.facts(dataset)["setups"]
    alike: dict[tuple[Any, ...], dict[str, Any]] = {}
    for name in setups_of(tables, dataset, kind):
        setup = setups[name]
        key = setup["input"], setup["stabilizer"], setup["stabilizer_options"]["beta"]
        alike.setdefault(key, {})[name] = setup
    return [plainest_first(group)[0] for group in alike.values()]


def setup_of(tables: Tables, dataset: str, kind: Kind) -> str:
    """The plainest setup of a kind; Unmeasured without one."""
    setups = tables.facts(dataset)["setups"]
    return plainest_first({name: setups[name] for name in setups_of(tables, dataset, kind)})[0]


def guides_of(tables: Tables, dataset: str, kind: Kind) -> list[str]:
    """The classifiers that guide the setups that a claim on a kind is about; none of cfg."""
    if not kind.classifier or not _fitting(tables, dataset, kind):
        return []
    setups = tables.facts(dataset)["setups"]
    return [setups[name]["classifier"] for name in one_of_each(tables, dataset, kind)]


def followed(tables: Tables, dataset: str, kind: Kind) -> list[str]:
    """The classifier of a kind that is followed along the forward process (`along`)."""
    rows = tables.sensitivity
    known = set(rows.classifier[(rows.dataset == dataset) & (rows.input == kind.source)])
    return [name for name in kind.classifiers(tables.facts(dataset)) if name in known][:1]


def which(tables: Tables, dataset: str, *kinds: Kind) -> str:
    """The end of a reason: of each kind that several setups are of, the one that it is about."""
    return "".join(
        f" Of {len(setups)} setups that are {kind} it is about {setup_of(tables, dataset, kind)}."
        for kind in kinds
        if len(setups := _fitting(tables, dataset, kind)) > 1
    )


def along(tables: Tables, dataset: str, quantity: str, kind: Kind) -> pd.DataFrame:
    """Every image's curve along the forward process [t, image]; Unmeasured when it is empty.

    Of several classifiers of the kind, that which comes first in the config; of several
    stabilizers the plainest.
    """
    facts = tables.facts(dataset)
    for classifier, stabilizer in product(kind.classifiers(facts), kind.stabilizers(facts)):
        rows = tables.along(dataset, quantity, classifier, str(kind.source), stabilizer)
        curves = pd.DataFrame(list(rows["values"]), index=rows.t)
        curves = curves.replace([np.inf, -np.inf], np.nan).dropna()
        if not curves.empty:
            return curves
    raise Unmeasured(f"not measured: no {quantity} of {kind} in this data set's config")
