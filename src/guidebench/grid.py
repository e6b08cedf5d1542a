"""What there is to compute: paths, cells, seed blocks and jobs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from guidebench.artifacts import PROVENANCE
from guidebench.config import Config, Dataset
from guidebench.events import events_path
from guidebench.mistakes import EACH, classes, target_name
from guidebench.seeds import derive

REAL, PICTURES = "real", "grid"


class Cell(NamedTuple):
    """One setup at one scale; None is the unguided scale."""

    setup: str
    scale: float | None

    @property
    def path(self) -> str:
        """Readable folder: `clean/x0+ema0.99/scale-10`, `unguided/scale-none`."""
        return f"{self.setup}/scale-{'none' if self.scale is None else format(self.scale, 'g')}"


class Block(NamedTuple):
    """A block of consecutive seeds of one split, sampled by one job."""

    split: str
    number: int
    start: int
    count: int  # type: ignore[assignment]  # nobody counts the values of a Block

    @property
    def name(self) -> str:
        """`selection-0`, `evaluation-1`."""
        return f"{self.split}-{self.number}"


class Layout:
    """Where everything of an experiment lies below `results/<name>`."""

    def __init__(self, results: Path, name: str) -> None:
        self.root = results / name
        self.tables = self.root / "tables"
        self.pictures = self.root / "pictures"
        self.figures = self.root / "figures"
        self.findings = self.root / "findings.json"
        self.report = self.root / "report.html"

    def data(self, dataset: str) -> Path:
        """Prepared images."""
        return self.root / dataset / "data"

    def denoiser(self, dataset: str) -> Path:
        """The trained denoiser, in diffusers' layout."""
        return self.root / dataset / "denoiser"

    def classifier(self, dataset: str, classifier: str) -> Path:
        """A trained classifier."""
        return self.root / dataset / "classifiers" / classifier

    def sensitivity(self, dataset: str, classifier: str) -> Path:
        """The sensitivity tables of one classifier."""
        return self.root / dataset / "sensitivity" / classifier

    def samples(self, dataset: str) -> Path:
        """Samples per cell and block."""
        return self.root / dataset / "samples"

    def features(self, dataset: str) -> Path:
        """Features per cell and block."""
        return self.root / dataset / "features"

    def truth(self, world: str) -> Path:
        """How far a world's samples are from the truth."""
        return self.root / world / "truth"

    def metrics(self, dataset: str) -> Path:
        """Metric tables."""
        return self.root / dataset / "metrics"

    def block_manifest(self, folder: Path, block: str) -> Path:
        """The manifest of one block's files in `samples` or `features`."""
        return folder / "manifests" / f"{block}.json"

    def events(self, stage: str, job: str) -> Path:
        """The event stream of a job."""
        return events_path(self.root, stage, job)

    def resume(self, stage: str, job: str, key: str) -> Path:
        """Where an unfinished training stands."""
        return self.root / ".resume" / f"{stage}-{job}-{key[:16]}.pt"


class Job(NamedTuple):
    """One execution of a stage; empty strings where a stage has no such wildcard."""

    stage: str
    dataset: str = ""
    classifier: str = ""
    block: str = ""

    @property
    def name(self) -> str:
        """`sportballs.clean`; the stage's name for stages over all data sets."""
        return ".".join(filter(None, self[1:])) or "all"


def manifest(layout: Layout, job: Job) -> Path:
    """The manifest that a job declares as its output."""
    stage, dataset = job.stage, job.dataset
    if stage in ("sample", "features"):
        folder = layout.samples(dataset) if stage == "sample" else layout.features(dataset)
        return layout.block_manifest(folder, job.block)
    folders = {
        "prepare": layout.data(dataset),
        "train_denoiser": layout.denoiser(dataset),
        "train_classifier": layout.classifier(dataset, job.classifier),
        "sensitivity": layout.sensitivity(dataset, job.classifier),
        "metrics": layout.metrics(dataset),
        "ground_truth": layout.truth(dataset),
        "collect": layout.tables,
    }
    return folders.get(stage, layout.root / stage) / "manifest.json"


def provenance(layout: Layout, job: Job) -> Path:
    """What a finished job says of itself, beside the files that its manifest lists."""
    folder = manifest(layout, job).parent
    if job.block:
        return folder.parent / f"{job.block}.{PROVENANCE}"
    return {"findings": layout.root, "plots": layout.figures}.get(job.stage, folder) / PROVENANCE


def cells(config: Config, dataset: str) -> list[Cell]:
    """All cells of a data set, in the config's order."""
    return [
        Cell(name, scale)
        for name, setup in config.datasets[dataset].setups.items()
        for scale in (setup.scales if setup.guidance != "none" else [None])
    ]


def blocks(config: Config, dataset: str) -> list[Block]:
    """All seed blocks of a data set: selection first, those of the picture grids last."""
    options = config.datasets[dataset]
    sampling = options.sampling
    pictures = sampling.grid_images * max(1, len(classes(options.data)) if each(options) else 1)
    splits = (("selection", sampling.selection), ("evaluation", sampling.evaluation),
              (PICTURES, pictures))  # fmt: skip
    return [
        Block(split, number, start, min(sampling.block, total - start))
        for split, total in splits
        for number, start in enumerate(range(0, total, sampling.block))
    ]


def sampled(config: Config, dataset: str, block: Block) -> list[Cell]:
    """The cells that a block samples: all, or those that get a picture grid."""
    wanted = config.datasets[dataset].sampling.grid_setups
    if block.split != PICTURES or not wanted:
        return cells(config, dataset)
    return [cell for cell in cells(config, dataset) if cell.setup in wanted]


def scored(config: Config, dataset: str) -> list[Block]:
    """The blocks whose samples are measured."""
    return [block for block in blocks(config, dataset) if block.split != PICTURES]


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
    """Sampling steps of a cell: the setup's own, the picture grid's, or the data set's."""
    options = config.datasets[dataset]
    own = options.setups[cell.setup].steps or options.sampling.steps
    return (options.sampling.grid_steps or own) if block.split == PICTURES else own


def block(config: Config, dataset: str, name: str) -> Block:
    """The seed block of that name; KeyError when there is none."""
    return {block.name: block for block in blocks(config, dataset)}[name]


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


def jobs(config: Config) -> Iterator[Job]:
    """Every job of the experiment, in an order that respects dependencies."""
    for dataset, options in config.datasets.items():
        yield Job("prepare", dataset)
        yield Job("train_denoiser", dataset)
        for classifier in options.classifiers:
            yield Job("train_classifier", dataset, classifier)
        for classifier in guides(config, dataset):
            yield Job("sensitivity", dataset, classifier)
        for part in blocks(config, dataset):
            yield Job("sample", dataset, block=part.name)
        for name in [REAL, *(part.name for part in scored(config, dataset))]:
            yield Job("features", dataset, block=name)
        yield Job("metrics", dataset)
    for world in config.worlds:
        yield Job("ground_truth", world)
    for stage in ("collect", "findings", "plots", "report"):
        yield Job(stage)
