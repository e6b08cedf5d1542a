"""How each metric of guided samples is shown: one record for its figure, caption and column."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

_FLOOR = (
    "Dotted line: floor, held-out real images scored like samples; dashed: unguided samples, "
    "once for each sampler and number of steps of the setups; their bands and all bars are 95 % "
    "intervals. Crosses: broken, too many images diverged. "
)
_CORRECTED = (
    "Corrected for the bias of n images by the jackknife, with the reference's error "
    "counted; tables give the raw value beside it. "
)


_ACCURACY = "accuracy (share in the class asked for)"
_FD = "FD, judge's features, lower is better"


class Metric(NamedTuple):
    """A metric in words, and what its values are."""

    title: str  # of its figure
    axis: str  # what the figure's value axis says
    file: str  # name of its figure
    heading: str  # of its caption
    text: str  # of its caption
    column: str = ""  # heading in the table of best setups; "": not a distance of that table
    # share: the axis goes from 0 to 1; distance: from 0 on, logarithmic where values differ much
    values: Literal["share", "distance", "any"] = "any"
    share_of: Literal["samples", "real images", ""] = ""  # what a share's least error counts


# in the order of the page
METRICS = {
    "accuracy_guide": Metric(
        "accuracy by the guiding classifier",
        _ACCURACY,
        "accuracy_guide",
        "Accuracy by the guide against the scale (the paper's figures 5 and 8a)",
        _FLOOR + "The guiding classifier judges its own samples, so an adversarial pattern counts "
        "as success: read it beside the next figure. Unguided, cfg and floor are rated by the "
        "clean classifier here.",
        values="share",
    ),
    "accuracy_judge": Metric(
        "accuracy by the judge",
        _ACCURACY,
        "accuracy_judge",
        "Accuracy by the judge against the scale (beside figures 5 and 8a, not in the paper)",
        _FLOOR + "The judge is a classifier of another architecture, seed and half of the "
        "training data, which never guided. High by the guide but low here means that guidance "
        "fooled the guide.",
        values="share",
    ),
    "fd_judge": Metric(
        "fd_judge (all classes)",
        _FD,
        "fd",
        "Unconditional FD against the scale (the paper's figures 6, 8b, on the judge's features)",
        _FLOOR + _CORRECTED + "Distance to real images of all classes: with one target class it "
        "rises as guidance narrows the samples to it, even when each image is good.",
        "fd_judge",
        values="distance",
    ),
    "fid": Metric(
        "FID (all classes)",
        "FID, Inception-v3, lower is better",
        "fid",
        "Unconditional FID against the scale (the paper's figures 6 and 8b)",
        _FLOOR + _CORRECTED + "The same on Inception-v3 features.",
        "FID",
        values="distance",
    ),
    "cfd_judge": Metric(
        "cfd_judge (target class)",
        _FD,
        "cfd",
        "Conditional FD against the scale (the paper's figures 7, 8c, on the judge's features)",
        _FLOOR + _CORRECTED + "Distance to real images of the target class only, the paper's main "
        "number. It falls while guidance brings the class in and turns up where guidance breaks "
        "images.",
        "cfd_judge",
        values="distance",
    ),
    "cfid": Metric(
        "cFID (target class)",
        "cFID, Inception-v3, lower is better",
        "cfid",
        "Conditional FID against the scale (the paper's figures 7 and 8c)",
        _FLOOR + _CORRECTED + "The same on Inception-v3 features.",
        "cFID",
        values="distance",
    ),
    "is_judge": Metric(
        "Inception score's formula on the judge",
        "Inception score's formula on the judge",
        "is",
        "Inception score's formula against the scale",
        _FLOOR + "exp of the mean KL divergence of p(y | x) from p(y), by the judge: it rises as "
        "images get clearer and classes even. Corrected for the bias of n images. Not comparable "
        "with any published IS.",
    ),
    "diversity_judge": Metric(
        "mean distance within a class (judge)",
        "mean distance within a class (judge)",
        "diversity",
        "Diversity within a class against the scale",
        _FLOOR + "Mean distance, in the judge's features, of an image to the others that the judge "
        "takes for the same class.",
    ),
    "recall_judge": Metric(
        "recall in the judge's features",
        "share",
        "recall",
        "Recall against the scale",
        _FLOOR + "Share of real images (unseen by the judge) that lie among the samples, by third "
        "neighbours in the judge's features: what guidance leaves out. It has no limit in n: "
        "compare equal n only.",
        values="share",
        share_of="real images",
    ),
    "precision_judge": Metric(
        "precision in the judge's features",
        "share",
        "precision",
        "Precision against the scale",
        _FLOOR + "Share of samples that lie among real images, by the same neighbourhoods.",
        values="share",
        share_of="samples",
    ),
}


def metrics(summary: Mapping[str, Any]) -> dict[str, Metric]:
    """Ours, and those of the user's own that an experiment's summary tells of."""
    return METRICS | {name: _own(name, said) for name, said in summary.get("metrics", {}).items()}


def _own(name: str, said: Mapping[str, Any]) -> Metric:
    better = "lower" if said["smaller_is_better"] else "higher"
    return Metric(
        said["title"],
        f"{name}, {better} is better",
        f"metric_{name}",
        f"{said['title']} against the scale ({said['name']})",
        f"{_FLOOR}{_CORRECTED * said['biased']}{said['caption']}",
        f"{name} ({better} is better)",
    )


def exact_share(metric: str) -> bool:
    """Whether it is a share of samples that count one by one, so that its interval is exact."""
    return metric == "diverged" or metric.startswith("accuracy_")  # by any classifier
