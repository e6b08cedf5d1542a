"""Extractors of features by name, each with all that decides whether its numbers compare."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch_fidelity.feature_extractor_base import FeatureExtractorBase

from guidebench.evaluation.form import Images
from guidebench.metrics import lite
from guidebench.metrics.extractors import ClassifierFeatures, PixelFeatures, extract, inception
from guidebench.models import classifier
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.config import Inception
from guidebench.pipeline.records.artifacts import PROVENANCE, read_json, sha256

DEFAULT = "efficientnet_lite0"


class Files(NamedTuple):
    """What extractors read: Inception's weights with their digest, the folder of a judge."""

    weights: Path | None = None
    sha256: str | None = None
    judge: Path | None = None


class Embedding(NamedTuple):
    """An extractor, how it is named in a result, and the digest of its weights.

    `saw`: of a judge, the digest of the data set that taught it, and which half of its images.
    """

    key: str
    name: str
    digest: str
    extractor: FeatureExtractorBase
    saw: tuple[str, str] | None = None

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Features [N, d] of images uint8 [N, 1 or 3, H, W]; UserError where one is not finite."""
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        features = extract(self.extractor, images, device)[0]
        if lost := int((~np.isfinite(features).all(axis=1)).sum()):
            found = f"{lost} of {len(features)} images without finite ones"
            raise UserError(f"features of {self.key}: found {found}, allowed: none")
        return features

    def unseen(self, reference: Images) -> np.ndarray | None:
        """Which of a prepared data set's images [N] did not teach a judge; None: not known."""
        if self.saw is None or reference.half is None or self.saw[0] != reference.found.manifest:
            return None
        return ~reference.half if self.saw[1] == "first" else reference.half


def _pixels(files: Files) -> Embedding:
    extractor = PixelFeatures()
    name = f"pixels (sides above {extractor.SIDE}: bilinear, antialiased, torch)"
    return Embedding("pixels", name, "", extractor)


def _inception(files: Files) -> Embedding:
    if files.weights is None or files.sha256 is None:
        found = "no --weights" if files.weights is None else "no --sha256"
        allowed = "both, of torch-fidelity's pt_inception-2015-12-05 weights"
        raise UserError(f"--extractor inception: found {found}, allowed: {allowed}")
    weights, digest = str(files.weights), files.sha256.lower()
    try:
        # without the check of its pattern: another digest is refused all the same
        extractor = inception(
            Inception.model_construct(weights=weights, sha256=digest, download=False)
        )
    except UserError as error:  # of keys of a config
        raise UserError(str(error).replace("metrics.inception.", "--")) from error
    name = "inception-v3-compat (299: bilinear as in TensorFlow 1, torch-fidelity)"
    return Embedding("inception", name, digest, extractor)


def _lite(files: Files) -> Embedding:
    name = f"efficientnet_lite0 ({lite.SIDE}: bicubic, antialiased, torch)"
    return Embedding("efficientnet_lite0", name, lite.SHA256, lite.LiteFeatures())


def _judge(files: Files) -> Embedding:
    if files.judge is None:
        allowed = "the folder of a classifier, results/<name>/<data set>/classifiers/judge"
        raise UserError(f"--extractor judge: found no --judge, allowed: {allowed}")
    network = classifier.load(files.judge, torch.device("cpu"))
    digest, told, saw = sha256(files.judge / "model.safetensors"), files.judge / PROVENANCE, None
    if told.is_file():
        provenance = read_json(told)
        data = [v for k, v in provenance["inputs"].items() if k.endswith("data/manifest.json")]
        saw = data[0], provenance["spec"]["classifier"]["half"]
    size = network.preprocess.size
    resize = f"{size}: bilinear, antialiased, torch" if size else "no resize"
    extractor = ClassifierFeatures("judge", network)
    return Embedding("judge", f"judge {digest[:8]} ({resize})", digest, extractor, saw)


EXTRACTORS: dict[str, Callable[[Files], Embedding]] = {
    "pixels": _pixels,
    "efficientnet_lite0": _lite,
    "inception": _inception,
    "judge": _judge,
}


def embedding(key: str, files: Files) -> Embedding:
    """The extractor of that name in EXTRACTORS; UserError where its files are not there."""
    return EXTRACTORS[key](files)
