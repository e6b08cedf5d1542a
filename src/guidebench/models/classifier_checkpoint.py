"""Classifiers that somebody else trained: a file of weights, read into a network of a known name.

A `Classifier` with the network's own last layer comes of it; or, of a file that a run of ours wrote
(`body.` and `head.` before its names), one with a layer of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from guidebench.models.classifier import COUNTER, Classifier, check_values, fill, listed
from guidebench.models.weight_file import tensors
from guidebench.models.weight_places import Place, network_of, next_layer, place_at, places
from guidebench.pipeline.errors import UserError

if TYPE_CHECKING:
    from guidebench.pipeline.experiment import sections


def read(options: sections.Classifier, classes: int) -> Classifier:
    """The classifier of a section with a checkpoint, for that many classes: frozen, on the CPU.

    Of its outputs only those of `outputs` are kept, in that order. UserError `key: found ...,
    allowed: ...` for a file that is none, or of another network or number of outputs.
    """
    path, chosen = Path(str(options.checkpoint)), options.outputs
    model = _build(options, classes, None, len(chosen) if chosen else classes)

    def whole(state: Mapping[str, Tensor]) -> bool:
        return any(place.said is None for place in places(state, model))

    place = _placed(options, tensors(path, whole), model, classes)
    model, found = place.model, place.tensors
    if not chosen and (place.outputs, classes) == (1, 2):
        model = _build(options, classes, model.settings["hidden"], 1)
    else:
        _check(path, chosen, place.outputs, classes)
    for name in (f"{place.last}.weight", f"{place.last}.bias"):
        if chosen and name in found:
            found[name] = found[name][chosen]
    check_values(network_of(model), found, path)
    fill(network_of(model), found)
    return model.eval().requires_grad_(False)


def _build(
    options: sections.Classifier, classes: int, hidden: int | None, outputs: int
) -> Classifier:
    return Classifier(
        options.architecture,
        classes,
        hidden,
        outputs,
        mean=options.mean,
        std=options.std,
        input_size=options.input_size,
    )


def _check(path: Path, chosen: list[int] | None, count: int, classes: int) -> None:
    """UserError where the outputs of a file, `count` of them, are not the classes."""
    has = f"and {path} has {count} outputs, allowed:"
    if chosen and max(chosen) >= count:
        raise UserError(f"outputs: found {chosen}, {has} numbers from 0 to {count - 1}")
    if not chosen and count != classes:
        raise UserError(f"outputs: found null, {has} the numbers of the {classes} classes' ones")


def _placed(
    options: sections.Classifier, found: Mapping[str, Tensor], model: Classifier, classes: int
) -> Place:
    """Where the network lies in a file: all of its tensors, in their shapes.

    Below the prefix of the section, and what lies elsewhere is left out; or, without one, where
    there is one such place, and nothing lies elsewhere. UserError where there is none.
    """
    path, every = options.checkpoint, places(found, model)
    whole = [place for place in every if place.said is None]
    if options.prefix is not None:
        return _named(options, found, model, every, classes)
    if len(whole) > 1:
        allowed = " or ".join(repr(place.prefix) for place in whole)
        times = f"{options.architecture} {len(whole)} times"
        raise UserError(f"prefix: found null, and {path} has {times}, allowed: {allowed}")
    place = (whole or every)[0]
    _refuse(options, place, [name for name in found if not name.startswith(place.prefix)])
    return place


def _named(
    options: sections.Classifier,
    found: Mapping[str, Tensor],
    model: Classifier,
    every: list[Place],
    classes: int,
) -> Place:
    """The network below the prefix of a section; UserError where it is not whole, or goes on."""
    named, path = options.prefix or "''", options.checkpoint
    prefix = f"{options.prefix.rstrip('.')}." if options.prefix else ""
    here = [place for place in every if place.prefix == prefix]
    place = here[0] if here else place_at(found, prefix, model)
    others = [one.prefix for one in every if one.said is None and one is not place]
    allowed = " or ".join(repr(other) if other else "null" for other in others)
    if place.said is not None and others:
        raise UserError(f"prefix: found {named}, allowed: {allowed}, as {path} has it")
    if not place.tensors:
        raise UserError(f"prefix: found {named}, allowed: one that names in {path} begin with")
    _refuse(options, place, [])
    if layer := next_layer(found, place, classes):
        raise UserError(
            f"prefix: found {named}, and {layer} of {path} takes the {place.outputs} outputs of "
            f"the network below it, allowed: {allowed or 'one of a network that gives the logits'}"
        )
    return place


def _refuse(options: sections.Classifier, place: Place, others: list[str]) -> None:
    """UserError where a file has not all of the network in that place, or `others` beside it."""
    left = listed("left over", [name for name in others if not name.endswith(COUNTER)])
    if said := "; ".join(filter(None, [place.said, left])):
        below = f" below {place.prefix!r}" if place.prefix else ""
        other = "" if options.prefix else ", or of more than that with their `prefix`"
        raise UserError(
            f"checkpoint: found {options.checkpoint}{below} ({said}), allowed: the weights of "
            f"{options.architecture}{other}"
        )
