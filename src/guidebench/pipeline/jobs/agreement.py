"""Whether a denoiser that somebody else trained is what the experiment says; no number comes of it.

The files say how the network was built and trained. The config says the same in the experiment's
own words, and a word that differs is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from math import isclose
from pathlib import Path
from typing import Any

from guidebench.base import published
from guidebench.base.choices import PREDICTION_TYPES, classes, side
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.allowed_names import Mistake, below, in_words
from guidebench.pipeline.experiment.config import Dataset
from guidebench.pipeline.jobs import published_keys
from guidebench.pipeline.jobs.published_keys import (
    Levels,
    PatchUNet,
    Scheduler,
    ShuffleUNet,
    UNet2DModel,
    refused,
)

NETWORKS: dict[str, type[Levels | ShuffleUNet]] = {
    "UNet2DModel": UNet2DModel,
    "PatchUNet": PatchUNet,
    "ShuffleUNet": ShuffleUNet,
}
SCHEDULERS = ("DDPMScheduler", "DDIMScheduler")
# what we have none of but the default
SCHEDULER = {"thresholding": False, "rescale_betas_zero_snr": False, "clip_sample_range": 1.0}
# as `sampling.variance`
VARIANCES = {"fixed_small": 0.0, "fixed_small_log": 0.0, "fixed_large": 1.0}
# float32 betas in a file
ROUNDING = 1e-5


def mistakes(dataset: Dataset, channels: int | None, betas: Sequence[float]) -> Iterator[Mistake]:
    """Keys of a data set that its denoiser's checkpoint contradicts.

    `channels`: of the images, None where they are not known; `betas`: of the config's schedule.
    """
    files = published.files(dataset.denoiser)
    try:
        yield from _network(dataset, files.config, channels)
        if files.scheduler is not None:
            yield from _scheduler(dataset, files.scheduler, betas)
    except UserError as error:
        yield "denoiser.checkpoint", error, "files as diffusers writes them"


def check(name: str, dataset: Dataset, channels: int, betas: Sequence[float]) -> None:
    """UserError with all `mistakes` of the data set of that name."""
    if lines := in_words(below(f"datasets.{name}", mistakes(dataset, channels, betas))):
        raise UserError("; ".join(lines))


def _read(path: Path) -> dict[str, Any]:
    """The JSON object in a file; UserError when there is none."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{path} ({error})") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} ({type(content).__name__} in the place of keys)")
    return content


def _network(dataset: Dataset, path: Path, channels: int | None) -> Iterator[Mistake]:
    content = _read(path)
    if (name := content.get("_class_name")) not in list(NETWORKS):
        yield refused(path, "_class_name", name, ", ".join(NETWORKS))
        return
    for key in ("gradient_checkpointing", "compile"):
        if getattr(dataset.sampling, key) and not issubclass(NETWORKS[name], Levels):
            yield f"sampling.{key}", "true", f"false with {name} ({path})"
    if wrong := list(published_keys.mistakes(path, content, NETWORKS[name])):
        yield from wrong
        return
    network = NETWORKS[name].model_validate(content)
    if channels is not None and network.in_channels != channels:
        allowed = f"{channels}, as the images have"
        yield refused(path, "in_channels", network.in_channels, allowed)
    elif isinstance(network, Levels) and network.out_channels != network.in_channels:
        allowed = f"in_channels ({network.in_channels})"
        yield refused(path, "out_channels", network.out_channels, allowed)
    if isinstance(network, Levels):
        yield from _lengths(network, path, dataset.schedule.timesteps)
        size = side(dataset.data)
        if isinstance(network, PatchUNet):
            yield from _patches(network, path, content, size)
        sides = network.sample_size
        if sides is not None and set(sides if isinstance(sides, list) else [sides]) != {size}:
            yield refused(path, "sample_size", sides, f"the side of data's images ({size})")
    names, tokens = classes(dataset.data), network.num_class_embeds
    if tokens is not None and (not names or tokens != len(names) + 1):
        labelled = f" or {len(names) + 1} (data's classes and the null token)" if names else ""
        yield refused(path, "num_class_embeds", tokens, f"null{labelled}")
    for setup_name, setup in dataset.setups.items():
        by_label = {"guidance": setup.guidance == "cfg", "conditional": setup.conditional}
        for key in (key for key, needed in by_label.items() if tokens is None and needed):
            value = str(getattr(setup, key)).lower()
            yield f"setups.{setup_name}.{key}", value, f"none of a network without labels ({path})"


def _patches(
    network: PatchUNet, path: Path, content: dict[str, Any], size: int
) -> Iterator[Mistake]:
    """Patches that the images do not have, and keys that it does not read as UNet2DModel does."""
    if size % network.patch:
        yield refused(path, "patch", network.patch, f"a divisor of the image side ({size})")
    unread = UNet2DModel.model_fields.keys() - PatchUNet.model_fields.keys()
    for key in (key for key in content if key in unread):
        yield refused(path, key, content[key], "no such key of a PatchUNet")


def _lengths(network: Levels, path: Path, timesteps: int) -> Iterator[Mistake]:
    """Keys without an entry for each of the network's levels, or for each time."""
    count = len(network.down_block_types)
    for key in ("up_block_types", "block_out_channels"):
        if len(entries := getattr(network, key)) != count:
            yield refused(path, key, entries, f"{count} of them, as many as down_block_types")
    if isinstance(network, UNet2DModel) and network.time_embedding_type == "learned":
        if (network.num_train_timesteps or 0) < timesteps:
            allowed = f"at least the {timesteps} of schedule.timesteps"
            yield refused(path, "num_train_timesteps", network.num_train_timesteps, allowed)


def _scheduler(dataset: Dataset, path: Path, betas: Sequence[float]) -> Iterator[Mistake]:
    content = _read(path)
    if (name := content.get("_class_name")) not in SCHEDULERS:
        yield refused(path, "_class_name", name, ", ".join(SCHEDULERS))
        return
    if wrong := list(published_keys.mistakes(path, content, Scheduler)):
        yield from wrong
        return
    scheduler = Scheduler.model_validate(content)
    if wrong := [
        refused(path, key, found, json.dumps(ours))
        for key, ours in SCHEDULER.items()
        if (found := getattr(scheduler, key)) != ours
    ]:
        yield from wrong
        return
    if not _equal(betas, theirs := _betas(scheduler)):
        yield "schedule", _shown(dataset), f"{_ours(scheduler, len(theirs))}, as {path} says"
    names = {value: key for key, value in PREDICTION_TYPES.items()}
    said: dict[str, tuple[object, object]] = {
        "denoiser.prediction": (dataset.denoiser.prediction, names[scheduler.prediction_type]),
        "sampling.clip": (dataset.sampling.clip, scheduler.clip_sample),
    }
    sampling = dataset.sampling
    walks = {
        setup.steps or sampling.steps
        for setup in dataset.setups.values()
        if (setup.sampler or sampling.sampler) == "ancestral"
    }
    if walks and name == "DDPMScheduler":
        kind = scheduler.variance_type
        if kind not in VARIANCES:
            yield refused(path, "variance_type", kind, ", ".join(VARIANCES))
            return
        # the file's is meant for all of its steps; of fewer, another may be nearer to the truth
        if len(betas) in walks:
            said["sampling.variance"] = (sampling.variance, VARIANCES[kind])
    for key, (ours, file) in said.items():
        if ours != file:
            yield key, str(ours).lower(), f"{str(file).lower()}, as {path} says"


def _betas(scheduler: Scheduler) -> list[float]:
    """The betas as diffusers makes them."""
    from diffusers import DDPMScheduler

    keys = {"num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas"}
    betas: list[float] = DDPMScheduler(**scheduler.model_dump(include=keys)).betas.tolist()
    return betas


def _equal(ours: Sequence[float], theirs: Sequence[float]) -> bool:
    pairs = zip(ours, theirs, strict=False)
    return len(ours) == len(theirs) and all(isclose(a, b, rel_tol=ROUNDING) for a, b in pairs)


def _shown(dataset: Dataset) -> str:
    keys = dataset.schedule.model_dump(exclude={"betas"})
    return "{" + ", ".join(f"{key}: {str(value).lower()}" for key, value in keys.items()) + "}"


def _ours(scheduler: Scheduler, timesteps: int) -> str:
    """The schedule of a scheduler's config as an experiment says it."""
    if scheduler.trained_betas is not None:
        return f"{{name: ddpm_betas, timesteps: {timesteps}, betas: the trained_betas}}"
    if scheduler.beta_schedule == "squaredcos_cap_v2":
        return f"{{name: ddpm_cosine, timesteps: {timesteps}}}"
    ends = f"beta_start: {scheduler.beta_start}, beta_end: {scheduler.beta_end}"
    if scheduler.beta_schedule == "scaled_linear":
        return f"{{name: ddpm_scaled_linear, timesteps: {timesteps}, {ends}}}"
    return f"{{name: ddpm_linear, timesteps: {timesteps}, {ends}, rescale: false}}"
