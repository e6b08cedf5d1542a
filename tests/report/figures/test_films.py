"""The way from noise to image, as a strip and as an animation."""

from pathlib import Path

from PIL import Image

from guidebench.report.figures import films, sheets
from guidebench.report.tables import Tables


def test_animation_shows_every_frame_of_the_selected_cells(demo: Path, tmp_path: Path) -> None:
    folder = demo / "figures" / "balls"
    with Image.open(folder / "sheet_animation.gif") as animation:
        assert animation.n_frames == 6
        assert animation.info["loop"] == 0
        width = animation.size[0]
    # 3 images as x_t, then the same as x0_pred; the strip has six frames in a row
    strip = Image.open(folder / "sheet_film.png")
    assert width == strip.size[0]
    pictures = sheets.read(demo / "pictures" / "balls.npz")
    empty = {key: value[:0] if key.startswith("film") else value for key, value in pictures.items()}
    assert films.draw(empty, Tables.read(demo / "tables"), "balls", tmp_path) == []
