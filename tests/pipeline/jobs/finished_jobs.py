"""An experiment whose jobs have all run, as far as files say: each wrote one small file."""

import os
from pathlib import Path
from typing import Any

from guidebench.pipeline.experiment.config import Config
from guidebench.pipeline.jobs import freshness, listing
from guidebench.pipeline.jobs.freshness import Basis, stale
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.jobs.listing import folder, inputs, jobs, manifest, provenance
from guidebench.pipeline.records import code
from guidebench.pipeline.records.artifacts import ordered_digest, read_json, seal, write_manifest
from guidebench.pipeline.records.finished_cells import remember, sidecar


class Results:
    """Every job's files, manifest and record of code, as a finished run leaves them."""

    def __init__(self, config: Config, root: Path, name: str = "smoke") -> None:
        self.config, self.layout = config, Layout(root / "results", name)
        self.layout.root.mkdir(parents=True)
        for job in jobs(config):
            self.finish(job)

    def file(self, job: Job) -> Path:
        return folder(self.layout, job) / f"{job.stage}-{job.name}.npy"

    def finish(self, job: Job, content: bytes = b"content") -> None:
        """Run a job, with that content of its file."""
        path = self.file(job)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        spec = listing.spec(self.config, job)
        seal(provenance(self.layout, job), {"spec": spec, "measured": {}})
        basis = Basis(
            ordered_digest(spec),
            freshness.read(self.config, self.layout, job),
            code.keep(self.layout.root, {f"stages.{job.stage}:run", "base.seeds:derive"}),
        )
        place = folder(self.layout, job)
        measured = [os.path.relpath(provenance(self.layout, job), place)]
        if job.block:
            remember(path, "key", self.layout.root, {"base.seeds:derive"})
            measured.append(sidecar(path).name)
        write_manifest(manifest(self.layout, job), place, basis._asdict(), [path.name], measured)

    def stale(self, config: Config | None = None) -> dict[Job, str]:
        code.forget()
        return stale(config or self.config, self.layout)

    def below(self, *above: Job) -> set[Job]:
        """The jobs that read from these, directly or not."""
        found = set(above)
        for job in jobs(self.config):
            if found & set(inputs(self.config, job)):
                found.add(job)
        return found - set(above)

    def changes(self, job: Job, **changes: Any) -> None:
        """Write other values into a job's manifest."""
        path = manifest(self.layout, job)
        content = read_json(path)
        del content["sha256"]
        seal(path, content | changes)
