"""Experiments drawn from the config's own model: tiny ones, edited anywhere, valid in the end.

Every key of the model is drawn from its type and range; a key that is new there is drawn, too. What
a type cannot say (names of methods, files) and sizes that would take minutes are in the tables.
"""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from tiny import TRAINED

from guidebench.pipeline import config as models
from guidebench.pipeline import sections, trial, worlds
from guidebench.pipeline.config import Config
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.schema import models as sections_of
from guidebench.pipeline.validate import load

NAMES = ["b", "A-b_1", "0", "no", "judge", "two words", "ünï", "b.c", "b/c+0.9", "floor", "x" * 60,
         "x" * 250, "-"]  # fmt: skip
# new entries, and keys whose defaults take long
TINY: dict[type[BaseModel], dict[str, Any]] = {
    models.SportBallsData: {"source": "sportballs", "size": 8, "canvas": 8, "poses": 2,
                            "train": 160, "validation": 160},
    models.IdxData: {"source": "mnist", "train": 160, "validation": 160},
    models.CelebaData: {"source": "celeba", "size": 8},
    models.CustomData: {"source": "own_methods:gray", "classes": ["dark", "bright"], "size": 8,
                        "train": 160, "validation": 160},
    sections.DDPMLinear: {"name": "ddpm_linear", "timesteps": 20},
    sections.VPSDE: {"name": "vp_sde", "timesteps": 20},
    sections.LogSNR: {"name": "logsnr_cosine", "timesteps": 20},
    sections.Denoiser: TRAINED | {"channels": [8], "warmup": 1},
    sections.Classifier: TRAINED,
    sections.Sensitivity: {"images": 4, "accuracy_images": 4, "steps": 2},
    sections.Steps: {"steps": 2},
    sections.Sampling: {"steps": 2, "selection": 8, "evaluation": 8, "block": 8, "micro_batch": 4,
                        "trajectories": 1},
    worlds.Component: {"mean": [0.0, 1.0], "label": 0},
    worlds.Drawn: {"shape": [2], "components": 2, "classes": 2},
    worlds.World: {"drawn": {"shape": [3], "components": 3, "classes": 2}, "samples": 16,
                   "schedule": {"timesteps": 20}, "samplers": {"ddim": {"steps": 2}},
                   "setups": {"unguided": {}}},
    models.Metrics: {"jackknife_blocks": 4},
}  # fmt: skip
# texts that mean something, and keys that name files or start other processes
TEXTS: dict[str, list[Any]] = {
    "source": ["own_methods:gray", "own_methods:one_class", "own_methods:unlabelled"],
    "architecture": ["small_cnn", "small_resnet", "own_methods:tiny", "mobilenet_v3_small",
                     "alexnet"],
    "guidance": ["own_methods:Nudge"], "name": ["own_methods:Sign"],
    "classifier": ["clean", "judge", "noise_trained"],
    "target": ["baseball", "3", "dark", "each", "only", "Male: true"],
    "attribute": ["Male", "Smiling"], "device": ["cpu"],
    "classes": [["dark", "bright"], ["only"], []],
    "grid_setups": [["unguided"], []],
    "train": [160, 161], "validation": [1, 2, 160],  # fewer: test_door
    "root": [None], "otherwise": ["stop"], "download": [False], "weights": [None],
    "sha256": [None], "gpus": [1], "nodes": [1], "options": [{}], "description": ["ö <b>"],
}  # fmt: skip
SPREAD = 8  # values of an open range, from its lower end
FIRST = "experiment.json"


class Edit(NamedTuple):
    """One key, set to a value; `DROP`: taken out."""

    path: tuple[str, ...]
    value: Any


DROP = object()


def bases(folder: Path) -> list[dict[str, Any]]:
    """Valid experiments of each kind, without names; `folder` has CelebA's files."""
    trained = {"clean": TINY[sections.Classifier],
               "judge": TINY[sections.Classifier] | {"architecture": "small_resnet",
                                                     "half": "second"}}  # fmt: skip
    guided = {"guidance": "classifier", "classifier": "clean", "scales": [1.0]}
    common = {"schedule": TINY[sections.DDPMLinear], "denoiser": TINY[sections.Denoiser],
              "sensitivity": TINY[sections.Sensitivity], "sampling": TINY[sections.Sampling],
              "classifiers": trained}  # fmt: skip
    both = common | {"setups": {"unguided": {}, "clean/raw": guided}}
    alone = common | {"classifiers": {"judge": trained["judge"]}, "setups": {"unguided": {}}}
    none = common | {"classifiers": {}, "setups": {"unguided": {}}}
    faces = {"root": str(folder), "train": 160, "validation": 160} | TINY[models.CelebaData]
    sets = {
        "balls": both | {"data": TINY[models.SportBallsData], "target": "baseball"},
        "digits": both | {"data": TINY[models.IdxData], "target": "each",
                          "denoiser": TINY[sections.Denoiser] | {"condition_dropout": 0.2}},
        "own": both | {"data": TINY[models.CustomData], "target": "dark"},
        "faces": both | {"data": faces, "target": {"Male": False}},
        "alone": alone | {"data": TINY[models.SportBallsData], "target": "baseball"},
        "none": none | {"data": faces | {"attribute": None}},
    }  # fmt: skip
    shared = {"metrics": TINY[models.Metrics]}
    worlds_ = {"world": TINY[worlds.World]}
    TINY[models.Dataset] = sets["balls"]
    return [
        *(shared | {"datasets": {name: dataset}} for name, dataset in sets.items()),
        shared | {"worlds": worlds_},
        shared | {"datasets": {"none": sets["none"]}, "worlds": worlds_},
    ]


@st.composite
def experiments(draw: st.DrawFn, folder: Path) -> tuple[dict[str, Any], list[Edit]]:
    """A base and edits of it, each drawn on what the ones before have left."""
    base = {"name": "drawn"} | draw(st.sampled_from(bases(folder)))
    values, edits = copy.deepcopy(base), []
    for _ in range(draw(st.integers(0, 10))):
        edit = draw(st.sampled_from(list(_places(Config, values, ()))).flatmap(lambda s: s))
        put(values, edit)
        edits.append(edit)
    return base, edits


def settled(base: dict[str, Any], edits: list[Edit], path: Path) -> tuple[Config, list[Edit]]:
    """The config of a base and those of its edits that fit each other, as its file is read.

    Each line about the others must name a key and say what is allowed.
    """
    edits = list(edits)
    while True:
        values = copy.deepcopy(base)
        for edit in edits:
            put(values, edit)
        path.write_text(json.dumps(values))
        config, refusal = _loaded(path)
        if config is not None:
            return config, edits
        lines = refusal.splitlines()
        for line in lines:
            assert line.startswith(f"{path}: "), line
            assert "allowed: " in line, line
        assert edits, refusal
        key = lines[0].removeprefix(f"{path}: ").partition(": ")[0]
        wrong = _nearest(edits, tuple(key.split(".")))
        # what was drawn inside goes with it
        edits = [edit for edit in edits if edit.path[: len(wrong.path)] != wrong.path]


def _loaded(path: Path) -> tuple[Config | None, str]:
    """The config as a run reads it before its first job, or what it says."""
    try:
        config = load(str(path), [])
        trial.check(config, str(path))
    except UserError as error:
        return None, str(error)
    return config, ""


def put(values: dict[str, Any], edit: Edit) -> None:
    for part in edit.path[:-1]:
        values = values.setdefault(part, {})
    if edit.value is DROP:
        values.pop(edit.path[-1], None)
    else:
        values[edit.path[-1]] = copy.deepcopy(edit.value)


def _nearest(edits: list[Edit], key: tuple[str, ...]) -> Edit:
    """The edit with the longest part of its path in common with a key."""

    def common(edit: Edit) -> int:
        path = ".".join(edit.path).split(".")
        pairs = list(zip(path, key, strict=False))
        return next((n for n, (a, b) in enumerate(pairs) if a != b), len(pairs))

    return max(reversed(edits), key=common)


def _places(
    model: type[BaseModel], values: dict[str, Any], path: tuple[str, ...]
) -> Iterator[st.SearchStrategy[Edit]]:
    """Strategies of edits, one for each key of a section and of the sections in it."""
    for name, field in model.model_fields.items():
        here, found = (*path, name), values.get(name)
        inner = sections_of(field.annotation)
        annotation = field.annotation
        if get_origin(annotation) is dict and sections_of(get_args(annotation)[1]):
            (entry,) = sections_of(get_args(annotation)[1])
            known = found or {}
            yield _set(st.just(TINY.get(entry, {})), st.sampled_from(NAMES).map(
                lambda new, here=here: (*here, new)))  # fmt: skip
            for key in known:
                yield st.just(Edit((*here, key), DROP))
                yield from _places(entry, known[key], (*here, key))
        elif get_origin(annotation) is list and sections_of(get_args(annotation)[0]):
            (entry,) = sections_of(get_args(annotation)[0])
            each = _section(entry)
            yield _set(st.lists(each, min_size=1, max_size=3), st.just(here))
        elif inner:
            chosen = inner[0] if len(inner) == 1 else _tagged(inner, found)
            if len(inner) > 1 or type(None) in get_args(annotation):
                options = [TINY[one] for one in inner if one is not models.CelebaData]
                missing = [None] if type(None) in get_args(annotation) else []
                yield _set(st.sampled_from([*options, *missing]), st.just(here))
            if found is not None or not missing_allowed(annotation):
                yield from _places(chosen, found or {}, here)
        elif path or name != "name":
            yield _set(_value(field, name), st.just(here))


def missing_allowed(annotation: Any) -> bool:
    return type(None) in get_args(annotation)


def _set(
    value: st.SearchStrategy[Any], path: st.SearchStrategy[tuple[str, ...]]
) -> st.SearchStrategy[Edit]:
    return st.builds(Edit, path, value)


def _tagged(options: list[type[BaseModel]], found: Any) -> type[BaseModel]:
    """The member of a union that a section's tag names."""
    for option in options:
        tag = "source" if "source" in option.model_fields else "name"
        told = (found or {}).get(tag)
        if told in get_args(option.model_fields[tag].annotation):
            return option
    return models.CustomData if models.CustomData in options else options[0]


def _section(model: type[BaseModel]) -> st.SearchStrategy[dict[str, Any]]:
    """A whole section with each of its keys left out or drawn."""
    optional = {name: _value(field, name) for name, field in model.model_fields.items()}
    return st.fixed_dictionaries({}, optional=optional).map(lambda drawn: TINY[model] | drawn)


def _value(field: FieldInfo, name: str) -> st.SearchStrategy[Any]:
    return _typed(field.annotation, field.metadata, name)


def _typed(annotation: Any, metadata: list[Any], name: str) -> st.SearchStrategy[Any]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if hasattr(annotation, "__metadata__"):
        return _typed(annotation.__origin__, [*annotation.__metadata__, *metadata], name)
    if origin is Literal:
        known = [one for one in arguments if one in TEXTS.get(name, arguments)]
        return st.sampled_from(known or list(arguments))
    if name in TEXTS and (annotation is str or (origin is not Union and origin is not None)
                          or annotation in (int, bool)):  # fmt: skip
        return st.sampled_from(TEXTS[name])
    if annotation is type(None):
        return st.none()
    if annotation is bool:
        return st.booleans()
    if annotation in (int, float):
        return _number(annotation, metadata)
    if annotation is str:
        return st.sampled_from(TEXTS.get(name, NAMES))
    if origin is list:
        least = max([getattr(item, "min_length", 0) or 0 for item in metadata], default=0)
        return st.lists(_typed(arguments[0], [], name), min_size=least, max_size=3)
    if origin is tuple:
        return st.tuples(*(_typed(item, [], name) for item in arguments)).map(list)
    if origin is dict:
        return st.dictionaries(
            st.sampled_from(["Male"]), _typed(arguments[1], [], name), max_size=1
        )
    return st.one_of([_typed(item, [], name) for item in arguments])


def _bounds(metadata: list[Any]) -> tuple[float | None, float | None, bool, bool]:
    low = high = None
    open_low = open_high = False
    for item in metadata:
        for inner in [item, *getattr(item, "metadata", [])]:
            low = getattr(inner, "ge", None) if getattr(inner, "ge", None) is not None else low
            high = getattr(inner, "le", None) if getattr(inner, "le", None) is not None else high
            if getattr(inner, "gt", None) is not None:
                low, open_low = inner.gt, True
            if getattr(inner, "lt", None) is not None:
                high, open_high = inner.lt, True
    return low, high, open_low, open_high


def _number(kind: type, metadata: list[Any]) -> st.SearchStrategy[Any]:
    low, high, open_low, open_high = _bounds(metadata)
    if kind is int:
        least = 0 if low is None else int(low) + open_low
        most = least + SPREAD if high is None else min(int(high) - open_high, least + SPREAD)
        return st.integers(least, most)
    least, most = (-SPREAD if low is None else low), (SPREAD if high is None else high)
    return st.floats(least, most, exclude_min=open_low, exclude_max=open_high,
                     allow_subnormal=False)  # fmt: skip
