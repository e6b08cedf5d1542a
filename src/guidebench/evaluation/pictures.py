"""Sheets of an evaluation: samples beside reference images, and the nearest of these."""

import numpy as np
from PIL import Image

from guidebench.evaluation.form import Images, fitted
from guidebench.evaluation.found import Gaussian
from guidebench.metrics.copies import Nearest
from guidebench.report.figures import sheets

SHOWN, CLOSEST, LARGEST = 24, 12, 64  # of each side; samples that are nearest; pixels of a side


def beside(samples: Images, reference: Images | Gaussian) -> Image.Image:
    """The first samples, and as many reference images."""
    rows = [("samples", _small(samples.images[:SHOWN]))]
    if isinstance(reference, Images):
        rows.append(("reference", _small(reference.images[:SHOWN])))
    return sheets.sheet(rows)


def closest(samples: Images, reference: Images, found: Nearest) -> Image.Image:
    """The samples that are nearest to a reference image, each above that one.

    `found`: of the first samples, with rows of the reference.
    """
    places = np.argsort(found.distance, kind="stable")[:CLOSEST]
    rows = [
        ("closest samples", _small(samples.images[places])),
        ("nearest reference", _small(reference.images[found.row[places]])),
    ]
    return sheets.sheet(rows)


def _small(images: np.ndarray) -> np.ndarray:
    height, width = images.shape[2:]
    scale = LARGEST / max(height, width, LARGEST)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    return np.stack([fitted(image, *size) for image in images])
