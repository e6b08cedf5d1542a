"""The one rule for what is fresh: which results stand, which are stale, and why.

A result stands while three things are what they were when it was made: its slice of the config,
the content of what it reads, and the code that ran for it. They are its basis, and are written
with every result: in a job's manifest, beside a finished cell, in a training's checkpoint. A job
is stale, too, when a file of its manifest is missing, or when a job that it reads from is stale.
What another experiment has of them is taken over (`sharing`); Snakemake runs the others
(workflow/rules/common.smk), and `plan` names them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from guidebench.base import published
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.config import Config
from guidebench.pipeline.jobs import listing
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.jobs.listing import folder, inputs, jobs, manifest, provenance
from guidebench.pipeline.records import code, outside_files
from guidebench.pipeline.records.artifacts import (
    canonical,
    digest_of,
    incomplete,
    ordered_digest,
    read_json,
    read_manifest,
)

EXTERNAL = "external files"
SHOWN = 3


class Basis(NamedTuple):
    """What a result stands on."""

    spec: str  # digest of its slice of the config
    inputs: dict[str, str]  # what it reads -> digest of the content
    code: str  # of the functions that ran, as `code.keep` names it

    @classmethod
    def of(cls, content: dict[str, Any]) -> Basis:
        """The basis in a manifest, a sidecar or a checkpoint; KeyError when it has none."""
        return cls(content["spec"], content["inputs"], content["code"])


def read(
    config: Config, layout: Layout, job: Job, contents: dict[Job, str] | None = None
) -> dict[str, str]:
    """Digest of the content of everything that a job reads: manifests, and files from outside.

    `contents`: digests of what jobs wrote, by job, as far as they were read before; those read now
    are added. UserError when a manifest is missing or damaged.
    """
    digests, contents = {}, {} if contents is None else contents
    for source in inputs(config, job):
        path = manifest(layout, source)
        if source not in contents:
            contents[source] = content(path)
        digests[str(path.relative_to(layout.root))] = contents[source]
    return digests | outside(config, layout, job)


def outside(config: Config, layout: Layout, job: Job) -> dict[str, str]:
    """Digests of the content of the files from outside that a job reads and that are there."""
    results = layout.root.parent
    if job.stage == "prepare":
        digest = outside_files.content(config.datasets[job.dataset].data, results)
        return {} if digest is None else {EXTERNAL: digest}
    if job.stage == "train_classifier":
        path = config.datasets[job.dataset].classifiers[job.classifier].checkpoint
        sums = outside_files.sums([] if path is None else [Path(path)], results)
        return {f"{EXTERNAL}: checkpoint": digest for digest in sums.values()}
    if job.stage == "train_denoiser" and config.datasets[job.dataset].denoiser.checkpoint:
        named = published.files(config.datasets[job.dataset].denoiser).named()
        sums = outside_files.sums(named.values(), results)
        return {f"{EXTERNAL}: {name}": sums[path] for name, path in named.items() if path in sums}
    return {}


def content(path: Path) -> str:
    """Digest of the files that a manifest lists; UserError when it is missing or damaged."""
    return digest_of(read_manifest(path)["files"])


def stale(config: Config, layout: Layout) -> dict[Job, str]:
    """Every job that has to run, with the reason in plain words, after those that it reads."""
    reasons: dict[Job, str] = {}
    contents: dict[Job, str] = {}
    for job in jobs(config):
        if reason := why(config, layout, job, reasons, contents):
            reasons[job] = reason
    return reasons


def why(
    config: Config, layout: Layout, job: Job, before: dict[Job, str], contents: dict[Job, str]
) -> str:
    """Why a job is stale; "" when it is not.

    `before`: the stale ones of the jobs before it; `contents`: as `read` takes it.
    """
    path = manifest(layout, job)
    if not path.is_file():
        return "not computed yet"
    try:
        stored = read_manifest(path)
    except UserError:
        return "its manifest is damaged"
    basis = Basis.of(stored)
    spec = listing.spec(config, job)
    if basis.spec != ordered_digest(spec):
        return f"changed: {_keys(layout, job, spec)}"
    if names := code.changed(layout.root, basis.code):
        return f"changed: {listed(names)}"
    if any(source in before for source in inputs(config, job)):
        return "what it reads runs again"
    contents[job] = digest_of(stored["files"])
    if basis.inputs != read(config, layout, job, contents):
        return "what it reads has changed"
    return incomplete(stored, folder(layout, job)) or ""


def listed(names: tuple[str, ...]) -> str:
    """`the code of a, b, c and 2 more`."""
    if names == (code.LOST,):
        return code.LOST
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"the code of {', '.join(names[:SHOWN])}{more}"


def _keys(layout: Layout, job: Job, spec: dict[str, Any]) -> str:
    """The keys of the config that differ from those of the last execution."""
    try:
        keys = differences(read_json(provenance(layout, job))["spec"], spec)
    except (UserError, KeyError, TypeError):
        return "the experiment"
    more = [f"{len(keys) - SHOWN} more"] if len(keys) > SHOWN else []
    return "; ".join(keys[:SHOWN] + more) or "the order of keys"


def differences(old: Any, new: Any, path: str = "") -> list[str]:
    """Readable lines `a.b: 1 -> 2` for every leaf that differs."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            line
            for key in {**old, **new}
            for line in differences(old.get(key), new.get(key), f"{path}.{key}".lstrip("."))
        ]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [
            line
            for number, (before, after) in enumerate(zip(old, new, strict=True))
            for line in differences(before, after, f"{path}[{number}]")
        ]
    if canonical(old) == canonical(new):
        return []
    shown = [canonical(value) for value in (old, new)]
    if max(map(len, shown)) > 60:
        return [path]
    return [f"{path}: {shown[0]} -> {shown[1]}"]
