"""Extractors behind torch-fidelity's interface; Inception's path with random weights."""

import hashlib
import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from torch_fidelity.feature_extractor_base import FeatureExtractorBase
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from weight_files import random_inception

from guidebench.data.store import to_float
from guidebench.metrics.extractors import ClassifierFeatures, extract, inception
from guidebench.models.classifier import Classifier, predicted
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.config import Inception

CPU = torch.device("cpu")


def _images(count: int, channels: int = 3, size: int = 8) -> np.ndarray:
    chance = np.random.default_rng(0)
    return chance.integers(0, 256, (count, channels, size, size), dtype=np.uint8)


def _extractor() -> ClassifierFeatures:
    torch.manual_seed(0)
    return ClassifierFeatures("judge", Classifier("small_cnn", 3, 6).eval())


def test_classifier_features_are_a_torch_fidelity_extractor() -> None:
    extractor = _extractor()
    assert isinstance(extractor, FeatureExtractorBase)
    assert extractor.get_name() == "judge"
    assert tuple(extractor.get_requested_features_list()) == (
        "hidden",
        "predicted",
        "probabilities",
    )
    with torch.no_grad():
        features = extractor(torch.from_numpy(_images(4)))
    named = extractor.convert_features_tuple_to_dict(features)
    x = to_float(_images(4))
    with torch.no_grad():
        assert torch.equal(named["hidden"], extractor.classifier.hidden_and_logits(x)[0])
        assert torch.equal(named["predicted"], predicted(extractor.classifier(x)))


@pytest.mark.parametrize("channels", [1, 3])
def test_extract_in_batches(channels: int) -> None:
    """A short last batch; other batch sizes round alike within float32."""
    images = _images(10, channels)
    hidden, classes, probabilities = extract(_extractor(), images, CPU, batch=4)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    assert (probabilities.argmax(1) == classes).all()
    assert hidden.shape == (10, 6)
    assert hidden.dtype == np.float32
    assert classes.shape == (10,)
    again, *_ = extract(_extractor(), images, CPU, batch=10)
    np.testing.assert_allclose(hidden, again, rtol=1e-4, atol=1e-6)


def test_extract_sets_eval_mode() -> None:
    extractor = _extractor()
    expected, *_ = extract(extractor, _images(6), CPU)
    extractor.train()
    found, *_ = extract(extractor, _images(6), CPU)
    assert np.array_equal(found, expected)


def test_without_weights_there_is_no_fid_and_it_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert inception(Inception()) is None
    assert "no fid" in caplog.text


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights in the layout of torch-fidelity's pt_inception-2015-12-05 file."""
    return random_inception(tmp_path_factory.mktemp("inception") / "weights.pth")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_inception_with_its_checksum(weights: Path) -> None:
    options = Inception(weights=str(weights), sha256=_sha256(weights))
    extractor = inception(options)
    assert isinstance(extractor, FeatureExtractorInceptionV3)
    gray = _images(2, channels=1, size=28)
    (features,) = extract(extractor, gray, CPU)
    assert features.shape == (2, 2048)
    assert np.isfinite(features).all()
    # gray is repeated to RGB, and torch-fidelity does the rest
    with torch.no_grad():
        (direct,) = extractor(torch.from_numpy(gray.repeat(3, axis=1)))
    np.testing.assert_allclose(features, direct.numpy(), rtol=1e-4, atol=1e-6)


def test_inception_with_another_checksum(weights: Path) -> None:
    options = Inception(weights=str(weights), sha256="0" * 64)
    with pytest.raises(UserError, match=r"metrics\.inception\.sha256") as caught:
        inception(options)
    assert _sha256(weights) in str(caught.value)
    assert "\n" not in str(caught.value)


def _garbage(path: Path, kind: str) -> None:
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("not weights\nat all\n")
    elif kind == "other":
        torch.save({"fc.weight": torch.zeros(2, 2)}, path)
    elif kind == "list":
        torch.save([1, 2], path)
    elif kind == "folder":
        path.mkdir()


@pytest.mark.parametrize("checked", [False, True])
@pytest.mark.parametrize("kind", ["empty", "text", "other", "list", "folder", "absent"])
def test_garbage_weights_are_one_line(tmp_path: Path, kind: str, checked: bool) -> None:
    path = tmp_path / "weights.pth"
    _garbage(path, kind)
    found = _sha256(path) if path.is_file() else "0" * 64
    options = Inception(weights=str(path), sha256=found if checked else None)
    with pytest.raises(
        UserError, match=r"metrics\.inception\.weights: .* cannot be loaded"
    ) as caught:
        inception(options)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
