"""What the types of a world cannot see."""

from __future__ import annotations

from collections.abc import Iterator

from guidebench.pipeline.experiment.allowed_names import Mistake, below
from guidebench.pipeline.experiment.schedule_consistency import schedule_mistakes, step_mistakes
from guidebench.pipeline.experiment.sections import Setup
from guidebench.pipeline.experiment.setup_consistency import (
    mean_mistakes,
    plugin_mistakes,
    setup_mistakes,
)
from guidebench.pipeline.experiment.unread_keys import BY_SAMPLER, unread
from guidebench.pipeline.experiment.world_section import World

EXACT = ["clean", "noise_trained"]


def world_mistakes(world: World, blocks: int) -> Iterator[Mistake]:
    """Keys of one world that do not fit each other."""
    if bool(world.components) == (world.drawn is not None):
        yield "components", f"{len(world.components)} of them", "either components or drawn"
        return
    yield from _components(world)
    if world.samples % blocks:
        allowed = f"a multiple of metrics.jackknife_blocks ({blocks})"
        yield "samples", world.samples, allowed
    yield from schedule_mistakes(world.schedule)
    for name, sampler in world.samplers.items():
        key = f"samplers.{name}"
        yield from step_mistakes(f"{key}.steps", sampler.steps, world.schedule)
        yield from plugin_mistakes(f"{key}.sampler", sampler.sampler)
        yield from below(key, unread(sampler, BY_SAMPLER, "sampler"))
    samplers = [steps.sampler for steps in world.samplers.values()]
    for name, setup in world.setups.items():
        yield from below(f"setups.{name}", _setup(setup, samplers))


def _setup(setup: Setup, samplers: list[str]) -> Iterator[Mistake]:
    if setup.steps is not None:
        yield "steps", setup.steps, "nothing in a world: its samplers have their own"
    for key, asked in (("sampler", setup.sampler), ("vary", setup.vary and "keys")):
        if asked:
            yield key, asked, "nothing in a world: it has `samplers` of all setups"
    if setup.clip_gradient:
        yield "clip_gradient", setup.clip_gradient, "nothing in a world: its x0_pred is not clipped"
    if setup.paper_compat:
        switches = ", ".join(setup.paper_compat)
        yield "paper_compat", switches, "nothing in a world: it is no data set of the paper"
    if setup.clip is not None:
        yield "clip", str(setup.clip).lower(), "nothing in a world: its x0_pred has no bounds"
    yield from setup_mistakes(setup, EXACT)
    yield from mean_mistakes(setup, samplers)


def _components(world: World) -> Iterator[Mistake]:
    if world.drawn is not None:
        classes = world.drawn.classes
        if world.drawn.components < classes:
            yield "drawn.components", world.drawn.components, f"at least drawn.classes ({classes})"
    else:
        labels = sorted({component.label for component in world.components})
        classes = len(labels)
        if labels != list(range(classes)):
            yield "components", f"labels {labels}", "0 to classes - 1, each used"
        sizes = {len(component.mean) for component in world.components}
        if len(sizes) > 1:
            yield "components", f"means of {sorted(sizes)} numbers", "means of one length"
        for number, component in enumerate(world.components):
            size, matrix = len(component.mean), component.covariance
            if matrix is not None and [len(row) for row in matrix] != [size] * size:
                yield f"components.{number}.covariance", matrix, f"{size} rows of {size} numbers"
            elif matrix is not None and not _positive_definite(matrix):
                allowed = "a symmetric, positive definite matrix"
                yield f"components.{number}.covariance", matrix, allowed
    if world.target >= classes:
        yield "target", world.target, f"0 to {classes - 1}"


def _positive_definite(matrix: list[list[float]]) -> bool:
    import numpy as np

    values = np.array(matrix)
    return np.allclose(values, values.T) and bool((np.linalg.eigvalsh(values) > 0).all())
