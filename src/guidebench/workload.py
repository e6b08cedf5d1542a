"""What there is to sample: cells, and the seed blocks that each has."""

from typing import NamedTuple

from guidebench.base.cells import Cell
from guidebench.base.choices import EACH, classes, target_name
from guidebench.base.seeds import derive
from guidebench.pipeline.experiment.config import Config, Dataset

REAL, PICTURES = "real", "grid"


class Block(NamedTuple):
    """A seed block: consecutive seeds of one split, sampled by one job."""

    split: str
    number: int
    start: int
    count: int  # type: ignore[assignment]  # nobody counts the values of a Block

    @property
    def name(self) -> str:
        """`selection-0`, `evaluation-1`."""
        return f"{self.split}-{self.number}"


def cells(config: Config, dataset: str) -> list[Cell]:
    """All cells of a data set, in the config's order."""
    return [
        Cell(name, scale)
        for name, setup in config.datasets[dataset].setups.items()
        for scale in (setup.scales if setup.guidance != "none" else [None])
    ]


def blocks(config: Config, dataset: str) -> list[Block]:
    """All seed blocks of a data set: selection first, those of the cells' sheets last."""
    size = config.datasets[dataset].sampling.block
    return [
        Block(split, number, start, min(size, total - start))
        for split, total in _images(config.datasets[dataset]).items()
        for number, start in enumerate(range(0, total, size))
    ]


def _images(options: Dataset) -> dict[str, int]:
    """Seeds of each split."""
    sampling = options.sampling
    pictures = sampling.grid_images * max(1, len(classes(options.data)) if each(options) else 1)
    seeds = {"selection": sampling.selection, "evaluation": sampling.evaluation}
    return seeds | {PICTURES: pictures}


def sampled(config: Config, dataset: str, block: Block) -> list[Cell]:
    """The cells that a seed block samples: all, or those that get a sheet."""
    pictured = config.datasets[dataset].sampling.grid_setups
    if block.split != PICTURES or not pictured:
        return cells(config, dataset)
    return [cell for cell in cells(config, dataset) if cell.setup in pictured]


def scored(config: Config, dataset: str) -> list[Block]:
    """The blocks whose samples are measured."""
    return [block for block in blocks(config, dataset) if block.split != PICTURES]


def evaluated(config: Config, dataset: str) -> list[Block]:
    """The blocks behind every number that is shown."""
    return [block for block in blocks(config, dataset) if block.split == "evaluation"]


def images_scored(config: Config) -> bool:
    """Whether a metric of the user's own gets images, and not their features alone."""
    return any(metric.of == "images" for metric in config.metrics.own.values())


def each(options: Dataset) -> bool:
    """Whether every class is generated in turn."""
    return options.target == EACH


def labels(config: Config, dataset: str, block: Block) -> list[int]:
    """The class that each image of a block is to show; -1 without labels."""
    options = config.datasets[dataset]
    names = classes(options.data)
    if options.target is None:
        return [-1] * block.count
    if each(options):
        return [number % len(names) for number in range(block.start, block.start + block.count)]
    return [names.index(target_name(options))] * block.count


def steps(config: Config, dataset: str, cell: Cell, block: Block) -> int:
    """Sampling steps of a cell: the setup's own, its sheet's, or the data set's."""
    options = config.datasets[dataset]
    own = options.setups[cell.setup].steps or options.sampling.steps
    return (options.sampling.grid_steps or own) if block.split == PICTURES else own


def trajectories(config: Config, dataset: str, block: Block) -> int:
    """Images of a block whose way from noise is kept: of the first ones that are shown."""
    shown = (block.split, block.number) == ("evaluation", 0)
    return config.datasets[dataset].sampling.trajectories if shown else 0


def block(config: Config, dataset: str, name: str) -> Block:
    """The seed block of that name; KeyError when there is none."""
    # each job asks: a list of all blocks would make that quadratic
    split, _, number = name.rpartition("-")
    size, total = config.datasets[dataset].sampling.block, _images(config.datasets[dataset])[split]
    start = int(number) * size
    if start >= total:
        raise KeyError(name)
    return Block(split, int(number), start, min(size, total - start))


def image_seeds(config: Config, dataset: str, block: Block) -> list[int]:
    """One 63-bit seed per image: all setups of a data set share them (paired comparison)."""
    numbers = range(block.start, block.start + block.count)
    return [derive(config.seed, "sample", dataset, block.split, number) for number in numbers]


def guides(config: Config, dataset: str) -> list[str]:
    """The classifiers that may guide: all but the judge."""
    return [name for name in config.datasets[dataset].classifiers if name != "judge"]


def used_guides(config: Config, dataset: str) -> list[str]:
    """The classifiers that some setup is guided by."""
    setups = config.datasets[dataset].setups.values()
    return sorted({setup.classifier for setup in setups if setup.classifier})
