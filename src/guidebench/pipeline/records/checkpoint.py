"""Where an unfinished training stands: written often, trusted only when whole and of this code."""

import hashlib
import json
import logging
from pathlib import Path

from guidebench.pipeline import recording
from guidebench.pipeline.records import code
from guidebench.pipeline.records.artifacts import atomic

log = logging.getLogger(__name__)


class Checkpoint:
    """One file: a line of JSON with the payload's sha256 and the code that ran, then the payload.

    Its name says which slice of the config and which inputs it belongs to (`Execution.resume`).
    """

    def __init__(self, path: Path, root: Path) -> None:
        self.path, self.root = path, root

    def load(self) -> bytes | None:
        """The payload; None when there is none. A file that is damaged or of other code goes."""
        try:
            line, _, payload = self.path.read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None
        reason = "damaged"
        try:
            header = json.loads(line)
            if header["of"] != self.path.name:
                reason = f"of another training ({header['of']})"
            elif header["sha256"] == hashlib.sha256(payload).hexdigest():
                names = code.changed(self.root, header["code"])
                if not names:
                    recording.ran.update(code.kept(self.root, header["code"]))
                    return payload
                reason = f"of other code ({', '.join(names[:3])})"
        except (ValueError, KeyError, TypeError):
            pass
        log.warning("%s: %s; the training begins again", self.path, reason)
        self.delete()
        return None

    def save(self, payload: bytes) -> None:
        """Replace the file; a kill at any moment leaves the old one or the new one."""
        header = {
            "of": self.path.name,
            "sha256": hashlib.sha256(payload).hexdigest(),
            "code": code.keep(self.root, set(recording.ran)),
        }
        with atomic(self.path) as temporary, open(temporary, "wb") as file:
            file.write(json.dumps(header).encode() + b"\n")
            file.write(payload)

    def delete(self) -> None:
        """Remove the file: the training is finished, or begins again."""
        self.path.unlink(missing_ok=True)
