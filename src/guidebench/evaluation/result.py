"""What an evaluation found: its table, its warnings, and the folder that holds them."""

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from guidebench.evaluation.rows import MEAN, Row
from guidebench.pipeline.records.artifacts import atomic, digest_of, write_json
from guidebench.report.figures import sheets
from guidebench.report.pages import evaluation as page
from guidebench.report.words import MISSING, number, table

HEAD = ["measure", "of", "value", "95 % interval", "n", "reference n", "features", "better"]
HEAD += ["extractor"]
FEW = "†: fewer images than features on one side: too large, and compares at equal n alone"


@dataclass(frozen=True)
class Evaluation:
    """Rows, what both sides and the extractors are, warnings, and pictures by their file's stem."""

    rows: list[Row]
    facts: dict[str, Any]
    warnings: list[str]
    pictures: dict[str, Image.Image]

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per measure, class and extractor: `Row`'s fields."""
        return pd.DataFrame(self.rows, columns=list(Row._fields))

    @property
    def protocol(self) -> str:
        """Two evaluations with this in common compare in every row."""
        return digest_of(sorted(row.protocol for row in self.rows))[:12]

    def __str__(self) -> str:
        """The table but for single classes, and the warnings, as aligned text."""
        lines = [HEAD, *self.shown(classes=False)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        text = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
        text += [FEW] * any(row.few for row in self.rows)
        text += [f"protocol {self.protocol}", *(f"warning: {line}" for line in self.warnings)]
        return "\n".join(text)

    def shown(self, classes: bool) -> list[list[str]]:
        """The cells, as HEAD names them, of single classes, or of all others."""
        return [
            [
                row.measure,
                row.of or "all",
                number(row.value) + " †" * row.few,
                f"[{number(row.low)}, {number(row.high)}]" if math.isfinite(row.low) else MISSING,
                str(row.n),
                str(row.reference_n or MISSING),
                str(row.features),
                row.better,
                row.extractor,
            ]
            for row in self.rows
            if classes == (row.of not in ("", MEAN))
        ]

    def write(self, folder: Path) -> None:
        """Write results.json, results.csv, the pictures and page.html, which needs nothing else."""
        told = {"protocol": self.protocol, **self.facts, "warnings": self.warnings}
        rows = [{k: _finite(v) for k, v in row._asdict().items()} for row in self.rows]
        write_json(folder / "results.json", told | {"rows": rows})
        with atomic(folder / "results.csv") as temporary:
            self.table.to_csv(temporary, index=False)
        files = {name: sheets.save(x, folder / f"{name}.png") for name, x in self.pictures.items()}
        tables = [table(HEAD, self.shown(classes)) for classes in (False, True)]
        with atomic(folder / "page.html") as temporary:
            temporary.write_text(page.render(told, tables, files, FEW))


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
