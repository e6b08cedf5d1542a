"""Writes docs/config.md: `python -m guidebench.pipeline.experiment.reference`."""

import inspect
import json
import sys
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from guidebench.pipeline.experiment.config import Config
from guidebench.pipeline.experiment.type_words import models, of_field

HEAD = """\
# Every key of an experiment file

Written by `python -m guidebench.pipeline.experiment.reference > docs/config.md` from the models in
`src/guidebench/pipeline/experiment/`; a test keeps the two equal. A key that is left out takes its
default.
`guidebench validate --config FILE` reports every mistake in a file at once, `--set KEY.PATH=VALUE`
overrides one key of it, and [`config.yaml`](../config.yaml) shows most keys at work. Integers and
numbers are not taken from text or from `true` and `false`; numbers are finite. Files and `--set`
are read as YAML 1.2: `0100` is a hundred, `1:30`, `1_000`, `yes` and `no` are text.

A file may begin with `base: OTHER.yaml`, a path beside it: its keys are then laid over those of the
other file, section by section, a `target` as one value (`mnist_cfg_full.yaml` is an example). What
stands in a section `defaults`, in either of them, is laid under each data set
(`shared/paper64.yaml`).
"""


def document() -> str:
    """The whole page: one table per section."""
    sections = [_section(path, model) for path, model in _tree("", Config)]
    return "\n".join([HEAD, *sections])


def _tree(path: str, model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    """Every section with its key path, parents first; named entries are `<name>`."""
    yield path, model
    for key, field in model.model_fields.items():
        below = f"{path}.{key}".lstrip(".")
        entries = [model for argument in get_args(field.annotation) for model in models(argument)]
        for inner in models(field.annotation):
            yield from _tree(below, inner)
        if entries and not models(field.annotation):
            for inner in entries:
                yield from _tree(f"{below}.<name>", inner)


def _section(path: str, model: type[BaseModel]) -> str:
    rows = [_row(key, field) for key, field in model.model_fields.items()]
    # each source has a section `data`, each schedule one of its own: the heading tells them apart
    tag = "source" if "source" in model.model_fields else "name"
    field = model.model_fields.get(tag) if path.endswith((".data", ".schedule")) else None
    choice = f" ({tag}: {', '.join(str(entry) for entry in of_field(field))})" if field else ""
    title = f"`{path}`{choice}" if path else "Top level"
    lines = [
        f"## {title}",
        "",
        inspect.cleandoc(model.__doc__ or ""),
        "",
        "| key | type | default | allowed | meaning |",
        "| --- | --- | --- | --- | --- |",
        *rows,
        "",
    ]
    return "\n".join(lines)


def _row(key: str, field: FieldInfo) -> str:
    entries = of_field(field)
    if field.title:
        kinds, limits = "text", field.title
    else:
        kinds = " or ".join(
            dict.fromkeys("text" if entry.kind == "name" else entry.kind for entry in entries)
        )
        limits = "; ".join(entry.limits for entry in entries if entry.limits) or "any"
    cells = (f"`{key}`", kinds, _default(field), limits, field.description or "")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        default: Any = field.default_factory()  # type: ignore[call-arg]
        return "as below" if isinstance(default, BaseModel) else "empty"
    if field.default is PydanticUndefined:
        return "required"
    return f"`{json.dumps(field.default)}`"


if __name__ == "__main__":
    sys.stdout.write(document())
