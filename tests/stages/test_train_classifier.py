"""What a classifier from a file must answer to the held-out images."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from weight_files import section, write_content

from guidebench.data.dataset import DataSet
from guidebench.data.store import write
from guidebench.models.classifier import Classifier
from guidebench.pipeline.errors import UserError
from guidebench.stages import train_classifier


def test_logits_that_are_not_finite_are_one_line(tmp_path: Path) -> None:
    """Each image was of the first class."""
    images = np.random.default_rng(0).integers(0, 256, (6, 3, 16, 16), dtype=np.uint8)
    write(DataSet(images, np.arange(6) % 3, ["a", "b", "c"]), tmp_path / "validation")
    state = Classifier("mobilenet_v3_small", 3, None, 3).body.state_dict()
    state["features.0.1.running_var"].fill_(-1)
    path = write_content(tmp_path / "weights.pth", state)
    options = SimpleNamespace(classifiers={"clean": section(path)})
    stage: Any = SimpleNamespace(
        job=SimpleNamespace(dataset="d", classifier="clean"),
        layout=SimpleNamespace(data=lambda _: tmp_path, classifier=lambda *_: tmp_path / "ours"),
        options=options,
        use=lambda *_: {},
        resume=lambda: None,
        device=torch.device("cpu"),
    )
    with pytest.raises(UserError) as caught:
        train_classifier.run(stage)
    said = "(its outputs are not finite), allowed: weights that give finite numbers"
    assert str(caught.value) == f"checkpoint: found {path} {said}"
    assert not (tmp_path / "ours").exists()
