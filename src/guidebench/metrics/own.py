"""Metrics of the user's own: a function of samples and reference, with errors by the jackknife."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from guidebench.base.jackknife import scattered
from guidebench.base.plugins import call, plugin
from guidebench.pipeline.errors import UserError

if TYPE_CHECKING:
    from guidebench.pipeline.experiment.config import OwnMetric

log = logging.getLogger(__name__)


TEXTS = ("title", "caption")


class Facts(NamedTuple):
    """What a user's metric says of itself, in attributes of these names."""

    title: str  # of its axis and figure
    caption: str  # below its figure: what it measures and how to read it
    smaller_is_better: bool
    biased: bool = False  # has a bias of order 1/n, which the jackknife takes off


def facts(name: str) -> Facts:
    """The facts of `module:attribute`; UserError where one is missing or of another type."""
    own = plugin(name)
    found: dict[str, Any] = {}
    for key in Facts._fields:
        found[key] = value = getattr(own, key, Facts._field_defaults.get(key))
        kind, allowed = (str, "a text") if key in TEXTS else (bool, "True or False")
        if not isinstance(value, kind):
            raise UserError(f"{name}: attribute {key}: found {value}, allowed: {allowed}")
    return Facts(**found)


class Values(NamedTuple):
    """A metric's value, and its replicates without each block of samples, and of reference."""

    raw: float
    replicates: np.ndarray
    reference_replicates: np.ndarray


class Metric:
    """One of `metrics.own`: `key` is its name in the tables, `section` its keys in the config."""

    def __init__(self, key: str, section: OwnMetric) -> None:
        self.key, self.name, self.options = key, section.name, section.options
        self.of, self.conditional = section.of, section.reference == "target"
        self.facts = facts(self.name)

    def __call__(self, samples: np.ndarray, reference: np.ndarray) -> float:
        """The value; NaN of no samples. UserError for an answer that is no number.

        Both are features [n, d] or images uint8 [n, C, H, W], which the function cannot change.
        """
        if len(samples) == 0:
            return float("nan")
        views = [array.view() for array in (samples, reference)]
        for view in views:
            view.flags.writeable = False
        value = call(self.name, *views, **self.options)
        try:
            if np.shape(value):
                raise TypeError
            return float(value)
        except (TypeError, ValueError) as error:
            said = getattr(value, "shape", None)
            shown = type(value).__name__ if said is None else f"values of shape {tuple(said)}"
            raise UserError(f"{self.name}: answered {shown}, allowed: one number") from error

    def values(
        self, samples: np.ndarray, block: np.ndarray, reference: np.ndarray, blocks: int
    ) -> Values:
        """Of samples [n], `block` [n] names each one's block of seeds, and a reference [m]."""
        raw = self(samples, reference)
        own = min(blocks, len(reference))
        if not np.isfinite(raw):
            log.warning("metrics.own.%s: %s of %d samples", self.key, raw, len(samples))
            return Values(raw, np.full(blocks, np.nan), np.full(own, np.nan))
        left_out = scattered(len(reference), own)
        found = Values(
            raw,
            np.array([self(samples[block != number], reference) for number in range(blocks)]),
            np.array([self(samples, reference[left_out != number]) for number in range(own)]),
        )
        every = np.concatenate(found[1:])
        if lost := int((~np.isfinite(every)).sum()):
            log.warning(
                "metrics.own.%s: %d of %d replicates are not finite: it has no error%s",
                self.key,
                lost,
                len(every),
                ", and cannot be corrected: no value" * self.facts.biased,
            )
        return found
