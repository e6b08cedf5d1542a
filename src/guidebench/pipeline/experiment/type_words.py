"""Types and ranges of config keys in words: for messages about mistakes and for docs/config.md."""

from collections.abc import Iterable, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

LEAVES = {int: "integer", float: "number", str: "text", bool: "true or false", NoneType: "null"}
PLURALS = {
    "integer": "integers",
    "number": "numbers",
    "text": "texts",
    "choice": "choices",
    "name": "names",
}
BOUNDS = {
    "ge": "at least {}",
    "gt": "above {}",
    "le": "at most {}",
    "lt": "below {}",
    "min_length": "at least {} of them",
}


class Words(NamedTuple):
    """One kind of value that a key takes, and its range (empty: any)."""

    kind: str
    limits: str

    def __str__(self) -> str:
        if self.kind in ("choice", "name"):
            return self.limits
        return f"{self.kind}, {self.limits}" if self.limits else self.kind


def alternatives(entries: list[Words]) -> str:
    """What a key takes, in one phrase."""
    choices = [str(entry) for entry in entries if entry.kind in ("choice", "name")]
    types = [str(entry) for entry in entries if entry.kind not in ("choice", "name")]
    return " or ".join(filter(None, (", ".join(choices), *types)))


def models(annotation: Any) -> list[type[BaseModel]]:
    """The config models among the alternatives of an annotation."""
    options = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else [annotation]
    return [item for item in options if isinstance(item, type) and issubclass(item, BaseModel)]


def of_field(field: FieldInfo) -> list[Words]:
    """What a key of a config model takes: one entry per alternative."""
    return words(field.annotation, [field])


def words(annotation: Any, metadata: Sequence[Any] = ()) -> list[Words]:
    """What an annotation takes: one entry per alternative of a union."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return words(arguments[0], [*arguments[1:], *metadata])
    if origin in (Union, UnionType):
        # a range of the whole is one of its numbers: null and choices have none
        entries = [entry for argument in arguments for entry in words(argument, metadata)]
        return list(dict.fromkeys(entries))
    limits, title = _limits(metadata)
    if title:
        return [Words("name", title)]
    if origin is Literal:
        return [Words("choice", ", ".join(str(argument) for argument in arguments))]
    if origin is list:
        (inner,) = words(arguments[0])
        kind = f"list of {PLURALS.get(inner.kind, inner.kind)}"
        each = f"each {inner.limits}" if inner.limits else ""
        return [Words(kind, ", ".join(filter(None, (each, limits))))]
    if origin is tuple:
        (inner,) = words(arguments[0])
        kind = f"list of {len(arguments)} {PLURALS[inner.kind]}"
        return [Words(kind, f"each {inner.limits}" if inner.limits else "")]
    if origin is dict:
        inner_kinds = alternatives(words(arguments[1]))
        return [Words(f"named entries, each: {inner_kinds}", limits)]
    return [Words(LEAVES.get(annotation, "keys and values"), limits * (annotation is not NoneType))]


def _limits(metadata: Iterable[Any]) -> tuple[str, str]:
    """Bounds in words, and the title, which says a pattern in words."""
    bounds, title = [], ""
    for item in metadata:
        if isinstance(item, FieldInfo):
            inner, inner_title = _limits(item.metadata)
            bounds.append(inner)
            title = item.title or inner_title or title
        bounds += [
            text.format(getattr(item, name))
            for name, text in BOUNDS.items()
            if getattr(item, name, None) is not None
        ]
    return " and ".join(filter(None, bounds)), title
