"""What an experiment chooses by name, where checks before a run and the science need to agree."""

from __future__ import annotations

from typing import Any

from guidebench.pipeline.recording import Methods

EACH = "each"
WITH_MEAN = ("ancestral", "euler_maruyama")  # samplers whose step has a mean that guidance shifts
SPORT_BALLS = ["baseball", "basketball", "volleyball", "soccer ball"]
DIGITS = [str(digit) for digit in range(10)]
FASHION = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker",
           "Bag", "Ankle boot"]  # fmt: skip


def attribute_values(data: Any) -> list[str]:
    """Both values of CelebA's attribute; none without one."""
    return [f"{data.attribute}: false", f"{data.attribute}: true"] if data.attribute else []


CLASSES = Methods(
    sportballs=lambda data: SPORT_BALLS,
    mnist=lambda data: DIGITS,
    fashion_mnist=lambda data: FASHION,
    celeba=attribute_values,
)


def classes(data: Any) -> list[str]:
    """Class names of a data section, known before it is prepared; empty when it has no labels."""
    if ":" in data.source:
        return list(data.classes)
    return list(CLASSES[data.source](data))


def target_name(dataset: Any) -> str:
    """The target as a class name: `3`, `baseball`, `Male: false`."""
    if isinstance(dataset.target, dict):
        return ", ".join(f"{key}: {str(value).lower()}" for key, value in dataset.target.items())
    return str(dataset.target)
