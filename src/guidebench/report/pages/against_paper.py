"""The paper's numbers against ours: each pair with all that keeps it from being compared."""

import math
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any, NamedTuple

from guidebench.base.cells import Cell
from guidebench.base.choices import DRAWN_REFERENCE
from guidebench.report import words
from guidebench.report.chosen import beside, papers
from guidebench.report.claims.intervals import proportion
from guidebench.report.claims.verdicts import name, times
from guidebench.report.figures.paper_sheets import scored
from guidebench.report.paper import CLASSIFIER, Published, published, unlike
from guidebench.report.tables import EVALUATION, Measure, Tables
from guidebench.report.words import MISSING, distance

# what a metric of ours stands beside: field of the paper's `Numbers`, and its title
BESIDE = {
    "accuracy_guide": ("accuracy", "accuracy, %"),
    "fid": ("fid", "FID"),
    "fd_judge": ("fid", "FID"),
    "cfid": ("cfid", "cFID"),
    "cfd_judge": ("cfid", "cFID"),
}
INCEPTION = ("fid", "cfid")
OVERRIDES = ("sampler", "steps")  # a setup may have its own in the place of the data set's
# what a setup may say and be the paper's: choices of its public code (docs/compat.md)
PUBLIC = {"clip_gradient": "zero", "per_step": "literal"}
CHECKPOINT = "read from a checkpoint"


class Setting(NamedTuple):
    """What the paper says of its experiment, beside ours; `phrase` turns ours into a reason."""

    what: str
    phrase: str
    theirs: str
    ours: str
    alike: bool


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
    lines = [(line.what, line.theirs, line.ours) for line in _made(facts, paper)]
    guides = ", ".join(_architectures(tables, dataset))
    lines += [
        ("guiding classifiers", CLASSIFIER, guides),
        ("their training images", "all", "one half, of those that were trained here"),
    ]
    return words.table(head, lines)


def _made(facts: Mapping[str, Any], paper: Published) -> Iterator[Setting]:
    """All that the paper says of its experiment and the summary of ours."""

    def line(what: str, phrase: str, theirs: object, ours: object) -> Setting:
        return Setting(what, phrase, str(theirs), str(ours), theirs == ours)

    yield line("image size", "{} pixels", paper.size, facts["image_size"])
    target, least = facts["target"], f"{paper.train:,} or more"
    yield Setting("target", "target {}", paper.targets[0], str(target), target in paper.targets)
    enough = facts["train"] >= paper.train
    yield Setting("training images", "{} training images", least, f"{facts['train']:,}", enough)
    theirs = _process("ddpm_linear", paper.timesteps, rescaled=False)
    ours = _process(*(facts[key] for key in ("schedule", "timesteps", "rescaled")))
    yield line("forward process", "{}", theirs, ours)
    yield line("sampling steps", "{} sampling steps", f"{paper.timesteps:,}", f"{facts['steps']:,}")
    yield line("sampler", "sampler {}", "ancestral", facts["sampler"])
    sizes = (_count(paper.parameters), _count(facts["denoiser_parameters"]))
    yield line("denoiser's parameters", "denoiser of {} parameters", *sizes)
    if trained := _training(facts):
        theirs = CHECKPOINT if paper.epochs is None else _epochs(paper.epochs)
        yield line("denoiser's training", "denoiser {}", theirs, trained)
    yield line("samples", "n = {}", f"{paper.n:,}", f"{facts['n_chosen']:,}")


def _process(schedule: str, timesteps: int, rescaled: bool) -> str:
    """The forward process; of T = 1000, rescaled betas are as they are."""
    betas = "times 1000 / T" if rescaled and timesteps != 1000 else "as they are"
    about = f", betas {betas}" if schedule == "ddpm_linear" else ""
    return f"{schedule}, T = {timesteps}{about}"


def _count(parameters: int) -> str:
    return f"{parameters / 1e6:.2f} million" if parameters >= 1e6 else f"{parameters:,}"


def _training(facts: Mapping[str, Any]) -> str:
    """How our denoiser was trained; "" where the summary does not say it."""
    if not facts.get("denoiser_trained", True):
        return CHECKPOINT
    return _epochs(facts["epochs"]) if "epochs" in facts else ""


def _epochs(count: float) -> str:
    return f"trained for {round(count, 1):,g} epochs"


def _architectures(tables: Tables, dataset: str) -> list[str]:
    """Of the classifiers that may guide, each once."""
    known = tables.classifiers[tables.classifiers.dataset == dataset]
    return list(dict.fromkeys(known.architecture[known.classifier != "judge"]))


def _row(tables: Tables, dataset: str, paper: Published, cell: Cell, metric: str) -> list[str]:
    field, title = BESIDE[metric]
    numbers = paper.unguided if cell.scale is None else paper.conditional
    half = "unconditional" if cell.scale is None else f"conditional, scale {paper.scale:g}"
    its = " (the paper's setup)" if cell == papers(tables, dataset) else ""
    its += " (broken)" if tables.is_broken(dataset, cell) else ""
    # as the paper's code measures, where that was done, too
    drawn = tables.measure(dataset, cell, f"{metric}+{DRAWN_REFERENCE}")
    its += ", reference drawn as in the public code" if drawn else ""
    about = [
        f"{title}: table {paper.table}, {half}",
        f"{numbers._asdict()[field]:g}",
        f"{metric} of {name(cell)}{its}",
    ]
    ours = drawn or tables.measure(dataset, cell, metric)
    if ours is None:
        return [*about, MISSING, MISSING, MISSING, "no: not measured"]
    extractor = _extractor(tables, dataset, cell, metric)
    reasons = list(differences(tables, dataset, paper, cell, metric, ours, extractor))
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
    rows = tables.results
    keep = (rows.dataset == dataset) & (rows.setup == cell.setup) & (rows.metric == metric)
    keep &= rows.split == EVALUATION
    # an accuracy says whose it is: where none guides, the clean classifier's
    rater = str(rows.extractor[keep].iloc[0]) if metric == "accuracy_guide" else "judge"
    return Extractor(rater, _architecture(tables, dataset, rater))


def _architecture(tables: Tables, dataset: str, classifier: str) -> str:
    known = tables.classifiers
    built = known.architecture[(known.dataset == dataset) & (known.classifier == classifier)]
    return next(iter(built), "network that is not known")


def differences(
    tables: Tables,
    dataset: str,
    paper: Published,
    cell: Cell,
    metric: str,
    ours: Measure,
    extractor: Extractor,
) -> Iterator[str]:
    """What keeps a number of ours from being compared with the paper's, each in words."""
    facts = tables.facts(dataset)
    setup = facts["setups"][cell.setup]
    yield from _of_cell(tables, dataset, paper, cell)
    own = {key: setup["variant"][key] for key in OVERRIDES if key in setup["variant"]}
    for line in _made(facts | own | {"n_chosen": ours.n}, paper):
        if not line.alike:
            yield f"{line.phrase.format(line.ours)}, the paper's {line.theirs}"
    if reason := unlike(facts):
        yield reason
    if metric == "accuracy_guide":
        if extractor.architecture != CLASSIFIER:
            yield f"rated by a {extractor.architecture}, the paper's is a {CLASSIFIER}"
        if (kind := facts["trained"][extractor.name]) != "clean":
            yield f"rated by a classifier of kind {kind}, the paper's is clean"
        return
    guide = setup["classifier"]
    if guide and (built := _architecture(tables, dataset, guide)) != CLASSIFIER:
        yield f"guided by a {built}, the paper's is a {CLASSIFIER}"
    if metric in INCEPTION:
        yield "the paper's code takes torcheval's Inception-v3, whose weights are others"
    else:
        yield f"features of the {extractor}, the paper's are Inception-v3's: this is no FID"
    if ours.n != paper.n:
        yield "the paper's is not corrected for the bias of its n"
    elif math.isfinite(ours.raw) and ours.raw != ours.value:
        yield "corrected for the bias of n: hold the paper's against the raw value"
    drawn_from_all = f"{paper.n} draws of training images"
    if ours.reference.replace("target-class ", "") != drawn_from_all:
        yield f"from {ours.reference}; the paper's code draws {paper.n:,} of all with replacement"


def _of_cell(tables: Tables, dataset: str, paper: Published, cell: Cell) -> Iterator[str]:
    """How a cell is not what the paper sampled."""
    own = papers(tables, dataset)
    if cell.scale is not None and (own is None or cell.setup != own.setup):
        yield "another setup than the paper's, clean/x0+ema0.99"
    elif cell.scale not in (None, paper.scale):
        yield f"at scale {cell.scale:g}, the paper's {paper.scale:g}"
    for key, value in tables.facts(dataset)["setups"][cell.setup]["variant"].items():
        if key not in (*OVERRIDES, "paper_compat") and (key, value) not in PUBLIC.items():
            yield f"its setup has {key}: {value}, the paper's has not"
    lost = tables.measure(dataset, cell, "diverged")
    if lost and tables.is_broken(dataset, cell):
        yield f"broken: {100 * lost.value:.3g} % of its images diverged"
