"""The real images that samples are compared with, and two distances from them."""

from typing import NamedTuple

import numpy as np

from guidebench.base.choices import FEWEST
from guidebench.base.jackknife import SEED, scattered
from guidebench.metrics.frechet import Fitted, least_error
from guidebench.metrics.sliced import Sliced
from guidebench.metrics.variety import Features
from guidebench.pipeline.errors import UserError

NONE = np.array([])


def key_of(of: str) -> str:
    """Where an extractor's features, or images, lie in a file of features."""
    return "images" if of == "images" else f"hidden:{of}"


class Distance(NamedTuple):
    """A formula's value, its least standard error, and both kinds of jackknife replicates.

    The jackknife sees the slope of a distance alone. Where images are as near to the reference as
    chance allows, the slope is 0 and the distance quadratic in the difference: `least` is its error
    there.
    """

    raw: float
    least: float
    replicates: np.ndarray
    reference_replicates: np.ndarray


class Reference:
    """Reference features [m, d], fitted and projected once for all cells; `words`: what they are.

    UserError where m is below FEWEST.
    """

    def __init__(self, features: np.ndarray, words: str, blocks: int) -> None:
        self.size, self.words, self.blocks = len(features), f"{len(features)} {words}", blocks
        if self.size < FEWEST:
            raise UserError(f"reference: found {self.words}, allowed: at least {FEWEST}")
        own = min(blocks, self.size)
        self.fitted = Fitted(features, scattered(self.size, own), own)
        self.sliced = Sliced(features)

    def distances(self, features: np.ndarray, block: np.ndarray) -> tuple[Distance, Distance]:
        """Fréchet and sliced distance of features [n, d] with their jackknife blocks [n].

        The sliced distance has no replicates of the reference: scales are compared on the same.
        """
        own = Fitted(features, block, self.blocks)
        raw = self.fitted.distance(own.whole)
        of_seeds = self.fitted.distances(own.without)
        # the distance is symmetric: here the samples' root serves all replicates
        of_reference = own.distances(self.fitted.without) if np.isfinite(raw) else of_seeds
        rows = self.sliced.project(features)
        left_out = [self.sliced.distance(rows[block != number]) for number in range(self.blocks)]
        least = least_error(own.whole, self.fitted.whole) if np.isfinite(raw) else raw
        return (
            Distance(raw, least, of_seeds, of_reference),
            Distance(self.sliced.distance(rows), 0.0, np.array(left_out), NONE),
        )


class Real:
    """The features of real images: `sets` by name, the references' and the floor's.

    `target`: the target class, None where every class is generated in turn. `drawn`: how many
    training images a second reference has, drawn with replacement (the public code,
    docs/compat.md); 0: there is none.
    """

    def __init__(self, sets: dict[str, Features], target: int | None, drawn: int = 0) -> None:
        self.sets, self.target, self.drawn = sets, target, drawn
        self._cache: dict[tuple[str, bool, bool], Reference] = {}

    def reference(
        self, extractor: str, conditional: bool, blocks: int, drawn: bool = False
    ) -> Reference:
        """The training images, of the target class if `conditional`, in an extractor's features."""
        key = (extractor, conditional, drawn)
        if key not in self._cache:
            self._cache[key] = Reference(*self.rows(*key), blocks)
        return self._cache[key]

    def rows(self, of: str, conditional: bool, drawn: bool = False) -> tuple[np.ndarray, str]:
        """The same in an extractor's features, or (`images`) as they are; and in words."""
        data = self.sets["reference_inception" if of == "inception" else "reference"]
        keep = data["labels"] == self.target if conditional else slice(None)
        words = "target-class training images" if conditional else "training images"
        unseen = ", unseen by the judge" if of == "judge" else ""
        found = data[key_of(of)][keep]
        if drawn:
            chance = np.random.Generator(np.random.Philox(SEED))
            found = found[chance.integers(len(found), size=self.drawn)]
            words = f"draws of {words}"
        return found, words + unseen
