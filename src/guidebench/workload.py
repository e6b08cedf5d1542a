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
        Block(split, first + number, start, min(size, end - start))
        for split, first, begin, end in _parts(config.datasets[dataset])
        for number, start in enumerate(range(begin, end, size))
    ]


def _parts(options: Dataset) -> list[tuple[str, int, int, int]]:
    """Seeds that the same cells have: split, number of their first block, begin, end.

    The evaluation has two where scales drop out, and no block is in both.
    """
    sampling, finalists = options.sampling, options.sampling.finalists
    pictures = sampling.grid_images * max(1, len(classes(options.data)) if each(options) else 1)
    enough = sampling.evaluation
    more = (enough, finalists.evaluation) if finalists else (enough, enough)
    return [
        ("selection", 0, 0, sampling.selection),
        ("evaluation", 0, 0, enough),
        ("evaluation", -(-enough // sampling.block), *more),
        (PICTURES, 0, 0, pictures),
    ]


def sampled(config: Config, dataset: str, block: Block) -> list[Cell]:
    """The cells that a seed block may sample: all, or those that get a sheet."""
    pictured = config.datasets[dataset].sampling.grid_setups
    if block.split != PICTURES or not pictured:
        return cells(config, dataset)
    return [cell for cell in cells(config, dataset) if cell.setup in pictured]


def contested(config: Config, dataset: str) -> list[str]:
    """Setups with more scales than `sampling.finalists` has places: the others drop out."""
    options = config.datasets[dataset]
    finalists = options.sampling.finalists
    setups = options.setups.items() if finalists else ()
    return [name for name, one in setups if finalists and len(one.scales) > finalists.scales]


def finals(config: Config, dataset: str, name: str) -> bool:
    """Whether the seed block of that name is sampled by the cells that did not drop out alone."""
    if not name.startswith("evaluation-") or not contested(config, dataset):
        return False
    return block(config, dataset, name).start >= config.datasets[dataset].sampling.evaluation


def expected(config: Config, dataset: str, block: Block) -> list[Cell]:
    """As many cells of each setup as a seed block samples, before it is known which these are."""
    cells = sampled(config, dataset, block)
    if not finals(config, dataset, block.name):
        return cells
    options = config.datasets[dataset]
    assert options.sampling.finalists is not None
    dropped = {
        Cell(name, scale)
        for name in contested(config, dataset)
        for scale in options.setups[name].scales[options.sampling.finalists.scales :]
    }
    return [cell for cell in cells if cell not in dropped]


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
    wanted, _, number = name.rpartition("-")
    size = config.datasets[dataset].sampling.block
    for split, first, begin, end in _parts(config.datasets[dataset]):
        if split == wanted and number.isdecimal():
            start = begin + (int(number) - first) * size
            found = Block(split, int(number), start, min(size, end - start))
            if begin <= start < end and found.name == name:
                return found
    raise KeyError(name)


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
