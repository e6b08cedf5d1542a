"""Methods of the user's own before the first job: imported, and those that can be tried, tried."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from guidebench.base.plugins import plugin
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.allowed_names import Mistake
from guidebench.pipeline.experiment.config import Config
from guidebench.pipeline.experiment.sections import Process, Setup, Steps
from guidebench.pipeline.experiment.setup_consistency import mean_mistakes
from guidebench.pipeline.jobs.cost_model import shape


class _Sampled(NamedTuple):
    """A data set or world: its samplers by key, its process, the shape of a sample, its setups."""

    samplers: Mapping[str, Steps]
    process: Process
    shape: tuple[int, ...]
    setups: dict[str, Setup]


def mistakes(config: Config) -> Iterator[Mistake]:
    """What cannot be imported, and samplers that do not do what they say of themselves."""
    sampled = dict(_sampled(config))
    for key, name in _named(config, sampled).items():
        if ":" in name and (said := imported(name)):
            yield key, name, f"a module that can be imported ({said})"
    for key, section in sampled.items():
        for part, found, allowed in _samplers(section):
            yield f"{key}.{part}", found, allowed
    yield from _metrics(config)


def _sampled(config: Config) -> Iterator[tuple[str, _Sampled]]:
    for name, dataset in config.datasets.items():
        own = {"sampling": dataset.sampling}
        yield (
            f"datasets.{name}",
            _Sampled(own, dataset.schedule, shape(dataset), dataset.setups),
        )
    for name, world in config.worlds.items():
        size = world.drawn.shape if world.drawn else [len(world.components[0].mean)]
        every = {f"samplers.{key}": steps for key, steps in world.samplers.items()}
        yield f"worlds.{name}", _Sampled(every, world.schedule, tuple(size), world.setups)


def _named(config: Config, sampled: dict[str, _Sampled]) -> dict[str, str]:
    """Every key that may be `module:attribute`, with its value."""
    named = {f"metrics.own.{key}.name": metric.name for key, metric in config.metrics.own.items()}
    for name, dataset in config.datasets.items():
        key = f"datasets.{name}"
        named[f"{key}.data.source"] = dataset.data.source
        named |= {
            f"{key}.classifiers.{c}.architecture": one.architecture
            for c, one in dataset.classifiers.items()
        }
        named |= {
            f"{key}.sensitivity.stabilizers.{s}.name": one.name
            for s, one in dataset.sensitivity.stabilizers.items()
        }
    for key, section in sampled.items():
        named |= {f"{key}.{s}.sampler": steps.sampler for s, steps in section.samplers.items()}
        for s, setup in section.setups.items():
            named[f"{key}.setups.{s}.guidance"] = setup.guidance
            named[f"{key}.setups.{s}.stabilizer.name"] = setup.stabilizer.name
    return named


@cache
def imported(name: str) -> str | None:
    """Why `module:attribute` cannot be imported as the jobs will; None: it can."""
    try:
        plugin(name)
    except (Exception, SystemExit) as error:
        return words(error.__cause__ or error)
    return None


def _samplers(section: _Sampled) -> Iterator[Mistake]:
    """A user's samplers that break a promise; means to shift that no sampler has."""
    own = {key: steps for key, steps in section.samplers.items() if ":" in steps.sampler}
    if not own or any(imported(steps.sampler) for steps in own.values()):
        return
    from guidebench.pipeline.plan import tried_methods

    wrong = False
    for key, steps in own.items():
        if said := _said(tried_methods.sampler, steps, section.process, section.shape):
            wrong = True
            yield f"{key}.sampler", steps.sampler, f"one that does what it says ({said})"
    names = [steps.sampler for steps in section.samplers.values()]
    for setup, options in section.setups.items() if not wrong else ():
        for part, found, allowed in mean_mistakes(options, names, imported=True):
            yield f"setups.{setup}.{part}", found, allowed


def _metrics(config: Config) -> Iterator[Mistake]:
    """A user's metrics that break a promise on some data set."""
    for key, metric in config.metrics.own.items():
        if imported(metric.name):
            continue
        from guidebench.pipeline.plan import tried_methods

        blocks = config.metrics.jackknife_blocks
        for name, dataset in config.datasets.items():
            if said := _said(tried_methods.metric, metric, dataset, blocks):
                allowed = f"one that does what it says ({said}; on data set {name})"
                yield f"metrics.own.{key}.name", metric.name, allowed
                break


def _said(trial: Callable[..., str | None], *arguments: Any) -> str | None:
    """What is wrong with a user's method, whose code runs here and may raise anything."""
    try:
        return trial(*arguments)
    except UserError as error:
        return str(error)
    except (Exception, SystemExit) as error:
        return words(error)


def words(error: BaseException) -> str:
    """An error in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
