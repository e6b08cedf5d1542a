"""Setups that are written as one: `vary` names the samplers and steps in which they differ."""

from __future__ import annotations

from itertools import product

from guidebench.pipeline.experiment.config import Config, Dataset
from guidebench.pipeline.experiment.sections import Sampling, Setup
from guidebench.pipeline.experiment.sections.base import SamplerName


def samplers_of(setup: Setup, sampling: Sampling) -> list[str]:
    """The samplers by which a setup and its variations are sampled, each once."""
    varied = setup.vary.sampler if setup.vary else []
    return list(dict.fromkeys([setup.sampler or sampling.sampler, *varied]))


def variations(name: str, setup: Setup, sampling: Sampling) -> dict[str, Setup]:
    """A setup, then one for every other sampler and number of steps that its `vary` names.

    >>> from guidebench.pipeline.experiment.sections import Vary
    >>> setup = Setup(vary=Vary(sampler=["ddim", "heun"], steps=[20, 50]))
    >>> list(variations("plain", setup, Sampling(sampler="ddim", steps=50)))
    ['plain', 'plain@ddim-20', 'plain@heun-20', 'plain@heun-50']
    """
    plain = setup.model_copy(update={"vary": None})
    found = {name: plain}
    if setup.vary is None:
        return found
    own = setup.sampler or sampling.sampler, setup.steps or sampling.steps
    samplers: list[SamplerName | None] = [*setup.vary.sampler] or [None]
    counts: list[int | None] = [*setup.vary.steps] or [None]
    for sampler, steps in product(samplers, counts):
        if (sampler or own[0], steps or own[1]) == own:
            continue
        words = "-".join(str(word) for word in (sampler, steps) if word)
        changed = {"sampler": sampler or setup.sampler, "steps": steps or setup.steps}
        found[f"{name}@{words}"] = plain.model_copy(update=changed)
    return found


def expanded_setups(dataset: Dataset) -> dict[str, Setup]:
    """All setups of a data set, with those that their `vary` keys stand for."""
    return {
        new: setup
        for name, written in dataset.setups.items()
        for new, setup in variations(name, written, dataset.sampling).items()
    }


def expanded(config: Config) -> Config:
    """The experiment with every setup written out."""
    datasets = {
        name: dataset.model_copy(update={"setups": expanded_setups(dataset)})
        for name, dataset in config.datasets.items()
    }
    return config.model_copy(update={"datasets": datasets})
