"""What the denoiser is trained on."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from guidebench.data.dataset import DataSet
from guidebench.data.store import write
from guidebench.pipeline.experiment import sections
from guidebench.stages import train_denoiser


class Trained(Exception):
    """Where the training would begin."""


@pytest.mark.parametrize(("switches", "count"), [([], 6), (["validation_images"], 10)])
def test_held_out_images_are_of_the_switch_alone(
    switches: list[str], count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, shade, number in (("train", 10, 6), ("validation", 200, 4)):
        images = np.full((number, 1, 8, 8), shade, np.uint8)
        write(DataSet(images, np.arange(number) % 2, ["a", "b"]), tmp_path / name)

    def train(data: Any, options: Any, *others: Any) -> None:
        shades = data.images[np.arange(len(data.images))][:, 0, 0, 0]
        assert shades.tolist() == [10] * 6 + [200] * (count - 6)
        assert len(data.labels) == count
        raise Trained

    monkeypatch.setattr(train_denoiser, "train", train)
    stage: Any = SimpleNamespace(
        job=SimpleNamespace(dataset="d"),
        layout=SimpleNamespace(data=lambda _: tmp_path, denoiser=lambda _: tmp_path),
        options=SimpleNamespace(denoiser=sections.Denoiser(paper_compat=switches)),
        use=lambda *_: {},
        resume=lambda: None,
        schedule=lambda: None,
        seed=lambda *_: 0,
        events=None,
        device=None,
    )
    with pytest.raises(Trained):
        train_denoiser.run(stage)
