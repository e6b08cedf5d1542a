"""The way from noise to image: a filmstrip (png) and an animation (gif) of the selected cells."""

from pathlib import Path

import numpy as np

from guidebench.pipeline.records.artifacts import atomic
from guidebench.report import chosen
from guidebench.report.figures import sheets
from guidebench.report.tables import Tables

FRAME_MS, LAST_MS = 250, 2000
FILMS = 6  # guided ones, each two rows of the strip


def draw(pictures: dict[str, np.ndarray], tables: Tables, dataset: str, folder: Path) -> list[Path]:
    """Draw `sheet_film.png` and `sheet_animation.gif` of unguided and the FILMS best guides.

    `pictures` holds `film:<setup>:<scale>`, uint8 [K, F, 2, C, H, W] (x_t, x0_pred); nothing is
    drawn when no trajectory was kept (K = 0).
    """
    films = {label: film for label, film in _films(pictures, tables, dataset) if len(film)}
    if not films:
        return []
    strip = [
        row
        for label, film in films.items()
        for row in ((f"{label}\nx_t", film[0, :, 0]), ("x0_pred", film[0, :, 1]))
    ]
    # setups with few steps of their own have fewer frames
    frames = max(film.shape[1] for film in films.values())
    # x_t of every image, then x0_pred of the same ones
    shots = [
        sheets.sheet(
            [
                (label, np.concatenate(film[:, min(i, film.shape[1] - 1)].swapaxes(0, 1)))
                for label, film in films.items()
            ]
        )
        for i in range(frames)
    ]
    path = folder / "sheet_animation.gif"
    with atomic(path) as temporary:
        shots[0].save(
            temporary,
            format="gif",
            save_all=True,
            append_images=shots[1:],
            loop=0,
            duration=[FRAME_MS] * (frames - 1) + [LAST_MS],
        )
    return [sheets.save(sheets.sheet(strip, per_row=frames), folder / "sheet_film.png"), path]


def _films(
    pictures: dict[str, np.ndarray], tables: Tables, dataset: str
) -> list[tuple[str, np.ndarray]]:
    unguided = tables.unguided(dataset)
    films = [(unguided.setup, pictures.get(f"film:{unguided.key}"))]
    for cell in chosen.pictured(tables, dataset, FILMS):
        films.append((f"{cell.setup}, {cell.scale:g}", pictures.get(f"film:{cell.key}")))
    return [(label, film) for label, film in films if film is not None]
