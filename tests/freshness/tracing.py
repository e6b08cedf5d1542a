"""Which functions of the package run, by Python's own tracing: nothing of `recording` is asked."""

import ast
import sys
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import guidebench
from guidebench.pipeline.experiment.config import Config
from guidebench.pipeline.jobs.layout import Job, Layout

PACKAGE = Path(guidebench.__file__).parent


class Traced(NamedTuple):
    """A finished experiment, and the functions that each of its jobs and cells ran."""

    config: Config
    layout: Layout
    jobs: dict[Job, set[str]]
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


def run_traced(config: Any, job: Job, layout: Any) -> set[str]:
    """Run a stage and say which functions it ran."""
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

    return traced(work)
