"""One execution of a job: its slice of the config, its inputs, its events, its manifest."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guidebench.pipeline import recording
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.config import Config, Dataset
from guidebench.pipeline.jobs import freshness, listing, parallel
from guidebench.pipeline.jobs.freshness import EXTERNAL, Basis
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.records import code
from guidebench.pipeline.records.artifacts import (
    check_files,
    digest_of,
    environment,
    ordered_digest,
    write_manifest,
    write_provenance,
)
from guidebench.pipeline.records.checkpoint import Checkpoint
from guidebench.pipeline.records.events import Events
from guidebench.pipeline.records.finished_cells import sidecar

if TYPE_CHECKING:
    import torch


@dataclass
class Execution:
    """What every stage gets and no number depends on; `stages.stage.Stage` adds the rest."""

    config: Config
    job: Job
    layout: Layout
    events: Events
    # functions behind the cells that an earlier execution finished
    carried: set[str] = field(default_factory=set)
    started: float = field(default_factory=time.monotonic)

    @property
    def options(self) -> Dataset:
        """The data set's section of the config."""
        return self.config.datasets[self.job.dataset]

    @cached_property
    def spec(self) -> dict[str, Any]:
        """What the results depend on."""
        return listing.spec(self.config, self.job)

    @cached_property
    def inputs(self) -> dict[str, str]:
        """Everything that the job reads, with digests, as it is when the job begins."""
        return freshness.read(self.config, self.layout, self.job)

    @cached_property
    def device(self) -> torch.device:
        """Where networks run; UserError when the config asks for a GPU that is not there."""
        import torch

        if not parallel.on_gpu(self.config.device):
            return torch.device("cpu")
        # several processes of a training: each has a GPU of its machine
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))

    @property
    def where(self) -> str:
        """The device in words, without starting torch in stages that have no network."""
        if "device" not in self.__dict__:
            return "cpu"
        import torch

        return torch.cuda.get_device_name() if self.device.type == "cuda" else "cpu"

    def use(
        self,
        stage: str,
        dataset: str = "",
        classifier: str = "",
        block: str = "",
        names: Iterable[str] | None = None,
    ) -> dict[str, str]:
        """Check the files of a job that this one reads, or `names` of them alone.

        Returns name -> sha256. UserError names a file that is missing, not listed, or has another
        content than when it was written.
        """
        job = Job(stage, dataset, classifier, block)
        if job not in listing.inputs(self.config, self.job):
            raise ValueError(f"{self.job.stage} reads {job}, which listing.inputs does not say")
        path = listing.manifest(self.layout, job)
        files = check_files(path, listing.folder(self.layout, job), names)
        if digest_of(files) != self.inputs[str(path.relative_to(self.layout.root))]:
            raise UserError(f"{path}: written anew while this job ran; run again")
        return files

    def resume(self) -> Checkpoint:
        """The checkpoint of this training: of the same slice of the config and the same inputs."""
        key = digest_of([self.spec, sorted(self.inputs.items())])
        path = self.layout.resume(self.job.stage, self.job.name, key)
        return Checkpoint(path, self.layout.root)

    def finish(self, names: list[str], measured: Sequence[str] = ()) -> None:
        """Write provenance, then the manifest: the declared output comes last.

        `names` and `measured` lie below `listing.folder`; other files in the job's own folders go.
        Those of a seed block are finished cells.
        """
        ran = {name for name in recording.ran if ":" in name} | self.carried
        assert f"stages.{self.job.stage}:run" in ran, "the recording of what runs is not on"
        basis = Basis(ordered_digest(self.spec), self._inputs(), code.keep(self.layout.root, ran))
        path = listing.manifest(self.layout, self.job)
        place = listing.folder(self.layout, self.job)
        provenance = listing.provenance(self.layout, self.job)
        write_provenance(
            provenance,
            place,
            {
                "stage": self.job.stage,
                "dataset": self.job.dataset,
                "job": self.job.name,
                "spec": self.spec,
                "inputs": basis.inputs,
                "code": str(Path(code.FOLDER) / f"{basis.code}.json"),
                "device": self.where,
                "seconds": round(time.monotonic() - self.started, 3),
                "peak_memory_mib": round(peak_memory(), 1),
                **environment(),
            },
            measured,
        )
        unpinned = [*measured, os.path.relpath(provenance, place)]
        if self.job.block:
            unpinned += [str(sidecar(Path(name))) for name in names]
        listing.tidy(self.layout, self.job, [*names, *unpinned])
        write_manifest(path, place, basis._asdict(), names, unpinned)

    def _inputs(self) -> dict[str, str]:
        """The inputs as the job began; files from outside as they are now: some were downloaded.

        UserError when files of the user's changed meanwhile.
        """
        now = freshness.outside(self.config, self.layout, self.job)
        before = {name: sha for name, sha in self.inputs.items() if name.startswith(EXTERNAL)}
        if before and before != now:
            raise UserError("its files changed while they were read; run again")
        return self.inputs | now


def peak_memory() -> float:
    """Peak memory in MiB since the last reset: the GPU's where one is used, else the process's."""
    if "torch" in sys.modules and sys.modules["torch"].cuda.is_initialized():
        return float(sys.modules["torch"].cuda.max_memory_allocated() / 2**20)
    try:
        status = Path("/proc/self/status").read_text()
        return float(status.partition("VmHWM:")[2].split()[0]) / 1024
    except (OSError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def reset_peak_memory() -> None:
    """Start a new peak, where the system allows it (Linux; CUDA)."""
    if "torch" in sys.modules and sys.modules["torch"].cuda.is_initialized():
        sys.modules["torch"].cuda.reset_peak_memory_stats()
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return
