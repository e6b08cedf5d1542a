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

NETWORKS = ("UNet2DModel", "ShuffleUNet")
SCHEDULERS = ("DDPMScheduler", "DDIMScheduler")
# of a network or scheduler: what we have; defaults, which a file may leave out, come first
NETWORK = {"class_embed_type": (None,), "time_embedding_type": ("positional", "learned")}
SCHEDULER = {
    "beta_schedule": ("linear", "scaled_linear", "squaredcos_cap_v2"),
    "prediction_type": tuple(PREDICTION_TYPES.values()),
    "thresholding": (False,),
    "rescale_betas_zero_snr": (False,),
    "clip_sample_range": (1.0,),
}
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


def _refused(path: Path, key: str, found: object, allowed: str) -> Mistake:
    return "denoiser.checkpoint", f"{key} {found} in {path}", allowed


def _unknown(
    path: Path, content: dict[str, Any], table: dict[str, tuple[Any, ...]]
) -> Iterator[Mistake]:
    for key, allowed in table.items():
        if (setting := content.get(key, allowed[0])) not in allowed:
            yield _refused(path, key, setting, ", ".join(str(value) for value in allowed))


def _network(dataset: Dataset, path: Path, channels: int | None) -> Iterator[Mistake]:
    content = _read(path)
    if (name := content.get("_class_name")) not in NETWORKS:
        yield _refused(path, "_class_name", name, ", ".join(NETWORKS))
        return
    for key in ("gradient_checkpointing", "compile"):
        if getattr(dataset.sampling, key) and name != "UNet2DModel":
            yield f"sampling.{key}", "true", f"false with {name} ({path})"
    yield from _unknown(path, content, NETWORK)
    images = content.get("in_channels", 3)
    if images != content.get("out_channels", images):
        yield _refused(path, "out_channels", content["out_channels"], f"in_channels ({images})")
    elif channels is not None and images != channels:
        yield _refused(path, "in_channels", images, f"{channels}, as the images have")
    sides, size = content.get("sample_size"), side(dataset.data)
    if sides is not None and set(sides if isinstance(sides, list) else [sides]) != {size}:
        yield _refused(path, "sample_size", sides, f"the side of data's images ({size})")
    names = classes(dataset.data)
    tokens = content.get("num_class_embeds")
    if tokens is not None and (not names or tokens != len(names) + 1):
        labelled = f" or {len(names) + 1} (data's classes and the null token)" if names else ""
        yield _refused(path, "num_class_embeds", tokens, f"null{labelled}")
    for name, setup in dataset.setups.items():
        by_label = {"guidance": setup.guidance == "cfg", "conditional": setup.conditional}
        for key in (key for key, needed in by_label.items() if tokens is None and needed):
            value = str(getattr(setup, key)).lower()
            yield f"setups.{name}.{key}", value, f"none of a network without labels ({path})"


def _scheduler(dataset: Dataset, path: Path, betas: Sequence[float]) -> Iterator[Mistake]:
    content = _read(path)
    if (name := content.get("_class_name")) not in SCHEDULERS:
        yield _refused(path, "_class_name", name, ", ".join(SCHEDULERS))
        return
    if wrong := list(_unknown(path, content, SCHEDULER)):
        yield from wrong
        return
    if not _equal(betas, theirs := _betas(content)):
        yield "schedule", _shown(dataset), f"{_ours(content, len(theirs))}, as {path} says"
    said: dict[str, tuple[object, object]] = {
        "denoiser.prediction": (dataset.denoiser.prediction, _prediction(content)),
        "sampling.clip": (dataset.sampling.clip, content.get("clip_sample", True)),
    }
    sampling = dataset.sampling
    walks = {
        setup.steps or sampling.steps
        for setup in dataset.setups.values()
        if (setup.sampler or sampling.sampler) == "ancestral"
    }
    if walks and name == "DDPMScheduler":
        kind = content.get("variance_type", "fixed_small")
        if kind not in VARIANCES:
            yield _refused(path, "variance_type", kind, ", ".join(VARIANCES))
            return
        # the file's is meant for all of its steps; of fewer, another may be nearer to the truth
        if len(betas) in walks:
            said["sampling.variance"] = (sampling.variance, VARIANCES[kind])
    for key, (ours, file) in said.items():
        if ours != file:
            yield key, str(ours).lower(), f"{str(file).lower()}, as {path} says"


def _prediction(content: dict[str, Any]) -> str:
    names = {value: key for key, value in PREDICTION_TYPES.items()}
    return names[content.get("prediction_type", "epsilon")]


def _betas(content: dict[str, Any]) -> list[float]:
    """The betas as diffusers makes them."""
    from diffusers import DDPMScheduler

    keys = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas")
    try:
        scheduler = DDPMScheduler(**{key: content[key] for key in keys if key in content})
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"betas of {content} ({error})") from error
    betas: list[float] = scheduler.betas.tolist()
    return betas


def _equal(ours: Sequence[float], theirs: Sequence[float]) -> bool:
    pairs = zip(ours, theirs, strict=False)
    return len(ours) == len(theirs) and all(isclose(a, b, rel_tol=ROUNDING) for a, b in pairs)


def _shown(dataset: Dataset) -> str:
    keys = dataset.schedule.model_dump(exclude={"betas"})
    return "{" + ", ".join(f"{key}: {str(value).lower()}" for key, value in keys.items()) + "}"


def _ours(content: dict[str, Any], timesteps: int) -> str:
    """The schedule of a scheduler's config as an experiment says it."""
    if content.get("trained_betas") is not None:
        return f"{{name: ddpm_betas, timesteps: {timesteps}, betas: the trained_betas}}"
    kind = content.get("beta_schedule", "linear")
    if kind == "squaredcos_cap_v2":
        return f"{{name: ddpm_cosine, timesteps: {timesteps}}}"
    ends = (
        f"beta_start: {content.get('beta_start', 1e-4)}, beta_end: {content.get('beta_end', 0.02)}"
    )
    if kind == "scaled_linear":
        return f"{{name: ddpm_scaled_linear, timesteps: {timesteps}, {ends}}}"
    return f"{{name: ddpm_linear, timesteps: {timesteps}, {ends}, rescale: false}}"
