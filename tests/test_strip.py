"""`guidebench strip`: a picture of the user's noised along a data set's forward process."""

import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import REPOSITORY
from PIL import Image

from guidebench import api
from guidebench.pipeline import cli
from guidebench.stages.pictures import PICTURE, opened, strip

SMOKE = str(REPOSITORY / "workflow/config/smoke.yaml")


@pytest.fixture
def lion(tmp_path: Path) -> Path:
    """A smooth picture, twice as wide as high, turned by its EXIF tag."""
    y, x = np.mgrid[:150, :300]
    pixels = np.stack((x * 255 // 299, y * 255 // 149, 128 + 0 * x), axis=-1).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by a quarter
    Image.fromarray(pixels).save(path := tmp_path / "lion.jpg", exif=exif, quality=95)
    return path


def test_from_itself_to_noise(lion: Path) -> None:
    image = opened(lion)
    assert image.shape == (1, 3, PICTURE, PICTURE // 2)
    options = api.load(SMOKE).config.datasets["sportballs"]
    noisy, times = strip(options, image, 0)
    assert noisy.shape == (8, 3, PICTURE, PICTURE // 2)
    assert times.tolist() == sorted(times)
    assert times[0] == 0
    assert times[-1] == options.schedule.timesteps - 1
    likeness = [np.corrcoef(image.ravel(), one.ravel())[0, 1] for one in noisy]
    assert likeness[0] > 0.98
    assert likeness == sorted(likeness, reverse=True)
    assert likeness[-1] < 0.1


def _exit(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["guidebench", "strip", *map(str, arguments)])
    with pytest.raises(SystemExit) as done:
        cli.main()
    return int(done.value.code)


def test_the_command_draws_it(lion: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    output = tmp_path / "drawn.png"
    assert _exit(monkeypatch, lion, "--config", SMOKE, "--output", output) == 0
    assert capsys.readouterr().out == f"{output}\n"
    with Image.open(output) as drawn:
        assert drawn.width > 8 * PICTURE // 2
        first = np.asarray(api.load(SMOKE).strip(lion))
        assert (np.asarray(drawn) == first).all()
    two = ("--set", "datasets.mnist.strip=[0, 99]", "--dataset", "mnist", "--output", output)
    assert _exit(monkeypatch, lion, "--config", SMOKE, *two) == 0
    with Image.open(output) as drawn:
        assert 3 * drawn.width < first.shape[1]


def test_bad_input_is_one_line(lion: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    text = tmp_path / "text.png"
    text.write_text("no picture")
    for arguments, words in (
        ((tmp_path / "none.png",), "none.png: found no picture"),
        ((text,), "text.png: found no picture"),
        ((lion, "--dataset", "lions"), "data set: found lions, allowed: sportballs, mnist"),
        ((lion, "--output", tmp_path / "no/strip.png"), "strip.png"),
        ((lion, "--output", tmp_path / "strip.lion"), "allowed: a picture file"),
    ):
        assert _exit(monkeypatch, *arguments, "--config", SMOKE) == 2
        error = capsys.readouterr().err
        assert words in error
        assert error.count("\n") == 1
