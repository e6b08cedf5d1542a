"""What the types of an experiment file cannot see: keys that do not fit each other."""

from __future__ import annotations

import re
from collections.abc import Iterator

from guidebench.base.choices import EACH, SAMPLERS, classes, side, target_name
from guidebench.pipeline.experiment.allowed_names import Mistake, below, in_words, names
from guidebench.pipeline.experiment.classifier_consistency import UNLABELLED, classifier_mistakes
from guidebench.pipeline.experiment.compat_consistency import compat_mistakes
from guidebench.pipeline.experiment.config import Config, Dataset
from guidebench.pipeline.experiment.data_consistency import data_mistakes
from guidebench.pipeline.experiment.image_counts import counted
from guidebench.pipeline.experiment.metric_consistency import metric_mistakes
from guidebench.pipeline.experiment.schedule_consistency import schedule_mistakes, step_mistakes
from guidebench.pipeline.experiment.sections import Discrete, Setup, Vary
from guidebench.pipeline.experiment.setup_consistency import (
    mean_mistakes,
    plugin_mistakes,
    setup_mistakes,
    stabilizer_mistakes,
)
from guidebench.pipeline.experiment.unread_keys import (
    BY_ARCHITECTURE,
    BY_ATTENTION,
    BY_CHECKPOINT,
    BY_CLIP,
    BY_GRIDS,
    BY_RATE,
    BY_SAMPLER_OF_IMAGES,
    Readers,
    unread,
)
from guidebench.pipeline.experiment.variations import expanded_setups, samplers_of
from guidebench.pipeline.experiment.world_consistency import world_mistakes

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def mistakes(config: Config) -> list[str]:
    """One line per mistake: the key's path, what was found, what is allowed."""
    return in_words(_all(config))


def _all(config: Config) -> Iterator[Mistake]:
    yield from names(config)
    if not config.datasets and not config.worlds:
        yield "datasets", "none", "at least one data set, or one of `worlds`"
    for name, world in config.worlds.items():
        yield from below(f"worlds.{name}", world_mistakes(world, config.metrics.jackknife_blocks))
    for name, dataset in config.datasets.items():
        yield from below(f"datasets.{name}", _dataset(dataset, config.metrics.jackknife_blocks))
    yield from metric_mistakes(config)
    yield from compat_mistakes(config)


def _dataset(dataset: Dataset, blocks: int) -> Iterator[Mistake]:
    for check in (data_mistakes, _target, _denoiser, classifier_mistakes, _sampling):
        yield from check(dataset)
    yield from schedule_mistakes(dataset.schedule)
    yield from counted(dataset, blocks)
    for split in ("selection", "evaluation"):
        if (seeds := getattr(dataset.sampling, split)) % blocks:
            allowed = f"a multiple of metrics.jackknife_blocks ({blocks})"
            yield f"sampling.{split}", seeds, allowed
    if finalists := dataset.sampling.finalists:
        more = finalists.evaluation - dataset.sampling.evaluation
        if more <= 0 or more % blocks:
            least = dataset.sampling.evaluation
            allowed = f"sampling.evaluation ({least}) and a multiple of {blocks}, the jackknife's"
            yield "sampling.finalists.evaluation", finalists.evaluation, f"{allowed} blocks, more"
    for name, setup in dataset.setups.items():
        yield from below(f"setups.{name}", _setup(dataset, setup))


def _target(dataset: Dataset) -> Iterator[Mistake]:
    names = classes(dataset.data)
    target = "nothing" if dataset.target is None else repr(target_name(dataset))
    if names and target_name(dataset) not in [*names, EACH]:
        yield "target", target, ", ".join([*names, f"{EACH} (all in turn)"])
    discrete = isinstance(dataset.schedule, Discrete)
    last, kind = (dataset.schedule.timesteps - 1, "whole ") if discrete else (1, "")
    if wrong := [t for t in dataset.strip or [] if not 0 <= t <= last or (discrete and t % 1)]:
        yield "strip", wrong, f"{kind}times from 0 to {last}"
    if not names and dataset.target is not None:
        yield "target", target, f"null ({UNLABELLED})"


def _denoiser(dataset: Dataset) -> Iterator[Mistake]:
    denoiser = dataset.denoiser
    channels, attention = denoiser.channels, denoiser.attention
    size = side(dataset.data)
    yield from below("denoiser", unread(denoiser, BY_CHECKPOINT, "checkpoint"))
    if denoiser.revision and not HUB_ID.fullmatch(denoiser.checkpoint or ""):
        folder = denoiser.checkpoint or "nothing"
        yield "denoiser.checkpoint", folder, "with revision a hub id, `owner/name`"
    if denoiser.checkpoint:
        return
    if denoiser.condition_dropout is not None and not classes(dataset.data):
        yield "denoiser.condition_dropout", denoiser.condition_dropout, f"null ({UNLABELLED})"
    if denoiser.batch_size % denoiser.gpus or denoiser.gpus % denoiser.nodes:
        yield "denoiser.gpus", denoiser.gpus, "a divisor of batch_size and a multiple of nodes"
    yield from below("denoiser", unread(denoiser, BY_ARCHITECTURE, "architecture"))
    yield from below("denoiser", unread(denoiser, BY_RATE, "rate"))
    if denoiser.compile and (denoiser.gpus > 1 or denoiser.architecture != "unet2d"):
        yield "denoiser.compile", "true", "false unless architecture is unet2d and gpus is 1"
    if denoiser.architecture == "shuffle_unet":
        if denoiser.gpus > 1:  # its batch normalisation needs the whole batch
            yield "denoiser.gpus", denoiser.gpus, "1 with shuffle_unet"
        if len(channels) < 2 or any(width % 4 for width in channels):
            yield "denoiser.channels", channels, "at least two, multiples of 4, for shuffle_unet"
        return
    if size % denoiser.patch:
        yield "denoiser.patch", denoiser.patch, f"a divisor of the image side ({size})"
    elif size // denoiser.patch % 2 ** (len(channels) - 1):
        said = "" if denoiser.patch == 1 else f" / patch ({denoiser.patch})"
        allowed = f"the image side ({size}){said} must be a multiple of 2^(levels - 1)"
        yield "denoiser.channels", f"{len(channels)} levels", allowed
    if undivided := [width for width in channels if width % denoiser.norm_groups]:
        yield "denoiser.channels", undivided, f"multiples of norm_groups ({denoiser.norm_groups})"
    yield from below("denoiser", unread(denoiser, BY_ATTENTION, "attention"))
    if attention is not None:
        if len(attention) != len(channels):
            yield "denoiser.attention", attention, f"{len(channels)} values, one per level"
        # the middle of the network, as wide as the last level, attends as soon as one level does
        levels = [*zip(attention, channels, strict=False), (any(attention), channels[-1])]
        if any(attends and width % denoiser.head_dim for attends, width in levels):
            allowed = "a divisor of the widths of the levels with attention and of the last"
            yield "denoiser.head_dim", denoiser.head_dim, allowed


def _sampling(dataset: Dataset) -> Iterator[Mistake]:
    sampling, schedule = dataset.sampling, dataset.schedule
    yield from step_mistakes("sampling.steps", sampling.steps, schedule)
    yield from step_mistakes("sensitivity.steps", dataset.sensitivity.steps, schedule)
    used = [name for setup in dataset.setups.values() for name in samplers_of(setup, sampling)]
    tables: list[tuple[Readers, str, list[str]]] = [
        (BY_SAMPLER_OF_IMAGES, "sampler", used),
        (BY_GRIDS, "grid_images", []),
    ]
    if not (own_clip := any(setup.clip for setup in dataset.setups.values())):
        tables.append((BY_CLIP, "clip", []))
    for readers, by, others in tables:
        yield from below("sampling", unread(sampling, readers, by, others))
    yield from plugin_mistakes("sampling.sampler", sampling.sampler)
    eps_alone = [name for name in used if ":" not in name and SAMPLERS[name].uses == ("eps",)]
    if eps_alone and (sampling.clip or own_clip) and not sampling.recompute_eps:
        yield "sampling.recompute_eps", "false", f"true: with {eps_alone[0]} clip needs it"
    yield from _running(dataset)
    if sampling.grid_images:
        known = list(expanded_setups(dataset))
        if unknown := [name for name in sampling.grid_setups if name not in known]:
            yield "sampling.grid_setups", ", ".join(unknown), ", ".join(known)
        yield from step_mistakes("sampling.grid_steps", sampling.grid_steps, schedule)
    for name, stabilizer in dataset.sensitivity.stabilizers.items():
        yield from stabilizer_mistakes(f"sensitivity.stabilizers.{name}", stabilizer)


def _running(dataset: Dataset) -> Iterator[Mistake]:
    """Ways to run the denoiser that this one has not, or that exclude each other."""
    sampling, denoiser = dataset.sampling, dataset.denoiser
    for key in ("gradient_checkpointing", "compile"):
        if getattr(sampling, key) and not denoiser.checkpoint and denoiser.architecture != "unet2d":
            yield f"sampling.{key}", "true", f"false with {denoiser.architecture}"
    halved = [n for n, setup in dataset.setups.items() if "half_precision" in setup.paper_compat]
    if sampling.precision == "bf16" and halved:
        allowed = f"float32 or tf32 with half_precision (setups.{halved[0]})"
        yield "sampling.precision", "bf16", allowed
    if not sampling.gradient_checkpointing:
        return
    key = "sampling.gradient_checkpointing"
    if sampling.compile:
        yield key, "true", "false with compile"
    clean = [name for name, one in dataset.classifiers.items() if not one.noise_trained]
    setups = dataset.setups.values()
    if clean in ([], ["judge"]) and not any(s.input == "x0" or ":" in s.guidance for s in setups):
        yield key, "true", "false where no gradient goes through the denoiser"


def _setup(dataset: Dataset, setup: Setup) -> Iterator[Mistake]:
    labelled = bool(classes(dataset.data))
    if setup.guidance == "none" or labelled:
        yield from setup_mistakes(setup, [name for name in dataset.classifiers if name != "judge"])
    else:
        yield "guidance", setup.guidance, f"none ({UNLABELLED})"
    yield from step_mistakes("steps", setup.steps, dataset.schedule)
    vary = setup.vary or Vary()
    yield from step_mistakes("vary.steps", max(vary.steps, default=None), dataset.schedule)
    for key, values in (("vary.sampler", vary.sampler), ("vary.steps", vary.steps)):
        if len(set(values)) < len(values):
            yield key, values, "each once"
    if setup.sampler:
        yield from plugin_mistakes("sampler", setup.sampler)
    # a checkpoint's own config says whether it takes labels: `jobs.agreement`
    if dataset.denoiser.condition_dropout is None and not dataset.denoiser.checkpoint:
        if setup.conditional:
            yield "conditional", "true", "true only with denoiser.condition_dropout"
        if setup.guidance == "cfg" and labelled:
            yield "guidance", "cfg", "cfg only with denoiser.condition_dropout"
    for name in samplers_of(setup, dataset.sampling):
        if found := list(mean_mistakes(setup, [name])):
            yield from found
            return
