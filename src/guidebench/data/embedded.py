"""Pictures that parquet or Arrow files hold in rows, beside their attributes (Hugging Face)."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from guidebench.data.lists import VALUES, Row, column_of, one_of
from guidebench.data.pictures import BROKEN, Opened
from guidebench.pipeline.errors import UserError

# of some columns, the rows that are read at once
Group = Callable[[list[str]], Any]


def pictures(paths: list[Path], attribute: str | None) -> tuple[dict[str, int], Opened]:
    """(row -> label, what reads a row's picture); rows are named in the order of the files.

    The pictures are the column of bytes, or of structs with `bytes`. UserError for a file without
    one, without the attribute, or that is damaged.
    """
    labels: dict[str, int] = {}
    places: dict[str, tuple[Group, str, int]] = {}
    where: dict[str, str] = {}
    for path in paths:
        count = 0
        try:
            groups, column, others = _opened(path)
            if attribute:
                column_of(attribute, others, path)
            for group in groups:
                table = group([attribute] if attribute else [])
                values = table.column(0).to_pylist() if attribute else [None] * table.num_rows
                for number, said in enumerate(values):
                    name, count = f"{len(labels):09d}", count + 1
                    row = Row(f"row {count}", "its picture", ["" if said is None else str(said)])
                    labels[name] = one_of(VALUES, path, row, 0, [attribute]) if attribute else -1
                    places[name], where[name] = (group, column, number), f"{path}: {row.place}"
        except BROKEN as error:
            raise UserError(f"{path}: truncated or damaged ({error}); fetch it again") from error
    held: dict[Group, Any] = {}

    def read(name: str) -> bytes:
        group, column, number = places[name]
        if group not in held:  # the rows of one group alone: they are asked for in order
            held.clear()
            held[group] = group([column]).column(0)
        cell = held[group][number].as_py()
        found: bytes | None = cell["bytes"] if isinstance(cell, dict) else cell
        return found or b""  # a row without a picture, or with its path alone

    return labels, Opened(read, where.__getitem__)


def values(paths: list[Path], column: str) -> list[str]:
    """The texts of a column in the order of `pictures`' rows, names of classes for their numbers.

    Empty where a file has no such column. UserError for one that is damaged.
    """
    found: list[str] = []
    for path in paths:
        try:
            groups, _, others = _opened(path)
            if column not in others:
                return []
            tables = [group([column]) for group in groups]
            names = _class_names(tables[0].schema, column) if tables else []
            for table in tables:
                for cell in table.column(0).to_pylist():
                    said = names[cell] if names and cell is not None else cell
                    found.append("" if said is None else str(said))
        except BROKEN as error:
            raise UserError(f"{path}: truncated or damaged ({error}); fetch it again") from error
    return found


def _class_names(schema: Any, column: str) -> list[str]:
    """What Hugging Face's `ClassLabel` calls the numbers of a column; nothing where it is none."""
    said = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    feature = said.get("info", {}).get("features", {}).get(column, {})
    names: list[str] = feature.get("names", [])
    return names


def _opened(path: Path) -> tuple[list[Group], str, list[str]]:
    """(groups of rows, the column of pictures, all other columns) of a file."""
    import pyarrow as pa
    from pyarrow import parquet

    groups: list[Group]
    if path.suffix == ".parquet":
        file = parquet.ParquetFile(path)
        schema = file.schema_arrow
        groups = [partial(_of_parquet, file, number) for number in range(file.num_row_groups)]
    else:
        # as Hugging Face's `save_to_disk` writes it; the pages that are read are mapped
        table = pa.ipc.open_stream(pa.memory_map(str(path))).read_all()
        schema = table.schema
        groups = [partial(_of_batch, pa.Table.from_batches([b])) for b in table.to_batches()]
    held = [field.name for field in schema if _holds_pictures(field.type)]
    if len(held) != 1:
        found = ", ".join(held) or "none"
        raise UserError(
            f"{path}: found the columns {', '.join(schema.names)}, of which {found} hold bytes; "
            "allowed: one column of pictures"
        )
    return groups, held[0], [name for name in schema.names if name != held[0]]


def _holds_pictures(kind: Any) -> bool:
    from pyarrow import types

    if types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0
    return types.is_binary(kind) or types.is_large_binary(kind)


def _of_parquet(file: Any, number: int, columns: list[str]) -> Any:
    return file.read_row_group(number, columns=columns)


def _of_batch(table: Any, columns: list[str]) -> Any:
    return table.select(columns)
