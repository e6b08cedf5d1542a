"""What the types of a data set's classifiers cannot see."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from guidebench.base.choices import classes, side
from guidebench.pipeline.experiment.allowed_names import Mistake, below
from guidebench.pipeline.experiment.config import ARCHITECTURES, Dataset
from guidebench.pipeline.experiment.sections import Attack, Classifier, IdxData
from guidebench.pipeline.experiment.setup_consistency import plugin_mistakes
from guidebench.pipeline.experiment.unread_keys import BY_WEIGHTS, OWN, unread

UNLABELLED = "a data set without labels"
# endings of files of weights
WEIGHTS = (".safetensors", ".pt", ".pth", ".bin", ".ckpt", ".tar")


def classifier_mistakes(dataset: Dataset) -> Iterator[Mistake]:
    """Classifiers that are missing, not there, not independent of the judge, or ask for nothing."""
    judge = dataset.classifiers.get("judge")
    if not (names := classes(dataset.data)) and dataset.classifiers:
        yield "classifiers", ", ".join(dataset.classifiers), f"none ({UNLABELLED})"
    if names and judge is None:
        yield "classifiers", "no judge", "one of them must be named judge"
    if judge and judge.noise_trained:
        yield "classifiers.judge.noise_trained", "true", "false"
    if judge and judge.adversarial:
        yield "classifiers.judge.adversarial", "an attack", "null"
    if attack := dataset.sensitivity.attack:
        yield from _attack("sensitivity.attack", attack, dataset)
    for name, classifier in dataset.classifiers.items():
        key = f"classifiers.{name}"
        yield from _architecture(f"{key}.architecture", classifier.architecture)
        yield from below(key, _given(classifier, name, names))
        if classifier.adversarial and classifier.noise_trained:
            allowed = "null with noise_trained: it is on clean images"
            yield f"{key}.adversarial", "an attack", allowed
        if classifier.adversarial:
            yield from _attack(f"{key}.adversarial", classifier.adversarial, dataset)
        if judge is None or name == "judge":
            continue
        # what somebody else trained saw neither half
        trained_here = classifier.checkpoint is None and judge.checkpoint is None
        for option in ("half", "architecture") if trained_here else ("architecture",):
            if (value := getattr(classifier, option)) == getattr(judge, option):
                yield f"{key}.{option}", value, f"another {option} than the judge's"


def _attack(key: str, attack: Attack, dataset: Dataset) -> Iterator[Mistake]:
    """A ball in which any image has gray, and so no class; and steps that are wider than it."""
    pixels = side(dataset.data) ** 2 * (1 if isinstance(dataset.data, IdxData) else 3)
    gray = 1.0 if attack.norm == "linf" else pixels**0.5
    if attack.radius >= gray:
        allowed = f"below {gray:g}, where every image can become gray ({attack.norm})"
        yield f"{key}.radius", attack.radius, allowed
    if attack.step_size is not None and attack.step_size > 2 * attack.radius:
        allowed = f"at most twice the radius ({2 * attack.radius:g})"
        yield f"{key}.step_size", attack.step_size, allowed


def _given(classifier: Classifier, name: str, names: list[str]) -> Iterator[Mistake]:
    """What does not fit of a checkpoint's keys, and of how images are given to a classifier."""
    # whichever half a judge's checkpoint is said to have seen, the other is the reference
    readers = {k: v for k, v in BY_WEIGHTS.items() if (k, name) != ("half", "judge")}
    yield from unread(classifier, readers, "checkpoint")
    path, outputs = classifier.checkpoint, classifier.outputs
    if path is not None and not path.endswith(WEIGHTS):
        yield "checkpoint", path, f"a file {', '.join(WEIGHTS)}"
    if path is not None and outputs is not None:
        counts = [len(names)] if len(names) != 2 else [2, 1]
        if len(outputs) not in counts or len(set(outputs)) < len(outputs):
            each = f"one for each of {', '.join(names)}"
            one = ", or one, the logit of the second" if len(names) == 2 else ""
            yield "outputs", outputs, f"{len(names)} different numbers, {each}{one}; or null"
    pair = {"mean": classifier.mean, "std": classifier.std}
    for key, other in (("mean", "std"), ("std", "mean")):
        if pair[key] is None and pair[other] is not None:
            yield key, "null", f"three numbers, beside {other}"


def _architecture(key: str, name: str) -> Iterator[Mistake]:
    if name in ARCHITECTURES or ":" in name:
        yield from plugin_mistakes(key, name)
        return
    # slow to import, so only for a config that names one of them
    from torchvision import models

    known = [*ARCHITECTURES, *models.list_models(module=models)]
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        allowed = f"{', '.join(ARCHITECTURES)}, a torchvision classifier or {OWN}"
        yield key, f"{name}{hint}", allowed
