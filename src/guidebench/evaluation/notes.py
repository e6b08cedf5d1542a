"""What a reader must know of both sides before believing a number: one line each."""

from collections import Counter
from collections.abc import Iterator

from guidebench.evaluation.form import RESIZE, Images
from guidebench.evaluation.found import NO_CLASS, Gaussian
from guidebench.evaluation.measures import Compared
from guidebench.report.words import plural

FEW = 256  # docs/statistics.md: with fewer no measure tells near distributions apart


def notes(samples: Images, reference: Images | Gaussian) -> Iterator[str]:
    """What is odd about the images, or was done with them."""
    sides = {"samples": samples}
    if isinstance(reference, Gaussian):
        yield "the reference is a mean and a covariance: intervals have no error of the reference"
    else:
        sides["reference"] = reference
    for name, side in sides.items():
        yield from _of_one(name, side)
    counts = Counter(samples.looks)
    if again := len(samples.images) - len(counts):
        yield f"{again} of {len(samples.images)} samples are exact duplicates of another sample"
    if isinstance(reference, Gaussian):
        return
    if same := sum(counts[look] for look in {*reference.looks} & {*counts}):
        yield f"{same} of {len(samples.images)} samples have the very pixels of a reference image"
    mine, theirs = ({*side.labels.tolist()} - {NO_CLASS} for side in (samples, reference))
    if mine and theirs:
        for name, lack in {"samples": theirs - mine, "reference images": mine - theirs}.items():
            if lack:
                yield f"none of the {name} is labelled {' or '.join(sorted(lack))}"


def _of_one(name: str, side: Images) -> Iterator[str]:
    count, (channels, height, width) = len(side.images), side.images.shape[1:]
    if side.found.diverged:
        yield f"{plural(side.found.diverged, 'image')} of the {name} diverged, and count nowhere"
    if side.resized:
        sizes = len({shape[1:] for shape in side.found.shapes})
        yield (
            f"{side.resized} of {len(side.found.shapes)} {name} ({plural(sizes, 'size')}) were "
            f"resized to {height} x {width}: {RESIZE}"
        )
    grey = sum(shape.channels < channels for shape in side.found.shapes)
    if grey:
        yield f"{grey} of {len(side.found.shapes)} {name} are gray, and repeated to RGB"
    if count < FEW:
        yield f"{name}: {count} images are few: below {FEW} no measure sees a small difference"


def of_features(key: str, one: Compared) -> Iterator[str]:
    """Whether there are enough images for the correction of a Fréchet distance."""
    for name, count in (("samples", one.n), ("reference images", one.m)):
        if 0 < count <= one.d:
            yield (
                f"{key}: {count} {name} for {one.d} features: fd is too large by more than its "
                "correction, and compares at equal n alone; look at kd"
            )
        elif 0 < count < 4 * one.d:
            yield f"{key}: {count} {name} for {one.d} features: fd is corrected roughly"
