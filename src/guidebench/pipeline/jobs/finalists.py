"""Which cells the stage `finalists` left out of the later blocks of evaluation seeds."""

from pathlib import Path

from guidebench.base.cells import Cell
from guidebench.pipeline.records.artifacts import read_json

FILE = "finalists.json"


def dropped(folder: Path) -> set[Cell]:
    """The cells that are not sampled after the first evaluation block, as the stage wrote them."""
    setups = read_json(folder / FILE)["setups"]
    return {
        Cell(setup, one["scale"])
        for setup, ranked in setups.items()
        for one in ranked
        if not one["goes_on"]
    }
