"""The keys of a section that results depend on."""

from typing import Any

# how a run goes
RUNTIME_KEYS = {"checkpoint_every", "nodes", "gradient_checkpointing"}
# where files from outside lie: they are known by their content (`outside_files`)
PLACES = {"root", "table", "download", "otherwise", "checkpoint", "revision"}


def placeless(section: dict[str, Any]) -> dict[str, Any]:
    """A section without the keys that say where its files are."""
    return {key: value for key, value in section.items() if key not in PLACES}


def classifier(section: dict[str, Any]) -> dict[str, Any]:
    """A classifier's section: how it is trained, or how what is none of ours is read."""
    kept = placeless(results(section))
    return kept if section["checkpoint"] is None else kept | {"checkpoint": True}


def denoiser(section: dict[str, Any]) -> dict[str, Any]:
    """A denoiser's section: how it is trained, or that it is none of ours."""
    if section["checkpoint"] is not None:
        return {"checkpoint": True, "prediction": section["prediction"]}
    return placeless(results(section))


def results(model: dict[str, Any]) -> dict[str, Any]:
    """A section without the keys of how a run goes."""
    return {key: value for key, value in model.items() if key not in RUNTIME_KEYS}
