"""Feature extractors behind torch-fidelity's interface: pixels, the judge, Inception-v3 for FID."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch_fidelity.feature_extractor_base import FeatureExtractorBase
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from guidebench.data.store import Chosen, to_float
from guidebench.models.classifier import Classifier, predicted
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.records.artifacts import sha256

if TYPE_CHECKING:
    from guidebench.pipeline.experiment.config import Inception

log = logging.getLogger(__name__)


class ClassifierFeatures(FeatureExtractorBase):  # type: ignore[misc]
    """A classifier's last hidden layer as a torch-fidelity extractor of uint8 images."""

    def __init__(self, name: str, classifier: Classifier) -> None:
        super().__init__(name, ["hidden", "predicted", "probabilities"])
        self.classifier = classifier

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        """The names of its features."""
        return ("hidden", "predicted", "probabilities")

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """uint8 [N, C, H, W] to (hidden float32 [N, d], predicted [N], probabilities [N, K]).

        As `models.classifier.predicted`: -1 where the logits are not finite.
        """
        images = to_float(x.cpu().numpy(), next(self.classifier.parameters()).device)
        hidden, logits = self.classifier.hidden_and_logits(images)
        if logits.shape[1] == 1:  # an attribute: absent, present
            probabilities = torch.sigmoid(torch.cat((-logits, logits), dim=1))
        else:
            probabilities = torch.softmax(logits, dim=1)
        return hidden, predicted(logits), probabilities


class PixelFeatures(FeatureExtractorBase):  # type: ignore[misc]
    """Pixels in [0, 1], of images that are first shrunk to a side of at most SIDE."""

    SIDE = 32

    def __init__(self) -> None:
        super().__init__("pixels", ["pixels"])

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        """The names of its features."""
        return ("pixels",)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """uint8 [N, C, H, W] to float32 [N, C H W]; shrunk bilinearly, with antialiasing."""
        images, largest = x.float() / 255, max(x.shape[2:])
        if largest > self.SIDE:
            size = [max(1, round(side * self.SIDE / largest)) for side in x.shape[2:]]
            images = functional.interpolate(images, size, mode="bilinear", antialias=True)
        return (images.flatten(1),)


def inception(options: Inception) -> FeatureExtractorInceptionV3 | None:
    """torch-fidelity's Inception-v3 (2015-12-05), or None, said once, when there are no weights."""
    path = options.weights
    if path is None and not options.download:
        log.info("no Inception weights in the config (metrics.inception): no fid, no cfid")
        return None
    try:
        if path and options.sha256 and (digest := sha256(Path(path))) != options.sha256:
            raise UserError(
                f"metrics.inception.sha256: found {digest} for {path}, allowed: {options.sha256}"
            )
        return FeatureExtractorInceptionV3(
            "inception-v3-compat", ["2048"], feature_extractor_weights_path=path
        )
    except UserError:
        raise
    except Exception as error:  # whatever a wrong file makes torch raise
        line = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"metrics.inception.weights: {path} cannot be loaded ({line})") from error


@torch.no_grad()
def extract(
    extractor: FeatureExtractorBase,
    images: np.ndarray | Chosen,
    device: torch.device,
    batch: int = 128,
) -> list[np.ndarray]:
    """Each of an extractor's features [N, ...] of uint8 images [N, 1 or 3, H, W].

    Gray images are repeated to RGB where the extractor is Inception.
    """
    extractor = extractor.to(device).eval()
    features = []
    for start in range(0, len(images), batch):
        pixels = torch.from_numpy(np.ascontiguousarray(images[start : start + batch]))
        if isinstance(extractor, FeatureExtractorInceptionV3):
            pixels = pixels.expand(-1, 3, -1, -1)
        features.append([feature.cpu().numpy() for feature in extractor(pixels.to(device))])
    return [np.concatenate(batches) for batches in zip(*features, strict=True)]
