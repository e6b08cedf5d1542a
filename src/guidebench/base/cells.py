"""The cell: what is sampled, measured and compared by itself."""

from typing import NamedTuple


class Cell(NamedTuple):
    """A setup at one scale; None where it has none: without guidance, and for the floor.

    The floor: held-out real images, scored like samples (`metrics/score.py`).
    """

    setup: str
    scale: float | None = None

    @property
    def path(self) -> str:
        """Readable folder: `clean/x0+ema0.99/scale-10`, `unguided/scale-none`."""
        return f"{self.setup}/scale-{self._scale}"

    @property
    def key(self) -> str:
        """Its name among the pictures: `clean/x0+ema0.99:10`, `unguided:none`."""
        return f"{self.setup}:{self._scale}"

    @property
    def _scale(self) -> str:
        return "none" if self.scale is None else f"{self.scale:g}"
