"""Which functions of the package run, by Python's own tracing: nothing of `recording` is asked."""

import ast
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import guidebench
from guidebench.pipeline.experiment.config import Config
from guidebench.pipeline.experiment.sections import Model
from guidebench.pipeline.jobs.layout import Job, Layout

PACKAGE = Path(guidebench.__file__).parent
# `workload` reads the counts of all blocks to say what one block is, which the slices hold
UNCOUNTED = [PACKAGE / "pipeline", PACKAGE / "workload.py"]

Key = tuple[str, ...]  # where a value stands in the config


class Traced(NamedTuple):
    """A finished experiment, and the functions that each of its jobs and cells ran."""

    config: Config
    layout: Layout
    jobs: dict[Job, set[str]]
    keys: dict[Job, set[Key]]  # of the config, read for a number
    cells: dict[Path, set[str]]  # by the cell's file


def traced(work: Callable[[], Any]) -> set[str]:
    """Names (`diffusion.samplers:heun`) of the functions that `work` calls, outside `pipeline/`.

    A function inside a function counts as that; a lambda in a table of methods as its entry.
    """
    codes = set()

    def note(frame: FrameType, event: str, _: Any) -> None:
        codes.add(frame.f_code)

    threading.settrace(note)
    sys.settrace(note)
    try:
        work()
    finally:
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]
    names = set()
    for code in codes:
        path = Path(code.co_filename)
        # a template is no module: it counts with the function that names it
        if (
            path.suffix != ".py"
            or not path.is_relative_to(PACKAGE)
            or path.is_relative_to(PACKAGE / "pipeline")
        ):
            continue
        place = path.relative_to(PACKAGE).with_suffix("").parts
        module = ".".join(part for part in place if part != "__init__")
        name = code.co_qualname.split(".<locals>")[0]
        if name == "<lambda>":
            # any other one stands in a constant, which counts with its text where it is named
            name = lambdas(path).get(code.co_firstlineno, name)
        if not name.startswith("<"):
            names.add(f"{module}:{name}")
    return names


@cache
def lambdas(path: Path) -> dict[int, str]:
    """Line -> `TABLE[entry]` of the lambdas in a module's tables of methods."""
    found = {}
    for statement in ast.parse(path.read_text()).body:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and isinstance(
            statement.value, ast.Call
        ):
            for keyword in statement.value.keywords:
                for node in ast.walk(keyword.value):
                    if isinstance(node, ast.Lambda):
                        table = getattr(statement, "target", None) or statement.targets[0]
                        assert isinstance(table, ast.Name)
                        found[node.lineno] = f"{table.id}[{keyword.arg}]"
    return found


def entries(value: Any) -> dict[str, Any]:
    """What a dict or list of sections holds, or a section by no name."""
    if isinstance(value, list):
        value = {str(number): entry for number, entry in enumerate(value)}
    found = value if isinstance(value, dict) else {"": value}
    return {key: entry for key, entry in found.items() if isinstance(entry, Model)}


def sections(section: Model, place: Key = ()) -> Iterator[tuple[Key, Model]]:
    """A section and all within it, each with its place."""
    yield place, section
    for name, value in section:
        for key, entry in entries(value).items():
            yield from sections(entry, (*place, name, *([key] if key else [])))


@contextmanager
def noted(config: Config) -> Iterator[set[Key]]:
    """The keys of the config that functions outside `pipeline/` read inside."""
    places = {id(section): place for place, section in sections(config)}
    keys: set[Key] = set()

    def read(section: Model, name: str) -> Any:
        value = object.__getattribute__(section, name)
        path = Path(sys._getframe(1).f_code.co_filename)
        of_ours = path.is_relative_to(PACKAGE) and not any(map(path.is_relative_to, UNCOUNTED))
        if of_ours and id(section) in places and name in type(section).model_fields:
            if not entries(value):
                keys.add((*places[id(section)], name))
        return value

    Model.__getattribute__ = read  # type: ignore[method-assign]
    try:
        yield keys
    finally:
        del Model.__getattribute__


def run_traced(config: Any, job: Job, layout: Any) -> tuple[set[str], set[Key]]:
    """Run a stage and say which functions it ran, and which keys of the config these read."""
    import importlib

    from guidebench.pipeline import recording
    from guidebench.pipeline.records.events import Events
    from guidebench.stages.stage import Stage

    module = importlib.import_module(f"guidebench.stages.{job.stage}")
    recording.ran.clear()
    events = Events(layout.events(job.stage, job.name), job.stage, job.name)
    events.start({}, {})

    def work() -> None:
        stage = Stage(config, job, layout, events)
        stage.spec, stage.inputs  # noqa: B018  # as `run_stage` begins
        module.run(stage)

    with noted(config) as keys:
        return traced(work), keys
