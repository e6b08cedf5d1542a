"""Draw every figure and sheet of pictures."""

from guidebench.report.figures import drawing, embedding, films, paper_sheets, sheets, truth
from guidebench.report.tables import Tables
from guidebench.stages.stage import Stage

MEASURED = ("costs.svg", "costs.png", "costs.csv")


def run(stage: Stage) -> None:
    """Write figures/<data set>/*.svg, *.png and *.csv, and the cost figure over all data sets."""
    layout = stage.layout
    stage.use("collect")
    tables = Tables.read(layout.tables)
    paths = drawing.draw_costs(tables, layout.figures)
    for done, dataset in enumerate(tables.datasets):
        folder = layout.figures / dataset
        paths += drawing.draw(tables, dataset, folder)
        pictures = sheets.read(layout.pictures / f"{dataset}.npz")
        paths += sheets.draw(pictures, tables, dataset, folder)
        paths += embedding.draw(pictures, dataset, folder)
        paths += films.draw(pictures, tables, dataset, folder)
        paths += paper_sheets.draw(pictures, tables, dataset, folder)
        stage.events.progress(done + 1, len(tables.datasets))
    for world in tables.worlds:
        pictures = sheets.read(layout.pictures / f"{world}.npz")
        paths += truth.draw(tables, world, pictures, layout.figures / world)
    for path in paths:
        if path.suffix in (".png", ".gif"):
            stage.events.artifact(path)
    names = sorted(path.relative_to(layout.figures).as_posix() for path in paths)
    stage.finish(
        [name for name in names if name not in MEASURED],
        [name for name in names if name in MEASURED],
    )
