"""How much the shown samples of two cells differ."""

from pathlib import Path

import numpy as np
from conftest import REPOSITORY

from guidebench import workload
from guidebench.base.cells import Cell
from guidebench.pipeline.experiment.reading import load
from guidebench.stages.pictures import _judged, generated, pixels, shown


def test_every_pair_of_cells_once_by_mean_absolute_difference() -> None:
    config = load(str(REPOSITORY / "workflow/config/smoke.yaml"))
    cells = workload.cells(config, "mnist")
    assert [cell.path.split("/")[-1] for cell in cells] == [
        "scale-none",
        "scale-10",
        "scale-0",
        "scale-3",
    ]
    levels = dict(
        zip(
            ("unguided:none", "noise_trained/raw:10", "cfg:0", "cfg:3"),
            (10, 250, 12, 10),
            strict=True,
        )
    )
    found = {
        f"sample:{name}": np.full((4, 1, 2, 2), level, np.uint8) for name, level in levels.items()
    }
    found["sample:cfg:3"][0, 0, 0, 0] = 26
    rows = pixels(config, "mnist", found).to_dict("records")
    assert len(rows) == 6
    by_pair = {
        (row["setup"], str(row["scale"]), row["other"], str(row["other_scale"])): row
        for row in rows
    }
    # bytes have no signs: 250 and 10 differ by 240, either way round
    assert by_pair["unguided", "nan", "noise_trained/raw", "10.0"]["difference"] == 240
    assert by_pair["noise_trained/raw", "10.0", "cfg", "0.0"]["difference"] == 238
    assert by_pair["unguided", "nan", "cfg", "3.0"]["difference"] == 16 / 16


def test_the_first_256_evaluation_seeds_are_shown_whatever_their_blocks() -> None:
    config = load(str(REPOSITORY / "workflow/config/smoke.yaml"))
    assert generated(config, "mnist") == ["evaluation-0"]  # all of its 16
    mnist = config.datasets["mnist"]
    more = {"evaluation": 1000, "block": 100, "grid_images": 2}
    larger = mnist.model_copy(update={"sampling": mnist.sampling.model_copy(update=more)})
    config = config.model_copy(update={"datasets": {"mnist": larger}})
    assert generated(config, "mnist") == ["evaluation-0", "evaluation-1", "evaluation-2"]
    assert shown(config, "mnist") == [*generated(config, "mnist"), "grid-0"]


def test_the_judges_class_of_each_sample_and_none_of_a_diverged_one(tmp_path: Path) -> None:
    folder = tmp_path / "unguided/scale-none"
    folder.mkdir(parents=True)
    for name, predicted, diverged in (("a", [3, 1], [False, True]), ("b", [0], [False])):
        arrays = {"predicted:judge": np.array(predicted), "diverged": np.array(diverged)}
        np.savez(folder / f"{name}.npz", **arrays)
        np.savez(folder / f"{name}-alone.npz", diverged=arrays["diverged"])
    assert _judged(tmp_path, Cell("unguided"), ["a", "b"]).tolist() == [3, -1, 0]
    # without a judge there is no class
    assert _judged(tmp_path, Cell("unguided"), ["a-alone", "b-alone"]).tolist() == [-1, -1, -1]
