"""The figure of a denoiser's time embedding."""

from pathlib import Path

import numpy as np
import pandas as pd

from guidebench.report.figures import theme

# fractions of the process: t = 10, 12 and 30 of the DDPM notebook's 200
CURVES = (0.05, 0.06, 0.15)
COLORS = ("#0072B2", "#D55E00", "#009E73")


def draw(pictures: dict[str, np.ndarray], dataset: str, folder: Path) -> list[Path]:
    """Draw `time_embedding` into `folder`: times at CURVES as curves, and all of them as rows."""
    embedded, received = pictures["embedding"], pictures["embedding_t"]
    with theme.settings():
        drawn, (curves, every) = theme.figure(8.6, 3.4, columns=2)
        rows = dict.fromkeys(round(share * (len(embedded) - 1)) for share in CURVES)
        for number, row in enumerate(rows):
            curves.plot(
                embedded[row], color=COLORS[number], label=f"t = {received[row]:g}", linewidth=1.2
            )
        curves.set_xlabel("dimension")
        curves.legend(fontsize=9)
        extent = (0, embedded.shape[1], float(received[0]), float(received[-1]))
        image = every.imshow(
            embedded, aspect="auto", origin="lower", extent=extent, cmap="RdBu_r", vmin=-1, vmax=1
        )
        every.grid(False)
        every.set_xlabel("dimension")
        every.set_ylabel("t as the network receives it")
        drawn.colorbar(image, ax=every)
        drawn.suptitle(f"{dataset}: the time embedding", fontsize=10.5)
        places, dimensions = np.indices(embedded.shape)
        values = {"t": received[places.ravel()], "dimension": dimensions.ravel()}
        rows_behind = pd.DataFrame(values | {"value": embedded.ravel()})
        return theme.save(drawn, folder, "time_embedding", rows_behind)
