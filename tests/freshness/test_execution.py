"""What decides whether a result is stale is what ran for it: proved by tracing every stage."""

import ast
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from executed import executed  # noqa: F401
from tracing import PACKAGE, Key, Traced

from guidebench.pipeline import recording
from guidebench.pipeline.experiment.config import Config, OwnMetric
from guidebench.pipeline.experiment.sections import Model
from guidebench.pipeline.jobs import freshness, kept_keys, listing
from guidebench.pipeline.jobs.layout import Job
from guidebench.pipeline.jobs.listing import manifest
from guidebench.pipeline.records import code
from guidebench.pipeline.records.artifacts import canonical, read_json

DRAWN = 60
SEED = 2026
SWAPPED = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Pow: ast.Mult,
    ast.Mod: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.USub: ast.UAdd,
}


def functions(names: set[str]) -> set[str]:
    """Functions and lambdas of a record, without packages and entries that are no lambdas."""
    return {name for name in names if ":" in name and "[" not in name}


def recorded(executed: Traced, path: Path) -> set[str]:
    return set(code.kept(executed.layout.root, read_json(path)["code"]))


def test_every_function_that_a_job_runs_is_in_its_record(executed: Traced) -> None:
    """And nothing else is: of `pipeline/`, which carries no number, there is nothing in it."""
    for job, ran in executed.jobs.items():
        names = recorded(executed, manifest(executed.layout, job))
        assert functions(names) == functions(ran), job
        assert ran <= names, job


def test_every_function_that_a_cell_runs_is_in_its_record(executed: Traced) -> None:
    assert len(executed.cells) == 2 * 8
    for path, ran in executed.cells.items():
        names = recorded(executed, path.with_suffix(".cell.json"))
        assert functions(names) == functions(ran), path
        assert ran <= names, path


def other(value: Any) -> Any:
    """Another value than this one, whether it is allowed or not."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return value + "!"
        case list() | tuple():
            return [*value, 1]
        case dict():
            return value | {"new": 1}
    return 1


# what other sections are looked up by, and sections by name
NAMED = {
    "classifier": "judge",
    "own": {"new": OwnMetric(name="json:loads")},
    "paper_compat": ["clean_at_zero"],  # which acts on every classifier
    "sampler": "dpmpp_2m",
}


def with_another(config: Config, key: Key) -> Config:
    """A copy of the config in which one key has another value."""
    copied = config.model_copy(deep=True)
    *above, name = key
    section: Any = copied
    for step in above:
        if isinstance(section, Model):
            section = getattr(section, step)
        else:
            section = section[int(step) if isinstance(section, list) else step]
    section.__dict__[name] = NAMED.get(name) or other(section.__dict__[name])
    return copied


def known_otherwise(job: Job, key: Key) -> bool:
    """Whether a key acts through files that the job reads, or on no result at all."""
    prepares = job.stage == "prepare"
    data = key[2:3] == ("data",) and (not prepares or key[-1] in kept_keys.PLACES)
    weights = key == ("metrics", "inception", "weights")
    check = prepares and key[-1] == "target"  # of which there must be enough images
    return data or weights or check or key[-1] in kept_keys.RUNTIME_KEYS


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
def test_every_key_that_a_job_reads_for_a_number_is_in_its_slice(executed: Traced) -> None:
    read = [
        (job, key)
        for job, keys in executed.keys.items()
        for key in sorted(keys)
        if not known_otherwise(job, key)
    ]
    assert len(read) > 300
    specs = {job: canonical(listing.spec(executed.config, job)) for job in executed.keys}
    others = {key: with_another(executed.config, key) for _, key in read}
    unnoticed = [
        f"{job.stage} {job.name} reads {'.'.join(key)}"
        for job, key in read
        if canonical(listing.spec(others[key], job)) == specs[job]
    ]
    assert unnoticed == []


def science() -> Iterator[tuple[str, str, str]]:
    """(module, function, source) of every function outside of `pipeline/`."""
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).with_suffix("").parts
        module = ".".join(["guidebench", *(part for part in place if part != "__init__")])
        if recording.recorded(module):
            source = path.read_text()
            for name, _ in recording.functions(ast.parse(source).body):
                yield module, name, source


def mutated(source: str, function: str, chance: random.Random) -> str | None:
    """The module with one number or operator of the function changed; None if it has none."""
    tree = ast.parse(source)
    node = next(node for name, node in recording.functions(tree.body) if name == function)
    places: list[ast.AST] = []
    for statement in [*node.body, *node.args.defaults]:
        for inner in ast.walk(statement):
            number = isinstance(inner, ast.Constant) and type(inner.value) in (int, float)
            swaps = type(getattr(inner, "op", None)) in SWAPPED
            compares = isinstance(inner, ast.Compare) and type(inner.ops[0]) in SWAPPED
            if number or swaps or compares:
                places.append(inner)
    if not places:
        return None
    place = chance.choice(places)
    if isinstance(place, ast.Constant):
        place.value = place.value + 1  # type: ignore[operator]
    elif isinstance(place, ast.Compare):
        place.ops[0] = SWAPPED[type(place.ops[0])]()
    else:
        place.op = SWAPPED[type(place.op)]()  # type: ignore[attr-defined]
    return ast.unparse(tree)


def drawn() -> list[tuple[str, str, str]]:
    """(module, function, the module with that function changed) of functions drawn at random."""
    chance = random.Random(SEED)
    every = sorted(science())
    found = []
    for module, function, source in chance.sample(every, len(every)):
        if changed := mutated(source, function, chance):
            found.append((module, function, changed))
            if len(found) == DRAWN:
                break
    return found


@pytest.mark.parametrize(
    ("module", "function", "source"),
    [pytest.param(*case, id=f"{recording.module_name(case[0])}:{case[1]}") for case in drawn()],
)
def test_exactly_the_jobs_and_cells_that_run_a_changed_function_are_stale(
    module: str, function: str, source: str, executed: Traced, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"{recording.module_name(module)}:{function}"
    monkeypatch.setitem(recording.sources, module, source)
    code.forget()
    try:
        stale = freshness.stale(executed.config, executed.layout)
        for job, ran in executed.jobs.items():
            changed = stale.get(job, "").startswith("changed: the code of")
            assert changed == (name in ran), f"{job}: {stale.get(job)}"
        for path, ran in executed.cells.items():
            entry = read_json(path.with_suffix(".cell.json"))
            assert bool(code.changed(executed.layout.root, entry["code"])) == (name in ran), path
    finally:
        monkeypatch.undo()
        code.forget()


# text that is added at the end of a module: what its names stand for is another thing then
REBOUND = {
    "a function wrapped after its definition": (
        "diffusion.samplers",
        "def halved(s):\n    return lambda *a, **k: s(*a, **k) / 2\n\n\nheun = halved(heun)\n",
    ),
    "a class replaced": ("diffusion.schedules", "DDPMLinear = type('D', (DDPMLinear,), {})\n"),
    "an imported name replaced": ("guidance.gradients", "to_eps_x0 = lambda *a: a\n"),
    "a loop that fills": (
        "data.balls",
        "for _k in list(SURFACES):\n    SURFACES[_k] = basketball\n",
    ),
    "an update": ("data.balls", "SURFACES.update({z: basketball for z in SURFACES})\n"),
    "a table extended": ("diffusion.samplers", "SAMPLERS |= {'heun': ddim}\n"),
    "an effect of an import": (
        "diffusion",
        "import torch\n\ntorch.set_default_dtype(torch.float64)\n",
    ),
    "an effect of the package": ("", "import numpy\n\nnumpy.seterr(all='ignore')\n"),
}


@pytest.mark.parametrize("edit", REBOUND)
def test_what_names_stand_for_counts(
    edit: str, executed: Traced, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, added = REBOUND[edit]
    module = f"guidebench.{place}".rstrip(".")
    path = PACKAGE.joinpath(*place.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    monkeypatch.setitem(recording.sources, module, path.read_text() + "\n\n" + added)
    code.forget()
    try:
        stale = freshness.stale(executed.config, executed.layout)
        assert any(reason.startswith("changed: the code of") for reason in stale.values())
    finally:
        monkeypatch.undo()
        code.forget()
