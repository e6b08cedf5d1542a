"""The paper's numbers against ours: each pair with all that keeps it from being compared."""

import math
from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

from guidebench.base.cells import Cell
from guidebench.base.choices import DRAWN_REFERENCE
from guidebench.report import words
from guidebench.report.chosen import beside, papers
from guidebench.report.claims.intervals import proportion
from guidebench.report.claims.verdicts import name, times
from guidebench.report.figures.paper_sheets import scored
from guidebench.report.paper import CLASSIFIER, DENOISER, Published, published, unlike
from guidebench.report.tables import EVALUATION, Measure, Tables
from guidebench.report.words import MISSING, distance, number

# what a metric of ours stands beside: field of the paper's `Numbers`, and its title
BESIDE = {
    "accuracy_guide": ("accuracy", "accuracy, %"),
    "fid": ("fid", "FID"),
    "fd_judge": ("fid", "FID"),
    "cfid": ("cfid", "cFID"),
    "cfd_judge": ("cfid", "cFID"),
}
INCEPTION = ("fid", "cfid")
# in the words of a reference that was drawn as the public code draws it
DRAWS = "draws of"


class Extractor(NamedTuple):
    """The network that scored a metric: a classifier by its name, or Inception-v3."""

    name: str
    architecture: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.architecture})" if self.architecture else self.name


def table(tables: Tables, dataset: str) -> dict[str, Any]:
    """Head and rows: each number of the paper's table beside ours; no rows without such a table."""
    head = ["the paper's", "value", "ours", "value", "n", "scored by", "comparable?"]
    paper = published(tables.facts(dataset))
    if paper is None:
        return words.table(head, [])
    pairs = product(beside(tables, dataset), scored(tables, dataset))
    return words.table(head, [_row(tables, dataset, paper, *pair) for pair in pairs])


def settings(tables: Tables, dataset: str) -> dict[str, Any]:
    """Head and rows: how the paper's experiment was made and how ours; no rows as above."""
    facts, paper = tables.facts(dataset), published(tables.facts(dataset))
    head = ["", "the paper", "ours"]
    if paper is None:
        return words.table(head, [])
    betas = "betas times 1000 / T" if facts["rescaled"] else "betas as they are"
    lines = [
        ("image size", f"{paper.size}", str(facts["image_size"])),
        ("target", paper.targets[0], str(facts["target"])),
        ("training images", f"{paper.train:,} or more", f"{facts['train']:,}"),
        (
            "forward process",
            f"ddpm_linear, T = {paper.timesteps}, betas as they are",
            f"{facts['schedule']}, T = {facts['timesteps']}, {betas}",
        ),
        ("sampling steps", f"{paper.timesteps}", f"{facts['steps']} ({facts['sampler']})"),
        ("denoiser's parameters", DENOISER[paper.size], number(facts["denoiser_parameters"])),
        ("guiding classifiers", CLASSIFIER, ", ".join(_architectures(tables, dataset))),
        ("samples", f"{paper.n:,}", f"{facts['n']:,}"),
    ]
    return words.table(head, lines)


def _architectures(tables: Tables, dataset: str) -> list[str]:
    """Of the classifiers that may guide, each once."""
    known = tables.classifiers[tables.classifiers.dataset == dataset]
    return list(dict.fromkeys(known.architecture[known.classifier != "judge"]))


def _row(tables: Tables, dataset: str, paper: Published, cell: Cell, metric: str) -> list[str]:
    field, title = BESIDE[metric]
    numbers = paper.unguided if cell.scale is None else paper.conditional
    half = "unconditional" if cell.scale is None else f"conditional, scale {paper.scale:g}"
    own = papers(tables, dataset)
    its = " (the paper's setup)" if cell == own else ""
    its += " (broken)" if tables.is_broken(dataset, cell) else ""
    about = [
        f"{title}: table {paper.table}, {half}",
        f"{numbers._asdict()[field]:g}",
        f"{metric} of {name(cell)}{its}",
    ]
    # as the paper's code measures, where that was done, too
    ours = tables.measure(dataset, cell, f"{metric}+{DRAWN_REFERENCE}")
    ours = ours or tables.measure(dataset, cell, metric)
    if ours is None:
        return [*about, MISSING, MISSING, MISSING, "no: not measured"]
    extractor = _extractor(tables, dataset, cell, metric)
    reasons = list(differences(tables, dataset, paper, metric, ours, extractor))
    if cell.scale is not None and (own is None or cell.setup != own.setup):
        reasons.insert(0, "another setup than the paper's, clean/x0+ema0.99")
    elif cell.scale not in (None, paper.scale):
        reasons.insert(0, f"at scale {cell.scale:g}, the paper's {paper.scale:g}")
    share = metric == "accuracy_guide"
    return [
        *about,
        str(times(proportion(ours.value, ours.n), 100)) if share else distance(ours),
        f"{ours.n:,}",
        str(extractor),
        f"no: {'; '.join(reasons)}" if reasons else "yes",
    ]


def _extractor(tables: Tables, dataset: str, cell: Cell, metric: str) -> Extractor:
    if metric in INCEPTION:
        return Extractor("Inception-v3 (2015-12-05)")
    rows, known = tables.results, tables.classifiers
    keep = (rows.dataset == dataset) & (rows.setup == cell.setup) & (rows.metric == metric)
    keep &= rows.split == EVALUATION
    # an accuracy says whose it is: where none guides, the clean classifier's
    rater = str(rows.extractor[keep].iloc[0]) if metric == "accuracy_guide" else "judge"
    built = known.architecture[(known.dataset == dataset) & (known.classifier == rater)]
    return Extractor(rater, *map(str, built[:1]))


def differences(
    tables: Tables, dataset: str, paper: Published, metric: str, ours: Measure, extractor: Extractor
) -> Iterator[str]:
    """What keeps a number of ours from being compared with the paper's, each in words."""
    facts = tables.facts(dataset)
    if facts["image_size"] != paper.size:
        yield f"{facts['image_size']} pixels, the paper's {paper.size}"
    if facts["target"] not in paper.targets:
        yield f"target {facts['target']}, the paper's {paper.targets[0]}"
    if reason := unlike(facts):
        yield reason
    if metric == "accuracy_guide":
        if extractor.architecture != CLASSIFIER:
            yield f"rated by a {extractor.architecture}, the paper's is a {CLASSIFIER}"
        return
    if metric in INCEPTION:
        yield "the paper's code takes torcheval's Inception-v3, whose weights are others"
    else:
        yield f"features of the {extractor}, the paper's are Inception-v3's: this is no FID"
    if ours.n != paper.n:
        yield f"n = {ours.n:,}, the paper's {paper.n:,}, and it corrects no bias of n"
    elif math.isfinite(ours.raw) and ours.raw != ours.value:
        yield "corrected for the bias of n: hold the paper's against the raw value"
    if DRAWS not in ours.reference:
        yield f"from {ours.reference}; the paper's code draws {paper.n:,} of all with replacement"
    if facts["train"] < paper.train:
        yield f"{facts['train']:,} training images, the paper's {paper.train:,} or more"
