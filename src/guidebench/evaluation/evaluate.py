"""Anybody's samples against anybody's data: read, checked, and scored."""

import logging
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from guidebench.base.choices import FEWEST
from guidebench.evaluation import notes, pictures
from guidebench.evaluation.embeddings import DEFAULT, EXTRACTORS, Embedding, Files, embedding
from guidebench.evaluation.form import RESIZE, Images, common, decoded
from guidebench.evaluation.found import Found, Gaussian
from guidebench.evaluation.measures import MEASURES
from guidebench.evaluation.result import Evaluation
from guidebench.evaluation.rows import Row, Scored, chosen
from guidebench.evaluation.sources import Labels, Source, find
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.records.artifacts import environment
from guidebench.report.words import plural

log = logging.getLogger(__name__)
BLOCKS = 16


class Options(NamedTuple):
    """What is measured, and how: measures (None: all that there can be), extractors, a class."""

    metrics: Sequence[str] | None = None
    extractors: Sequence[str] = (DEFAULT,)
    target: str | None = None
    training: bool = False
    blocks: int = BLOCKS
    files: Files = Files()


def evaluate(
    samples: Source,
    reference: Source,
    options: Options,
    labels: Labels | None = None,
    reference_labels: Labels | None = None,
) -> Evaluation:
    """Score samples against a reference; UserError where that cannot be, before it takes long.

    Both are a path, or an array uint8 [N, C, H, W]; labels as of `sources.find`.
    """
    _known("--metrics", options.metrics or (), MEASURES)
    _known("--extractor", options.extractors, EXTRACTORS)
    if options.blocks < 2:
        raise UserError(f"--blocks: found {options.blocks}, allowed: 2 or more")
    mine = find(samples, "samples", labels)
    if isinstance(mine, Gaussian):
        raise UserError(f"{mine.where}: found mu and sigma, allowed: images, as samples")
    other = find(reference, "reference", reference_labels)
    training = options.training or _is_training(other)
    names = chosen(options.metrics, isinstance(other, Found), training)
    if options.target is not None:
        mine, other = _of_target(mine, other, options.target)
    sides = [side for side in (mine, other) if isinstance(side, Found)]
    for side in sides:
        if len(side.shapes) < FEWEST:
            found = plural(len(side.shapes), "image")
            raise UserError(f"{side.where}: found {found}, allowed: at least {FEWEST}")
    embeddings = [embedding(key, options.files) for key in options.extractors]
    shape = common(sides)
    log.info("reading %s", " and ".join(f"{len(side.shapes):,} images" for side in sides))
    images = decoded(mine, shape, options.blocks)
    real = other if isinstance(other, Gaussian) else decoded(other, shape, options.blocks)
    _fits(embeddings, images, real)
    basis: dict[str, object] = {
        "shape": shape,
        "resize": RESIZE,
        "target": options.target,
        "blocks": options.blocks,
    }
    drawn = {"samples": pictures.beside(images, real)}
    rows: list[Row] = []
    told = [*notes.notes(images, real)]
    for one in embeddings:
        log.info("%s", one.name)
        unseen, lines = _unseen(one, real)
        scored = Scored(one, images, unseen, options.blocks, basis)
        # copies are looked for among all training images
        own = [n for n in names if unseen is real or not MEASURES[n].training]
        rows += scored.rows(own)
        told += [*lines, *notes.of_features(one.key, scored.whole), *scored.left_out]
        if one is embeddings[0] and isinstance(unseen, Images):
            drawn["closest"] = pictures.closest(images, unseen, scored.whole.nearest)
    facts = {
        "samples": _facts(images),
        "reference": _facts(real) | {"training": training},
        "target": options.target,
        "images": shape._asdict(),
        "extractors": [{"key": e.key, "name": e.name, "sha256": e.digest} for e in embeddings],
        "blocks": options.blocks,
        "guidebench": version("guidebench"),
        **environment(),
    }
    return Evaluation(rows, facts, told, drawn)


def _known(option: str, asked: Sequence[str], known: Iterable[str]) -> None:
    for name in asked:
        if name not in known:
            raise UserError(f"{option}: found {name}, allowed: {', '.join(known)}")


def _is_training(found: Found | Gaussian) -> bool:
    """Whether images are known to have taught the model: those of a prepared data set."""
    if isinstance(found, Gaussian):
        return False
    return found.kind == "prepared" and Path(found.where).name == "train"


def _of_target(mine: Found, other: Found | Gaussian, target: str) -> tuple[Found, Found]:
    """Both sides of one class; samples that have no classes at all are taken to be of it."""
    if isinstance(other, Gaussian):
        raise UserError(f"--target: found {target} for mu and sigma, allowed: with images alone")
    for found in (mine, other):
        if target not in found.classes and (found is other or found.classes):
            allowed = ", ".join(found.classes) or "none, as its images have no classes"
            raise UserError(f"--target: found {target}, allowed: of {found.where} {allowed}")
    return mine.of_class(target) if mine.classes else mine, other.of_class(target)


def _fits(embeddings: Sequence[Embedding], samples: Images, reference: Images | Gaussian) -> None:
    """UserError where an extractor has another number of features than the reference's moments."""
    if isinstance(reference, Images):
        return
    for one in embeddings:
        width, found = one(samples.images[:1]).shape[1], len(reference.mean)
        if width != found:
            allowed = f"{width}, as {one.key} has"
            raise UserError(f"{reference.where}: found mu of {found} features, allowed: {allowed}")


def _unseen(one: Embedding, reference: Images | Gaussian) -> tuple[Images | Gaussian, list[str]]:
    """The reference without images that taught a judge, and what is said of it."""
    if one.key != "judge" or isinstance(reference, Gaussian):
        return reference, []
    rows = one.unseen(reference)
    if rows is None:
        return reference, ["judge: whether reference images taught it is not known"]
    kept = reference.only(np.flatnonzero(rows))
    return kept, [f"judge: the reference are the {len(kept.images)} images that did not teach it"]


def _facts(side: Images | Gaussian) -> dict[str, Any]:
    if isinstance(side, Gaussian):
        return {"where": side.where, "kind": "mu and sigma", "n": 0, "sha256": side.digest}
    return {
        "where": side.found.where,
        "kind": side.found.kind,
        "n": len(side.images),
        "sha256": side.digest,
        "classes": {name: int((side.labels == name).sum()) for name in side.found.classes},
        "resized": side.resized,
    }
