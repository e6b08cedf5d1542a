"""What other experiments below the same results folder have done already, and taking it over.

A job's result stands anywhere while its basis is what it would be here (`freshness`): what it reads
is known by content, so a chain of jobs is found from its first one on.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Set
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.config import Config
from guidebench.pipeline.jobs import freshness, listing
from guidebench.pipeline.jobs.freshness import Basis
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.records import code, finished_cells, siblings
from guidebench.pipeline.records.artifacts import (
    digest_of,
    incomplete,
    ordered_digest,
    read_manifest,
    seal,
)
from guidebench.pipeline.records.events import Events
from guidebench.pipeline.records.siblings import ORIGIN

log = logging.getLogger(__name__)


class Source(NamedTuple):
    """Where a job's result lies, and what its manifest says."""

    layout: Layout
    content: dict[str, Any]


class Survey(NamedTuple):
    """The jobs that have to run, with why; those that are taken over; what all others wrote."""

    stale: dict[Job, str]
    taken: dict[Job, Source]
    contents: dict[Job, str]  # digests, as `freshness.read` takes them

    def place(self, layout: Layout, job: Job) -> Layout:
        """The experiment whose folder holds a job's result, or will."""
        return self.taken[job].layout if job in self.taken else layout


def survey(config: Config, layout: Layout, refused: Set[tuple[Job, Path]] = frozenset()) -> Survey:
    """What a run would do; nothing is written, of files no more than names and sizes is read.

    `refused`: results in other experiments' folders that are none.
    """
    found = Survey({}, {}, {})
    others = [Layout(root.parent, root.name) for root in siblings.others(layout.root)]
    for job in listing.jobs(config):
        reason = freshness.why(config, layout, job, found.stale, found.contents)
        if not reason:
            continue
        found.contents.pop(job, None)
        beside = [other for other in others if (job, other.root) not in refused]
        if source := _elsewhere(config, layout, job, beside, found):
            found.taken[job] = source
            found.contents[job] = digest_of(source.content["files"])
        else:
            found.stale[job] = reason
    return found


def _elsewhere(
    config: Config, layout: Layout, job: Job, others: list[Layout], found: Survey
) -> Source | None:
    """The result that the job would have here, in the folder of one of `others`."""
    # the last stages are about the whole of an experiment, its name included
    if not job.dataset or any(source in found.stale for source in listing.inputs(config, job)):
        return None
    others = [other for other in others if listing.manifest(other, job).is_file()]
    if not others:
        return None
    spec = ordered_digest(listing.spec(config, job))
    inputs = freshness.read(config, layout, job, found.contents)
    for other in others:
        with suppress(UserError, KeyError):  # damaged, or of an earlier version
            content = read_manifest(listing.manifest(other, job))
            basis = Basis.of(content)
            if basis[:2] == (spec, inputs) and not code.changed(other.root, basis.code):
                if incomplete(content, listing.folder(other, job)) is None:
                    return Source(other, content)
    return None


def take_over(config: Config, layout: Layout) -> Survey:
    """`survey`, and give what it found the names that it has here; what is damaged is left there.

    `taken` of the answer lies here now.
    """
    refused: set[tuple[Job, Path]] = set()
    taken: dict[Job, Source] = {}
    while True:
        found = survey(config, layout, refused)
        failed = {
            (job, source.layout.root)
            for job, source in found.taken.items()
            if not _taken(config, layout, job, source)
        }
        taken |= found.taken
        if not failed:
            here = {job: source for job, source in taken.items() if job not in found.stale}
            return found._replace(taken=here)
        refused |= failed


def _taken(config: Config, layout: Layout, job: Job, source: Source) -> bool:
    """Take a job's result over and tell of it as of an execution; False where that fails."""
    name = source.layout.root.name
    told = Events(layout.events(job.stage, job.name), job.stage, job.name)
    tags = {key: value for key, value in job._asdict().items() if value}
    try:
        told.start(listing.spec(config, job), tags | {"rule": job.stage, ORIGIN: name})
        _take(layout, job, source)
    except (UserError, OSError, KeyError, TypeError) as error:
        log.warning("%s %s: not taken from %s (%s)", job.stage, job.name, name, error)
        if told.run:  # else the disk was too full to begin
            told.end(f"not taken from {name}: {error}")
        return False
    told.end()
    return True


def _take(layout: Layout, job: Job, source: Source) -> None:
    """Link the files with their sha256 compared, then write provenance, then the manifest."""
    other, content = source
    theirs, ours = listing.folder(other, job), listing.folder(layout, job)
    provenance, manifest = listing.provenance(layout, job), listing.manifest(layout, job)
    said = read_manifest(listing.provenance(other, job))
    manifest.unlink(missing_ok=True)
    for name, digest in (content["files"] | said["measured"]).items():
        siblings.take(theirs / name, ours / name, digest)
        if job.block:
            finished_cells.take_sidecar(theirs / name, ours / name, other.root, layout.root)
    code.bring(layout.root, other.root, content["code"])
    seal(provenance, said | {ORIGIN: [*said.get(ORIGIN, []), other.root.name]})
    if line := incomplete(content, ours):
        raise UserError(line)
    listing.tidy(layout, job, [*content["files"], *content["measured"]])
    seal(manifest, content)


def told(taken: Mapping[Job, Source]) -> list[str]:
    """A line for each other experiment: `taken from default: prepare 2, train_denoiser 2`."""
    counts: dict[str, Counter[str]] = {}
    for job, source in taken.items():
        counts.setdefault(source.layout.root.name, Counter())[job.stage] += 1
    return [
        f"taken from {name}: {', '.join(f'{stage} {count}' for stage, count in stages.items())}"
        for name, stages in counts.items()
    ]
