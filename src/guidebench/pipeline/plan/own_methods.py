"""Before the first job a user's own methods are imported, and what can be tried is tried."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from guidebench.base.plugins import plugin
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.allowed_names import Mistake, below
from guidebench.pipeline.experiment.config import Config
from guidebench.pipeline.experiment.sections import Process, Setup, Stabilizer, Steps
from guidebench.pipeline.experiment.setup_consistency import mean_mistakes
from guidebench.pipeline.jobs.rates import shape


class _Sampled(NamedTuple):
    """A data set or world: its samplers by key, its process, the shape of a sample, its setups.

    `shared`: names of the samplers of setups without one of their own.
    """

    samplers: Mapping[str, Steps]
    shared: list[str]
    process: Process
    shape: tuple[int, ...]
    setups: dict[str, Setup]


def mistakes(config: Config) -> Iterator[Mistake]:
    """Methods that cannot be imported, or break what they promise."""
    sampled = dict(_sampled(config))
    for key, name in _method_names(config, sampled).items():
        if ":" in name and (said := imported(name)):
            yield key, name, f"a module that can be imported ({said})"
    for path, section in sampled.items():
        yield from below(path, _samplers(section))
    yield from _guides(config)
    yield from _stabilizers(config, sampled)
    yield from _metrics(config)


def _sampled(config: Config) -> Iterator[tuple[str, _Sampled]]:
    for name, dataset in config.datasets.items():
        sampling, setups = dataset.sampling, dataset.setups
        own = {"sampling": sampling} | {
            f"setups.{key}": sampling.model_copy(update={"sampler": setup.sampler})
            for key, setup in setups.items()
            if setup.sampler
        }
        section = _Sampled(own, [sampling.sampler], dataset.schedule, shape(dataset), setups)
        yield f"datasets.{name}", section
    for name, world in config.worlds.items():
        size = world.drawn.shape if world.drawn else [len(world.components[0].mean)]
        every = {f"samplers.{key}": steps for key, steps in world.samplers.items()}
        shared = [steps.sampler for steps in every.values()]
        yield f"worlds.{name}", _Sampled(every, shared, world.schedule, tuple(size), world.setups)


def _method_names(config: Config, sampled: dict[str, _Sampled]) -> dict[str, str]:
    """Path of every key that may be `module:attribute` -> its value."""
    names = {f"metrics.own.{key}.name": metric.name for key, metric in config.metrics.own.items()}
    for dataset_name, dataset in config.datasets.items():
        path = f"datasets.{dataset_name}"
        names[f"{path}.data.source"] = dataset.data.source
        names |= {
            f"{path}.classifiers.{key}.architecture": classifier.architecture
            for key, classifier in dataset.classifiers.items()
        }
        names |= {
            f"{path}.sensitivity.stabilizers.{key}.name": stabilizer.name
            for key, stabilizer in dataset.sensitivity.stabilizers.items()
        }
    for path, section in sampled.items():
        names |= {f"{path}.{key}.sampler": steps.sampler for key, steps in section.samplers.items()}
        for key, setup in section.setups.items():
            names[f"{path}.setups.{key}.guidance"] = setup.guidance
            names[f"{path}.setups.{key}.stabilizer.name"] = setup.stabilizer.name
    return names


@cache
def imported(name: str) -> str | None:
    """Why `module:attribute` cannot be imported as the jobs will; None: it can."""
    try:
        plugin(name)
    except (Exception, SystemExit) as error:
        return words(error.__cause__ or error)
    return None


def _samplers(section: _Sampled) -> Iterator[Mistake]:
    """A user's own samplers that break a promise, and setups that shift a mean that none has."""
    own = {key: steps for key, steps in section.samplers.items() if ":" in steps.sampler}
    if not own or any(imported(steps.sampler) for steps in own.values()):
        return
    from guidebench.pipeline.plan import tried_methods

    wrong = False
    for key, steps in own.items():
        if said := _said(tried_methods.sampler, steps, section.process, section.shape):
            wrong = True
            yield f"{key}.sampler", steps.sampler, f"one that does what it says ({said})"
    for name, setup in section.setups.items() if not wrong else ():
        names = [setup.sampler] if setup.sampler else section.shared
        yield from below(f"setups.{name}", mean_mistakes(setup, names, imported=True))


def _guides(config: Config) -> Iterator[Mistake]:
    """A user's guides whose rows do not stand alone; each with its options once a data set."""
    for name, dataset in config.datasets.items():
        tried = set()
        for key, setup in dataset.setups.items():
            named = setup.guidance, setup.sampler or dataset.sampling.sampler
            what = setup.model_dump_json(include={"guidance", "options", "classifier"})
            if ":" not in named[0] or what in tried or any(map(_missing, named)):
                continue
            from guidebench.pipeline.plan import tried_guides

            tried.add(what)
            if said := _said(tried_guides.guide, setup, dataset):
                allowed = f"one that does what it says ({said})"
                yield f"datasets.{name}.setups.{key}.guidance", setup.guidance, allowed


def _stabilizers(config: Config, sampled: dict[str, _Sampled]) -> Iterator[Mistake]:
    """A user's stabilizers whose rows do not stand alone; each with its options once."""
    found: dict[str, tuple[str, Stabilizer, tuple[int, ...]]] = {}
    for path, section in sampled.items():
        named = {f"setups.{key}.stabilizer": one.stabilizer for key, one in section.setups.items()}
        if path.startswith("datasets."):
            options = config.datasets[path.partition(".")[2]].sensitivity.stabilizers
            named |= {f"sensitivity.stabilizers.{key}": one for key, one in options.items()}
        for key, own in named.items():
            found.setdefault(own.model_dump_json(), (f"{path}.{key}.name", own, section.shape))
    for key, own, size in found.values():
        if ":" not in own.name or _missing(own.name):
            continue
        from guidebench.pipeline.plan import tried_guides

        if said := _said(tried_guides.stabilizer, own, size):
            yield key, own.name, f"one that does what it says ({said})"


def _missing(name: str) -> bool:
    """Whether it is a user's own that cannot be imported, as another line says."""
    return ":" in name and imported(name) is not None


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
    """What is wrong with a user's method; its own code runs here, and may raise anything."""
    try:
        return trial(*arguments)
    except UserError as error:
        return str(error)
    except (Exception, SystemExit) as error:
        return words(error)


def words(error: BaseException) -> str:
    """An error in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
