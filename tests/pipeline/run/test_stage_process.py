"""What is said of a job that could not go on."""

import errno

import pytest

from guidebench.pipeline.errors import UserError
from guidebench.pipeline.run.stage_process import _one_line


class OutOfMemoryError(RuntimeError):
    """As torch calls a full GPU."""


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OutOfMemoryError("CUDA out of memory.\nTried to allocate"), "out of memory; allowed: sm"),
        (MemoryError(), "out of memory; allowed: smaller micro_batch"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk full: "),
        (UserError("data.root: missing"), "data.root: missing"),
        (KeyboardInterrupt(), "interrupted; run again"),
    ],
)
def test_the_machines_and_the_users_faults_are_one_line(error: BaseException, said: str) -> None:
    line = _one_line(error)
    assert line is not None
    assert line.startswith(said)
    assert "\n" not in line


def test_a_defect_of_ours_keeps_its_traceback() -> None:
    assert _one_line(RuntimeError("shapes differ")) is None
