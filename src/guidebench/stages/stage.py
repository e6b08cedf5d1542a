"""What every stage gets: its slice of the config, its paths, its event stream, its bookkeeping."""

from __future__ import annotations

import os
import resource
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guidebench import launch, specs
from guidebench.artifacts import (
    PROVENANCE,
    check_manifest,
    digest_of,
    environment,
    write_json,
    write_manifest,
)
from guidebench.closure import code_digest
from guidebench.config import Config, Dataset
from guidebench.errors import UserError
from guidebench.events import Events
from guidebench.grid import Job, Layout
from guidebench.mistakes import EACH, classes, target_name
from guidebench.seeds import derive

if TYPE_CHECKING:
    import torch


@dataclass
class Stage:
    """One execution of a stage."""

    config: Config
    job: Job
    layout: Layout
    events: Events
    inputs: dict[str, str] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    @property
    def options(self) -> Dataset:
        """The data set's section of the config."""
        return self.config.datasets[self.job.dataset]

    @cached_property
    def dump(self) -> dict[str, Any]:
        """The same section as plain values."""
        return self.options.model_dump(mode="json")

    @cached_property
    def spec(self) -> dict[str, Any]:
        """What the results depend on."""
        return specs.spec(self.config, self.job)

    @property
    def code(self) -> str:
        """Digest of the code that the results depend on."""
        return code_digest(self.job.stage)

    @property
    def target(self) -> int | None:
        """Class number to generate; None without labels, or when each class is, in turn."""
        if self.options.target in (None, EACH):
            return None
        return classes(self.options.data).index(target_name(self.options))

    @cached_property
    def device(self) -> torch.device:
        """Where networks run; UserError when the config asks for a GPU that is not there."""
        import torch

        available = torch.cuda.is_available()
        if self.config.device == "cuda" and not available:
            raise UserError("device: found cuda, allowed: auto or cpu (torch sees no GPU here)")
        if self.config.device == "auto" and not available and launch.machine_gpus():
            raise UserError("device: found auto and GPUs that torch cannot use (an old driver?), "
                            "allowed: cpu")  # fmt: skip
        if not available or self.config.device == "cpu":
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

    def seed(self, *names: object) -> int:
        """A seed that depends on the experiment's seed, the data set and the names."""
        return derive(self.config.seed, self.job.dataset, *names)

    def use(self, folder: Path, manifest: Path | None = None) -> dict[str, str]:
        """Check an input's manifest and note its digest in the provenance."""
        path = manifest or folder / "manifest.json"
        files = check_manifest(path, folder)
        self.inputs[str(path.relative_to(self.layout.root))] = digest_of(files)
        return files

    def key(self) -> str:
        """Digest of spec, code and inputs: what unfinished work must match to be continued."""
        return digest_of([self.spec, self.code, sorted(self.inputs.items())])

    def schedule(self) -> Any:
        """The data set's forward process."""
        from guidebench.diffusion.schedules import build

        return build(self.dump["schedule"], self.device)

    def finish(
        self,
        folder: Path,
        names: list[str],
        manifest: Path | None = None,
        measured: list[str] | None = None,
    ) -> None:
        """Write provenance, then the manifest: the declared output comes last."""
        prefix = f"{self.job.block}." if self.job.block else ""
        provenance = {
            "stage": self.job.stage,
            "dataset": self.job.dataset,
            "job": self.job.name,
            "spec": self.spec,
            "code": self.code,
            "inputs": self.inputs,
            "device": self.where,
            "seconds": round(time.monotonic() - self.started, 3),
            "peak_memory_mib": round(peak_memory(), 1),
            **environment(),
        }
        write_json(folder / f"{prefix}{PROVENANCE}", provenance)
        write_manifest(folder, names, manifest, measured)


def peak_memory() -> float:
    """Peak memory in MiB since the last reset: the GPU's where one is used, else the process's."""
    import sys

    if "torch" in sys.modules and sys.modules["torch"].cuda.is_initialized():
        return float(sys.modules["torch"].cuda.max_memory_allocated() / 2**20)
    try:
        status = Path("/proc/self/status").read_text()
        return float(status.partition("VmHWM:")[2].split()[0]) / 1024
    except (OSError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def reset_peak_memory() -> None:
    """Start a new peak, where the system allows it (Linux; CUDA)."""
    import sys

    if "torch" in sys.modules and sys.modules["torch"].cuda.is_initialized():
        sys.modules["torch"].cuda.reset_peak_memory_stats()
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return
