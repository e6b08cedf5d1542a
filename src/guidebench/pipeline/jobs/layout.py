"""Where everything of an experiment lies, and what one execution of a stage is named by."""

from pathlib import Path
from typing import NamedTuple

from guidebench.pipeline.records.events import events_path


class Layout:
    """Where everything of an experiment lies below `results/<name>`."""

    def __init__(self, results: Path, name: str) -> None:
        self.root = results / name
        self.tables = self.root / "tables"
        self.pictures = self.root / "pictures"
        self.figures = self.root / "figures"
        self.findings = self.root / "findings.json"
        self.report = self.root / "report.html"
        self.preview = self.root / "preview.html"

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

    def attributes(self, dataset: str) -> Path:
        """What was read of the balls in samples."""
        return self.root / dataset / "attributes"

    def samples(self, dataset: str) -> Path:
        """Samples per cell and block."""
        return self.root / dataset / "samples"

    def features(self, dataset: str) -> Path:
        """Features per cell and block."""
        return self.root / dataset / "features"

    def finalists(self, dataset: str) -> Path:
        """Which cells are sampled on all evaluation seeds."""
        return self.root / dataset / "finalists"

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
