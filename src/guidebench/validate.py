"""Reading an experiment: every mistake in it, one line each, before anything runs."""

from __future__ import annotations

import difflib
import json
import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from guidebench.config import (
    DIGITS,
    FASHION,
    SPORT_BALLS,
    CelebaData,
    Config,
    CustomData,
    Dataset,
    IdxData,
    SportBallsData,
)
from guidebench.errors import UserError


class _Loader(yaml.SafeLoader):
    """YAML with duplicate keys refused and 1e-4 read as a number."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.MarkedYAMLError(problem=f"key {key!r} twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def parse(text: str, name: str) -> Any:
    """YAML text to plain values; UserError that names the file and the line."""
    try:
        return yaml.load(text, _Loader)  # noqa: S506 (a SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise UserError(f"{name}: line {line}: not valid YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise UserError(f"{name}: not valid YAML: {str(error).splitlines()[0]}") from error


def load(path: str, settings: list[str] | None = None) -> Config:
    """Read a config file, apply `key.path=value` settings, and check everything.

    Raises UserError with one line per mistake: file, key path, what was found, what is allowed.
    """
    try:
        values = parse(Path(path).read_text(), path)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error
    if not isinstance(values, dict):
        raise UserError(f"{path}: found {type(values).__name__}, allowed: a mapping of keys")
    for setting in settings or []:
        key, separator, value = setting.partition("=")
        if not separator:
            raise UserError(f"--set {setting}: allowed: key.path=value")
        _assign(values, key.split("."), parse(value, f"--set {key}"))
    try:
        # strict JSON mode: tuples from lists, but no number from a string and no int from a bool
        config = Config.model_validate_json(json.dumps(values, default=str))
    except ValidationError as error:
        raise UserError("\n".join(f"{path}: {line}" for line in _structure(error, values))) from None
    if lines := mistakes(config):
        raise UserError("\n".join(f"{path}: {line}" for line in lines))
    return config


def _assign(values: dict[str, Any], keys: list[str], value: Any) -> None:
    for depth, key in enumerate(keys[:-1]):
        values = values.setdefault(key, {})
        if not isinstance(values, dict):
            raise UserError(f"--set {'.'.join(keys)}: {'.'.join(keys[: depth + 1])} is a value")
    values[keys[-1]] = value


_UNION_TAGS = {"SportBallsData", "IdxData", "CelebaData", "CustomData", "str", "int", "dict[str,bool]"}


def _structure(error: ValidationError, values: Any) -> list[str]:
    """One line per structural mistake, without the branches of a union that were not meant."""
    lines: dict[str, str] = {}
    for item in error.errors(include_url=False):
        tag = next((str(part) for part in item["loc"] if str(part) in _UNION_TAGS), None)
        location = [part for part in item["loc"] if str(part) not in _UNION_TAGS]
        if tag and tag.endswith("Data") and not _meant(tag, values, location):
            continue
        key = ".".join(str(part) for part in location)
        found = json.dumps(item["input"], default=str)
        found = found if len(found) <= 60 else found[:57] + "..."
        if item["type"] == "extra_forbidden":
            allowed = _allowed_keys(location[:-1], tag)
            near = difflib.get_close_matches(str(location[-1]), allowed, 1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            lines[key] = f"{key}: unknown key{hint}; allowed: {', '.join(allowed)}"
        elif item["type"] == "missing":
            lines[key] = f"{key}: missing; this key is required"
        else:
            message = item["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
            previous = lines.get(key, "")
            lines[key] = f"{previous} or {message}" if previous else (
                f"{key}: found {found}, allowed: {message}")  # fmt: skip
    return list(lines.values()) or [str(error).splitlines()[0]]


def _meant(tag: str, values: Any, location: list[Any]) -> bool:
    """Whether `datasets.<name>.data` is of the kind whose branch complains."""
    try:
        source = values[location[0]][location[1]]["data"]["source"]
    except (KeyError, TypeError):
        return tag == "SportBallsData"
    known = {"sportballs": "SportBallsData", "mnist": "IdxData", "fashion_mnist": "IdxData",
             "celeba": "CelebaData"}  # fmt: skip
    custom = "CustomData" if ":" in str(source) else None
    if custom is None and source not in known:
        return location[-1] == "source"
    return tag == (custom or known[source])


def _allowed_keys(location: list[Any], tag: str | None) -> list[str]:
    model: Any = Config
    for part in location:
        annotation = model.model_fields[part].annotation if part in getattr(
            model, "model_fields", {}) else None  # fmt: skip
        arguments = getattr(annotation, "__args__", ())
        models = [a for a in (annotation, *arguments)
                  if isinstance(a, type) and issubclass(a, BaseModel)]  # fmt: skip
        model = next((m for m in models if m.__name__ == tag), models[0] if models else model)
    return list(model.model_fields)


def classes(data: object) -> list[str]:
    """Class names of a data set, known before it is prepared; empty when it has no labels."""
    if isinstance(data, SportBallsData):
        return SPORT_BALLS
    if isinstance(data, IdxData):
        return DIGITS if data.source == "mnist" else FASHION
    if isinstance(data, CelebaData):
        return [f"{data.attribute}: false", f"{data.attribute}: true"] if data.attribute else []
    return data.classes if isinstance(data, CustomData) else []


def target_name(dataset: Dataset) -> str:
    """The target as a class name: `3`, `baseball`, `Male: false`."""
    if isinstance(dataset.target, dict):
        return ", ".join(f"{key}: {str(value).lower()}" for key, value in dataset.target.items())
    return str(dataset.target)


def mistakes(config: Config) -> list[str]:
    """What the types cannot see: one line per mistake, with the key's path."""
    return [
        f"datasets.{name}.{line}"
        for name, dataset in config.datasets.items()
        for line in [*_data(name, dataset), *_models(dataset), *_sampling(config, dataset)]
    ] + _inception(config)


def _data(name: str, dataset: Dataset) -> list[str]:
    lines = []
    data, names = dataset.data, classes(dataset.data)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        lines.append(f"data: found the name {name!r}, allowed: letters, digits, _ and -")
    if isinstance(data, SportBallsData):
        if data.canvas % data.size:
            lines.append(f"data.canvas: found {data.canvas}, allowed: a multiple of {data.size}")
        if not data.scale[0] <= data.scale[1] <= 1:
            lines.append(f"data.scale: found {list(data.scale)}, allowed: low <= high <= 1")
    if isinstance(data, IdxData) and data.source == "fashion_mnist" and not data.root:
        lines.append("data.root: found null, allowed: a folder (no package carries Fashion-MNIST)")
    if isinstance(data, IdxData) and data.download and not data.root:
        lines.append("data.root: found null, allowed: the folder to download into")
    if isinstance(data, IdxData) and data.source == "mnist" and not data.root:
        asked = (data.train or 0) + (data.validation or 0)
        if not (data.train and data.validation) or asked > 5000:
            lines.append(f"data.train + data.validation: found {asked}, allowed: two numbers that "
                         "add up to at most 5000, what the package carries; set data.root for "
                         "more")  # fmt: skip
    guided = [s for s, setup in dataset.setups.items() if setup.guidance != "none"]
    if guided and not names:
        lines.append(f"setups.{guided[0]}: guidance on a data set without labels; allowed: guidance "
                     "none, or a data set with classes")  # fmt: skip
    elif names and target_name(dataset) not in names:
        found = "nothing" if dataset.target is None else repr(target_name(dataset))
        lines.append(f"target: found {found}, allowed: {', '.join(names)}")
    return lines


def _models(dataset: Dataset) -> list[str]:
    lines = []
    denoiser, size = dataset.denoiser, getattr(dataset.data, "size", 28)
    factor = 2 ** (len(denoiser.channels) - 1)
    if size % factor:
        lines.append(f"denoiser.channels: found {len(denoiser.channels)} levels, allowed: images of "
                     f"{size} pixels must divide by {factor}")  # fmt: skip
    for width in denoiser.channels:
        if width % denoiser.norm_groups:
            lines.append(f"denoiser.channels: found {width}, allowed: multiples of norm_groups "
                         f"({denoiser.norm_groups})")  # fmt: skip
    if denoiser.attention is not None and len(denoiser.attention) != len(denoiser.channels):
        lines.append(f"denoiser.attention: found {len(denoiser.attention)} values, allowed: "
                     f"{len(denoiser.channels)}, one per level")  # fmt: skip
    if denoiser.condition_dropout is not None and not classes(dataset.data):
        lines.append("denoiser.condition_dropout: found a number, allowed: null (no labels)")
    if dataset.schedule.beta_start > dataset.schedule.beta_end:
        lines.append(f"schedule.beta_start: found {dataset.schedule.beta_start}, allowed: at most "
                     f"beta_end ({dataset.schedule.beta_end})")  # fmt: skip
    if classes(dataset.data) and "judge" not in dataset.classifiers:
        lines.append("classifiers: found no `judge`, allowed: one of them must be named judge")
    judge = dataset.classifiers.get("judge")
    for name, classifier in dataset.classifiers.items():
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            lines.append(f"classifiers.{name}: allowed names: letters, digits, _ and -")
        if judge and name != "judge" and classifier.half == judge.half:
            lines.append(f"classifiers.{name}.half: found {classifier.half}, allowed: not the "
                         "judge's half")  # fmt: skip
        if judge and name != "judge" and classifier.architecture == judge.architecture:
            lines.append(f"classifiers.{name}.architecture: found {classifier.architecture}, "
                         "allowed: not the judge's architecture")  # fmt: skip
    if judge and judge.noise_trained:
        lines.append("classifiers.judge.noise_trained: found true, allowed: false")
    return lines


def _sampling(config: Config, dataset: Dataset) -> list[str]:
    lines = []
    sampling, timesteps = dataset.sampling, dataset.schedule.timesteps
    for key, steps in (("sampling", sampling.steps), ("sensitivity", dataset.sensitivity.steps)):
        if steps > timesteps:
            lines.append(f"{key}.steps: found {steps}, allowed: at most schedule.timesteps "
                         f"({timesteps})")  # fmt: skip
    if sampling.evaluation % config.metrics.jackknife_blocks:
        lines.append(f"sampling.evaluation: found {sampling.evaluation}, allowed: a multiple of "
                     f"metrics.jackknife_blocks ({config.metrics.jackknife_blocks})")  # fmt: skip
    if sampling.selection % config.metrics.jackknife_blocks:
        lines.append(f"sampling.selection: found {sampling.selection}, allowed: a multiple of "
                     f"metrics.jackknife_blocks ({config.metrics.jackknife_blocks})")  # fmt: skip
    names = [*dataset.setups, "floor"]
    for name, setup in dataset.setups.items():
        key = f"setups.{name}"
        if name == "floor" or not re.fullmatch(r"[A-Za-z0-9_]+(/[A-Za-z0-9_.+-]+)?", name):
            lines.append(f"{key}: allowed names: like clean/x0+ema0.9, and not floor")
        if any(other.startswith(f"{name}/") for other in names):
            lines.append(f"{key}: found another setup below it, allowed: no name is another's folder")
        if setup.guidance == "none":
            if setup.scales:
                lines.append(f"{key}.scales: found {setup.scales}, allowed: none without guidance")
            continue
        if not setup.scales:
            lines.append(f"{key}.scales: found none, allowed: at least one")
        if len({f"{scale:g}" for scale in setup.scales}) < len(setup.scales):
            lines.append(f"{key}.scales: found {setup.scales}, allowed: each scale once")
        if setup.guidance == "cfg":
            if dataset.denoiser.condition_dropout is None:
                lines.append(f"{key}.guidance: found cfg, allowed: only with "
                             "denoiser.condition_dropout")  # fmt: skip
            continue
        guides = [c for c in dataset.classifiers if c != "judge"]
        if setup.classifier not in guides:
            lines.append(f"{key}.classifier: found {setup.classifier}, allowed: a classifier that "
                         f"is defined and not the judge ({', '.join(guides) or 'none is'})")  # fmt: skip
        if setup.injection == "mean" and sampling.sampler != "ancestral":
            lines.append(f"{key}.injection: found mean, allowed: score (the sampler "
                         f"{sampling.sampler} has no posterior mean to shift)")  # fmt: skip
    return lines


def _inception(config: Config) -> list[str]:
    inception = config.metrics.inception
    if inception.weights and not Path(inception.weights).is_file():
        return [f"metrics.inception.weights: found {inception.weights}, allowed: an existing file"]
    return []
