"""How much the shown samples of two cells differ."""

import numpy as np
from conftest import REPOSITORY

from guidebench import workload
from guidebench.pipeline.experiment.reading import load
from guidebench.stages.pictures import pixels


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
