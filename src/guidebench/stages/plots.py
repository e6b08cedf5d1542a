"""Draw every figure and sheet of pictures of one data set, or of one world."""

from guidebench.report.figures import drawing, embedding, films, paper_sheets, sheets, truth
from guidebench.report.tables import Tables
from guidebench.stages.stage import Stage


def run(stage: Stage) -> None:
    """Write figures/<data set>/*.svg, *.png and *.csv."""
    layout, name = stage.layout, stage.job.dataset
    folder = layout.figures / name
    stage.use("collect")
    tables = Tables.read(layout.tables)
    pictures = sheets.read(layout.pictures / f"{name}.npz")
    if name in tables.worlds:
        paths = truth.draw(tables, name, pictures, folder)
    else:
        paths = drawing.draw(tables, name, folder)
        paths += sheets.draw(pictures, tables, name, folder)
        paths += embedding.draw(pictures, name, folder)
        paths += films.draw(pictures, tables, name, folder)
        paths += paper_sheets.draw(pictures, tables, name, folder)
    for path in paths:
        if path.suffix in (".png", ".gif"):
            stage.events.artifact(path)
    stage.finish(sorted(path.relative_to(folder).as_posix() for path in paths))
