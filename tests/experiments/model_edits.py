"""Strategies of edits for a tree of config models: one for each key, from its type and range."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple, get_args, get_origin

from hypothesis import strategies as st
from pydantic import BaseModel

from guidebench.pipeline.experiment.type_words import models as sections_of

SPREAD = 8  # values of an open range, from its lower end
EXTREME = [1e-30, 1e30]  # and of an open range of numbers, also these
DROP = object()


class Edit(NamedTuple):
    """One key, set to a value; `DROP`: taken out."""

    path: tuple[str, ...]
    value: Any


class Tables(NamedTuple):
    """What no type says: new sections, names of entries, and values of some keys by name."""

    sections: Mapping[type[BaseModel], dict[str, Any]]
    names: list[str]
    values: Mapping[str, list[Any]]


def edits(
    model: type[BaseModel], values: dict[str, Any], tables: Tables, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, st.SearchStrategy[Edit]]]:
    """Keys of a section with these values, and of the sections in it, each with a strategy."""
    for name, field in model.model_fields.items():
        here, found, annotation = (*path, name), values.get(name), field.annotation
        origin, arguments = get_origin(annotation), get_args(annotation)
        inner = sections_of(annotation)
        if origin in (dict, list) and (entry := sections_of(arguments[-1])):
            if origin is list:
                section = _section(entry[0], tables)
                yield name, _set(here, st.lists(section, min_size=1, max_size=3))
                continue
            new, names = tables.sections.get(entry[0], {}), st.sampled_from(tables.names)
            yield name, st.builds(Edit, st.tuples(*map(st.just, here), names), st.just(new))
            for key in found or {}:
                yield name, st.just(Edit((*here, key), DROP))
                yield from edits(entry[0], found[key], tables, (*here, key))
        elif inner:
            optional = type(None) in arguments
            if len(inner) > 1 or optional:
                others = [tables.sections[one] for one in inner if one in tables.sections]
                yield name, _set(here, st.sampled_from([*others, *[None] * optional]))
            if found is not None or not optional:
                yield from edits(_meant(inner, found or {}), found or {}, tables, here)
        else:
            yield name, _set(here, _value(annotation, field.metadata, name, tables))


def _set(path: tuple[str, ...], value: st.SearchStrategy[Any]) -> st.SearchStrategy[Edit]:
    return value.map(lambda drawn: Edit(path, drawn))


def _meant(options: list[type[BaseModel]], found: dict[str, Any]) -> type[BaseModel]:
    """The member of a union that a section's tag names; the one of any name comes last."""
    for option in options:
        tag = "source" if "source" in option.model_fields else "name"
        if len(options) > 1 and found.get(tag) in get_args(option.model_fields[tag].annotation):
            return option
    return options[-1] if "source" in options[-1].model_fields else options[0]


def _section(model: type[BaseModel], tables: Tables) -> st.SearchStrategy[dict[str, Any]]:
    """A whole section with each of its keys left out or drawn."""
    optional = {
        name: _value(field.annotation, field.metadata, name, tables)
        for name, field in model.model_fields.items()
    }
    drawn = st.fixed_dictionaries({}, optional=optional)
    return drawn.map(lambda keys: tables.sections[model] | keys)


def _value(
    annotation: Any, metadata: list[Any], name: str, tables: Tables
) -> st.SearchStrategy[Any]:
    """Values of one type; those of `tables` where the key or a kind of it has some."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if hasattr(annotation, "__metadata__"):
        inside = [*annotation.__metadata__, *metadata]
        return _value(annotation.__origin__, inside, name, tables)
    known = tables.values.get(name)
    if origin is Literal:
        return st.sampled_from([one for one in arguments if one in (known or ())] or arguments)
    if known and (origin in (list, dict) or annotation in (str, int, float, bool)):
        return st.sampled_from(known)
    if origin is list:
        least = max((getattr(item, "min_length", None) or 0 for item in metadata), default=0)
        return st.lists(_value(arguments[0], [], name, tables), min_size=least, max_size=3)
    if origin is tuple:
        return st.tuples(*(_value(item, [], name, tables) for item in arguments)).map(list)
    if origin is dict:
        return st.dictionaries(
            st.sampled_from(tables.names), _value(arguments[1], [], name, tables), max_size=1
        )
    if arguments:
        return st.one_of(*(_value(item, [], name, tables) for item in arguments))
    plain = {bool: st.booleans(), str: st.sampled_from(tables.names), type(None): st.none()}
    return plain[annotation] if annotation in plain else _number(annotation, metadata)


def _number(kind: type, metadata: list[Any]) -> st.SearchStrategy[Any]:
    inner = [one for item in metadata for one in getattr(item, "metadata", [item])]
    limits = {
        key: value
        for one in inner
        for key in ("ge", "gt", "le", "lt")
        if (value := getattr(one, key, None)) is not None
    }
    low = limits.get("ge", limits.get("gt", 0 if kind is int else -SPREAD))
    high = limits.get("le", limits.get("lt"))
    if kind is int:
        low += "gt" in limits
        return st.integers(low, min(low + SPREAD, low + SPREAD if high is None else high))
    usual = st.floats(
        low,
        low + SPREAD if high is None else high,
        exclude_min="gt" in limits,
        exclude_max="lt" in limits,
        allow_subnormal=False,
    )
    return usual if high is not None else usual | st.sampled_from(EXTREME)
