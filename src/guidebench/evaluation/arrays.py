"""Images in files of arrays: somebody's .npz, cells and prepared data sets of ours, moments."""

import re
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from guidebench.data import store
from guidebench.evaluation.found import NO_CLASS, Found, Gaussian, of_array
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.records.artifacts import digest_of, read_json

ALLOWED = "an array of 4 dimensions, uint8 [N, H, W, C] or [N, C, H, W] with C 1 or 3"
CELL = ("images", "diverged", "labels")
Arrays = Mapping[str, np.ndarray]


def of_npz(path: Path) -> Found | Gaussian:
    """The first array of four dimensions, or else `mu` and `sigma`; UserError where neither is.

    guided-diffusion's files have `arr_0` and, of classes, `arr_1`; its reference batches have
    moments beside the images, which are then not read.
    """
    arrays = _arrays(path)
    if set(CELL) <= set(arrays):
        return of_cell([path])
    images = next((array for array in arrays.values() if array.ndim == 4), None)
    if images is not None:
        pixels = _pixels(images, path)
        vectors = [a for a in arrays.values() if a.shape == images.shape[:1]]
        labels = [a.tolist() for a in vectors if a.dtype.kind in "iu"]
        return of_array(str(path), ".npz", pixels, labels[0] if labels else None)
    if {"mu", "sigma"} <= set(arrays):
        return _gaussian(path, arrays["mu"], arrays["sigma"])
    found = ", ".join(f"{name} {a.dtype} {list(a.shape)}" for name, a in arrays.items())
    raise UserError(f"{path}: found {found or 'no array'}, allowed: {ALLOWED}, or mu and sigma")


def of_cell(paths: list[Path]) -> Found:
    """The samples of a cell's seed blocks, of the evaluation's where there are such.

    Those that did not diverge. UserError where a file is no seed block.
    """
    paths = [path for path in paths if path.name.startswith("evaluation-")] or paths
    paths = sorted(paths, key=lambda path: [int(n) for n in re.findall(r"\d+", path.stem)])
    parts = [_arrays(path) for path in paths]
    for path, part in zip(paths, parts, strict=True):
        if not set(CELL) <= set(part):
            found = ", ".join(part) or "no array"
            allowed = f"{', '.join(CELL)}, as a cell's blocks have them"
            raise UserError(f"{path}: found {found}, allowed: {allowed}, or the path of one .npz")
    images, diverged, labels = (np.concatenate([part[key] for part in parts]) for key in CELL)
    kept, where = ~diverged, str(paths[0].parent if paths[1:] else paths[0])
    if not kept.any():
        raise UserError(
            f"{where}: found {len(kept)} images that diverged, allowed: one that did not"
        )
    names = _classes(paths[0])
    cell = of_array(where, "cell", images[kept], _named(labels[kept], names))
    seeds = np.flatnonzero(kept), len(kept)
    return cell._replace(seeds=seeds, diverged=int(diverged.sum()))


def of_prepared(folder: Path) -> Found:
    """A prepared data set's images; UserError where it is damaged."""
    data = store.read(folder)
    images, labels = data.images[:], _named(data.labels, data.classes)
    found = of_array(str(folder), "prepared", images, labels)
    half, manifest = np.zeros(len(labels), bool), folder.parent / "manifest.json"
    first = store.half(data, "first").images
    half[first.rows if isinstance(first, store.Chosen) else ()] = True
    files = read_json(manifest)["files"] if manifest.is_file() else None
    return found._replace(half=half, manifest=files and digest_of(files))


def _named(labels: np.ndarray, classes: list[str]) -> list[str]:
    names = dict(enumerate(classes)) | {-1: NO_CLASS}
    return [names.get(number, str(number)) for number in labels.tolist()]


def _classes(block: Path) -> list[str]:
    """The names of the classes of a cell's data set, where it lies as its run left it."""
    for folder in block.resolve().parents:
        told = folder.parent / "data" / "train" / "meta.json"
        if folder.name == "samples" and told.is_file():
            names: list[str] = read_json(told)["classes"]
            return names
    return []


def _arrays(path: Path) -> Arrays:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        allowed = "arrays of numbers, as numpy.savez writes them"
        raise UserError(f"{path}: cannot be read ({error}), allowed: {allowed}") from error


def _pixels(images: np.ndarray, path: Path) -> np.ndarray:
    """Images uint8 [N, C, H, W] from one of both layouts, of bytes or of floats."""
    shape = f"{images.dtype} {list(images.shape)}"
    if images.shape[3] in (1, 3):
        images = images.transpose(0, 3, 1, 2)
    elif images.shape[1] not in (1, 3):
        raise UserError(f"{path}: found {shape}, allowed: {ALLOWED}")
    if images.dtype == np.uint8:
        return np.ascontiguousarray(in_bytes(images, str(path)))
    low, high = (float(images.min()), float(images.max())) if images.size else (0.0, 0.0)
    # NaN is in no range
    if images.dtype.kind != "f" or not -1 <= low <= high <= 1:
        found = f"{shape} from {low:g} to {high:g}"
        raise UserError(f"{path}: found {found}, allowed: uint8, or floats in [-1, 1] or [0, 1]")
    scaled = (images + 1) / 2 if low < 0 else images
    return np.ascontiguousarray((scaled * 255).round().astype(np.uint8))


def in_bytes(images: np.ndarray, where: str) -> np.ndarray:
    """Images uint8 as they are; UserError where they can only be meant to be in [0, 1]."""
    if images.size and images.dtype == np.uint8 and images.max() <= 1:
        found = f"uint8 pixels from {images.min()} to {images.max()}"
        raise UserError(f"{where}: found {found}, allowed: 0 to 255")
    return images


def _gaussian(path: Path, mean: np.ndarray, covariance: np.ndarray) -> Gaussian:
    size = mean.size
    if mean.shape != (size,) or covariance.shape != (size, size) or size == 0:
        found = f"mu {list(mean.shape)} and sigma {list(covariance.shape)}"
        raise UserError(f"{path}: found {found}, allowed: [d] and [d, d]")
    both = [array.astype(np.float64) for array in (mean, covariance)]
    if not all(np.isfinite(array).all() for array in both):
        raise UserError(f"{path}: found mu or sigma that is not finite, allowed: finite numbers")
    return Gaussian(str(path), *both)
