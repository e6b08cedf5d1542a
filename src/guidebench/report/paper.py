"""What the nrCG paper reports of its data sets, and which of them an experiment's is.

Values are of its tables 1 to 3 and section 3; how its pictures are made is of its public code.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Numbers(NamedTuple):
    """One half of the paper's tables 1 to 3: accuracy in %, FID and cFID; no errors are given."""

    accuracy: float
    fid: float
    cfid: float


class Published(NamedTuple):
    """The paper's table of one data set, and what its text and code say of how it was made."""

    name: str
    table: int
    source: str  # of a config's data section
    size: int  # of the images, in pixels
    targets: tuple[str, ...]  # class to generate, as the paper's text and as copies name it
    train: int  # training images, at least
    n: int  # samples
    scale: float  # guidance scale of the conditional ones: clean, x0, EMA 0.99
    timesteps: int  # of the forward process, and as many sampling steps
    parameters: int  # of the denoiser
    epochs: int | None  # of its training; None: read from a checkpoint
    unguided: Numbers
    conditional: Numbers


DIAMETERS = "9 to 25 of 64 pixels wide"  # of the public code's balls
GENERATIONS = 256  # of each kind, in figure 9
CLASSIFIER = "mobilenet_v3_small"
PAPER = [
    Published(
        name="CelebA",
        table=1,
        source="celeba",
        size=64,
        targets=("Male: false",),
        train=160_000,
        n=50_176,
        scale=150,
        timesteps=400,
        parameters=22_411_843,
        epochs=1000,
        unguided=Numbers(55.67, 17.68, 30.96),
        conditional=Numbers(99.99, 29.37, 13.90),
    ),
    Published(
        name="SportBalls",
        table=2,
        source="sportballs",
        size=64,
        targets=("baseball",),
        train=80_000,
        n=50_176,
        scale=15,
        timesteps=400,
        parameters=22_411_843,
        epochs=1000,
        unguided=Numbers(29.63, 54.37, 155.19),
        conditional=Numbers(91.05, 69.64, 18.52),
    ),
    Published(
        name="CelebA-HQ",
        table=3,
        source="folder",
        size=256,
        targets=("Male: false", "label: false"),  # the latter: docs/data.md
        train=28_000,
        n=1024,
        scale=10,
        timesteps=1000,
        parameters=113_673_219,  # google/ddpm-celebahq-256
        epochs=None,
        unguided=Numbers(77.1, 45.57, 49.70),
        conditional=Numbers(99.02, 50.67, 42.18),
    ),
]


def published(facts: Mapping[str, Any]) -> Published | None:
    """The paper's table of the data set that these facts are of; None where it has none.

    By the source in the config, never by a name. Any folder of pictures may be one of CelebA-HQ's
    if its size and target are.
    """
    for paper in PAPER:
        same = facts["image_size"] == paper.size and facts["target"] in paper.targets
        if facts["data"]["source"] == paper.source and (paper.source != "folder" or same):
            return paper
    return None


def unlike(facts: Mapping[str, Any]) -> str:
    """How a data set's images differ from the paper's, by its config; "" where they do not.

    `facts`: of a source that the paper has a table of.
    """
    data = facts["data"]
    if data["source"] == "sportballs":
        wide = _diameters(data)
        ours, theirs = ("", "") if wide == DIAMETERS else (f", {wide}", DIAMETERS)
        if "one_draw" in facts["paper_compat"]:
            return f"our own balls{ours}" + (f": the paper's are {theirs}" if theirs else "")
        return (
            f"our own balls{ours}, place and turn independent of the class: the paper's code draws "
            "all from one reseeded generator" + (f", {theirs}" if theirs else "")
        )
    if data["source"] == "folder":
        return "that the folder holds CelebA-HQ is not known here"
    if data.get("crop") == "squash":
        return ""
    side = f"of {data['crop']} pixels" if data.get("crop") else "as large as it fits"
    return (
        f"faces cut to a central square {side}: the paper's code presses 178 x 218 pixels into a "
        "square (its text does not say)"
    )


def _diameters(data: Mapping[str, Any]) -> str:
    """How large the balls are."""
    if data.get("diameters"):
        least, most = min(data["diameters"]), max(data["diameters"])
        return f"{least} to {most} of {data['size']} pixels wide"
    return "{:g} to {:g} of the side wide".format(*data["scale"])
