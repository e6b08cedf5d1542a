"""Where the files of a denoiser lie that somebody else trained (docs/checkpoints.md).

`denoiser` is the denoiser section of a config.
"""

import re
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

CONFIG, SCHEDULER = "config.json", "scheduler_config.json"
STEM = "diffusion_pytorch_model"
# the first that is there: float32 before half precision, then safetensors before pickles; each
# whole, or in parts
WEIGHTS = [
    (f"{STEM}{precision}.{ending}", f"{STEM}{precision}-?????-of-?????.{ending}")
    for precision in ("", ".fp16", ".bf16")
    for ending in ("safetensors", "bin")
]


class Files(NamedTuple):
    """The files of a denoiser in diffusers' layout; `scheduler` is None where it has none.

    `weights`: one file, or the parts of one.
    """

    folder: Path
    config: Path
    weights: list[Path]
    scheduler: Path | None

    def named(self) -> dict[str, Path]:
        """All of them, by their paths below the folder."""
        paths = [self.config, *self.weights, *([self.scheduler] if self.scheduler else [])]
        return {path.relative_to(self.folder).as_posix(): path for path in paths}


def files(denoiser: Any) -> Files:
    """The files of a section's checkpoint, also where they are missing."""
    return at(_cached(denoiser) if denoiser.revision else Path(denoiser.checkpoint))


def at(folder: Path) -> Files:
    """The files in a folder: a pipeline's with `unet` and `scheduler`, or a network's alone.

    Early pipelines on the hub have all in one folder.
    """
    unet = folder / "unet" if (folder / "unet").is_dir() else folder
    schedulers = [folder / "scheduler" / SCHEDULER, folder / SCHEDULER]
    # a pipeline without its scheduler is a partial copy
    whole = (folder / "model_index.json").is_file()
    return Files(
        folder,
        unet / CONFIG,
        _weights(unet),
        next((path for path in schedulers if path.is_file()), schedulers[0] if whole else None),
    )


def _weights(unet: Path) -> list[Path]:
    """The first of WEIGHTS that is there, also the parts of it that are missing."""
    for pattern in chain.from_iterable(WEIGHTS):
        if found := sorted(path for path in unet.glob(pattern) if path.is_file()):
            parts = re.fullmatch(r"(.*-)\d{5}(-of-(\d{5})\..*)", found[0].name)
            if parts is None:
                return found
            start, end, count = parts.groups()
            return [unet / f"{start}{number:05d}{end}" for number in range(1, int(count) + 1)]
    return [unet / WEIGHTS[0][0]]


def _cached(denoiser: Any) -> Path:
    """The folder of a hub id's commit in the hub's cache, which may not be there."""
    from huggingface_hub import constants, file_download

    name = file_download.repo_folder_name(repo_id=denoiser.checkpoint, repo_type="model")
    return Path(constants.HF_HUB_CACHE) / name / "snapshots" / str(denoiser.revision)


def download(denoiser: Any) -> None:
    """Bring the files of a hub id into the hub's cache; whatever its client raises.

    Of the weights, only the first of WEIGHTS that is there.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils import logging

    logging.set_verbosity_error()  # it would tell each of its tries
    for weights in WEIGHTS:
        names = [CONFIG, SCHEDULER, "model_index.json", *weights]
        patterns = [f"{folder}{name}" for folder in ("", "unet/", "scheduler/") for name in names]
        snapshot_download(denoiser.checkpoint, revision=denoiser.revision, allow_patterns=patterns)
        if files(denoiser).weights[0].is_file():
            return
