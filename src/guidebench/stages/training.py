"""The loss curve on disk, the same for every training stage."""

import json
from pathlib import Path

from guidebench.pipeline.records.artifacts import atomic
from guidebench.train.loop import History


def write_history(folder: Path, history: History) -> None:
    """Write `history.jsonl`: one JSON object per recorded step."""
    with atomic(folder / "history.jsonl") as temporary:
        temporary.write_text("".join(json.dumps(row) + "\n" for row in history))
