"""Reading an experiment: every mistake in it, one line each, before anything runs."""

from __future__ import annotations

import copy
import difflib
import json
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment import misspelt_overrides
from guidebench.pipeline.experiment.config import Config
from guidebench.pipeline.experiment.consistency import mistakes
from guidebench.pipeline.experiment.type_words import Words, alternatives, models, of_field, words
from guidebench.pipeline.experiment.variations import expanded
from guidebench.pipeline.experiment.yaml12 import parse


def load(path: str, settings: list[str] | None = None) -> Config:
    """Read a config file, apply `key.path=value` settings, check everything, and expand setups.

    Raises UserError with one line per mistake: file, key path, what was found, what is allowed.
    """
    values, base = _read(Path(path))
    below = copy.deepcopy(_read(base)[0] if base else values)
    where = f"{path} (over {base})" if base else path
    if not isinstance(shared := values.get("defaults", {}), dict):
        raise UserError(f"{where}: defaults: found {shared}, allowed: keys of a data set")
    values, below = _spread(values, values), _spread(below, values)
    for setting in settings or []:
        key, separator, value = setting.partition("=")
        if not separator:
            raise UserError(f"--set {setting}: allowed: key.path=value")
        _assign(values, key, parse(value, f"--set {key}"))
    try:
        # strict JSON mode: tuples from lists, but no number from a string and no int from a bool
        config = Config.model_validate_json(json.dumps(values))
        lines = mistakes(config)
    except ValidationError as error:
        lines = _structure(error, values)
    if lines:
        lines = misspelt_overrides.explained(lines, below, values, str(base or path))
        raise UserError("\n".join(f"{where}: {line}" for line in lines))
    return expanded(config)


def _read(path: Path, above: tuple[Path, ...] = ()) -> tuple[dict[str, Any], Path | None]:
    """A file's keys, laid over those of its `base`, a path beside it; and that base."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: cannot be read (byte {error.start} is not UTF-8)") from error
    values = parse(text, str(path))
    if not isinstance(values, dict):
        content = "an empty file" if values is None else type(values).__name__
        raise UserError(f"{path}: found {content}, allowed: a mapping of keys, see docs/config.md")
    if "base" not in values:
        return values, None
    name, above = str(values.pop("base")), (*above, path.resolve())
    base = path.parent / name
    if base.resolve() in above or not base.is_file():
        raise UserError(f"{path}: base: found {name}, allowed: another experiment file")
    return _over(_read(base, above)[0], values), base


def _over(
    below: dict[str, Any], above: dict[str, Any], place: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Sections, at a `place`, are merged key by key; everything else is replaced."""
    # a data set's target is one value, though {Male: false} is written as a mapping
    whole = {"target"} if place == ("defaults",) or place[:-1] == ("datasets",) else set()
    both = {
        key: _over(below[key], value, (*place, key))
        if isinstance(value, dict) and isinstance(below.get(key), dict) and key not in whole
        else value
        for key, value in above.items()
    }
    return below | both


def _spread(values: dict[str, Any], named: dict[str, Any]) -> dict[str, Any]:
    """The keys with `defaults` laid under each of the data sets that `named` has."""
    if "defaults" not in values:
        return values
    rest = {key: value for key, value in values.items() if key != "defaults"}
    sets = named.get("datasets")
    names = sets if isinstance(sets, dict) else {}
    under = {name: copy.deepcopy(values["defaults"]) for name in names}
    return _over({"datasets": under}, rest)


def _assign(values: dict[str, Any], path: str, value: Any) -> None:
    """Set the key at a dotted path; names such as `clean/x0+ema0.9` may hold dots themselves."""
    rest = path
    while "." in rest and rest not in values:
        prefixes = [key for key in values if rest.startswith(f"{key}.")]
        key = max(prefixes, key=len) if prefixes else rest.partition(".")[0]
        values, rest = values.setdefault(key, {}), rest[len(key) + 1 :]
        if not isinstance(values, dict):
            raise UserError(
                f"--set {path}: found a value at {path[: -len(rest) - 1]}, allowed: a "
                "section of keys"
            )
    values[rest] = value


class _Place(NamedTuple):
    """Where a mistake is: the key's path and value, what it takes, and the section it is in."""

    path: str
    value: Any
    allowed: list[Words]
    section: type[BaseModel] | None


def _structure(error: ValidationError, values: Any) -> list[str]:
    """One line per mistake that pydantic reports, but for those in models that are not meant."""
    lines: dict[str, str] = {}
    for item in error.errors(include_url=False):
        place = _place(item["loc"], values)
        if place is None or place.path in lines:
            continue
        allowed = alternatives(place.allowed)
        if item["type"] == "extra_forbidden" and place.section:
            keys = list(place.section.model_fields)
            near = difflib.get_close_matches(str(item["loc"][-1]), keys, 1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            text = f"unknown key{hint}; allowed: {', '.join(keys)}"
        elif place.value is _MISSING:
            text = f"found nothing, though the key is required; allowed: {allowed}"
        else:
            allowed = f"finite {allowed}" if item["type"] == "finite_number" else allowed
            value = json.dumps(place.value)
            value = value if len(value) <= 60 else value[:57] + "..."
            number = isinstance(place.value, bool | int | float)
            quote = number and {"text", "name"} & {entry.kind for entry in place.allowed}
            text = f"found {value}, allowed: {allowed}" + (" (in quotes)" if quote else "")
        lines[place.path] = f"{place.path}: {text}"
    return list(lines.values()) or [str(error).splitlines()[0]]


_MISSING = object()


def _place(location: tuple[int | str, ...], values: Any) -> _Place | None:
    """Follow pydantic's location down the model; None in a model of a union that is not meant."""
    annotation: Any = Config
    section, path, allowed = None, "", [Words("keys and values", "")]
    for key in location:
        options = models(annotation)
        if len(options) > 1:
            chosen = _meant(options, values)
            if chosen is None:
                if not isinstance(values, dict):
                    break
                tag = _tag(options[0])
                fields = [option.model_fields[tag] for option in options]
                allowed = [entry for field in fields for entry in of_field(field)]
                return _Place(f"{path}.{tag}", values.get(tag, _MISSING), allowed, None)
            if key != chosen.__name__:  # here the location names the model that pydantic tried
                return None
            annotation = chosen
            continue
        field: FieldInfo | None = None
        section = options[0] if options else None
        if section:
            field = section.model_fields.get(str(key))
            annotation = field.annotation if field else None
        elif get_origin(annotation) in (dict, list):
            annotation = get_args(annotation)[-1]
        else:
            break  # inside a tuple or a union of plain values: the key itself is named
        path = f"{path}.{key}".lstrip(".")
        values = _item(values, key)
        allowed = of_field(field) if field else words(annotation)
    return _Place(path, values, allowed, section)


def _item(values: Any, key: int | str) -> Any:
    try:
        return values[key]
    except (KeyError, IndexError, TypeError):
        return _MISSING


def _tag(option: type[BaseModel]) -> str:
    """The key by which models of a union differ: `source` of data, `name` of a schedule."""
    return "source" if "source" in option.model_fields else "name"


def _meant(options: list[type[BaseModel]], values: Any) -> type[BaseModel] | None:
    """The model of a union that the value of the tag names; None: it names none."""
    for option in options:
        field = option.model_fields[_tag(option)]
        default = None if field.is_required() else field.default
        name = values.get(_tag(option), default) if isinstance(values, dict) else None
        choices = get_args(field.annotation)
        if name in choices or (not choices and ":" in str(name)):
            return option
    return None
