"""Progress on terminals of any size, and in files."""

import fcntl
import io
import os
import pty
import struct
import subprocess
import sys
import termios

import pytest
from rich.console import Console

from guidebench.pipeline.run.display import Bar, Log, display, drawn

BARS = [
    Bar("train_classifier sportballs.noise_trained", 0.5, 12.345, 754.0),
    Bar("sample mnist.selection-0", 1.0, None, 9000.0),
]
WHOLE = Bar("1 h 2 min gone", 0.25, None, 3599.0)


@pytest.mark.parametrize("width", [10, 20, 40, 63, 64, 80, 200])
def test_a_line_for_each_job_in_every_width(width: int) -> None:
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=True, color_system=None)
    console.print(drawn([*BARS, WHOLE], width))
    lines = file.getvalue().splitlines()
    assert len(lines) == 3
    assert all(len(line) <= width for line in lines)
    if width >= 40:
        numbers = (" 50%", "12 min 34 s"), ("100%", "2 h 30 min"), (" 25%", "59 min 59 s")
        for line, (share, left) in zip(lines, numbers, strict=True):
            assert share in line
            assert f"{left} left" in line
    assert ("12.3/s" in lines[0]) == (width >= 64)
    assert ("train_classifier sportballs.noise_trained" in lines[0]) == (width == 200)


@pytest.mark.parametrize("width", [64, 80, 200])
def test_long_times_and_fast_steps_are_not_cut(width: int) -> None:
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=True, color_system=None)
    console.print(drawn([Bar("train_denoiser celeba", 0.01, 12_345.6, 1000.5 * 3600)], width))
    (line,) = file.getvalue().splitlines()
    assert len(line) <= width
    assert "12,346/s" in line
    assert "1000 h 30 min left" in line


def test_a_log_has_whole_lines_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    found = display()
    assert type(found) is Log
    assert [found.due() for _ in range(3)] == [True, False, False]
    found.show(BARS, WHOLE)
    found.line("x" * 300)
    status, long = capsys.readouterr().out.splitlines()
    jobs = "train_classifier sportballs.noise_trained 50%, sample mnist.selection-0 100%"
    assert status == f" 25%  {jobs}  (1 h 2 min gone, about 59 min 59 s left)"
    assert long == "x" * 300


DRAW = """
import sys
from guidebench.pipeline.run.display import Bar, display
found = display()
bars = [Bar(f"sample {n}", n / 40, 1.5, 10.0 * n) for n in range(40)]
for n in range(3):
    found.show(bars, Bar("1 s gone", 0.1, None, 60.0))
    found.line(f"[{n}/3] done")
    sys.stdin.readline()
found.close()
found.line("the end")
"""


def _resized(terminal: int, rows: int, columns: int) -> bytes:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    return b""


def _drawn(term: str, sizes: list[tuple[int, int]]) -> str:
    """What a terminal gets that has another size at each step."""
    ours, theirs = pty.openpty()
    environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
    output = _resized(ours, *sizes[0])
    with subprocess.Popen(
        [sys.executable, "-c", DRAW],
        stdin=subprocess.PIPE,
        stdout=theirs,
        stderr=theirs,
        env=environment | {"TERM": term},
    ) as process:
        os.close(theirs)
        for step in range(3):
            while f"[{step}/3] done".encode() not in output:
                output += os.read(ours, 65536)
            output += _resized(ours, *sizes[min(step + 1, 2)])
            process.stdin.write(b"\n")
            process.stdin.flush()
        while True:
            try:
                seen = os.read(ours, 65536)
            except OSError:  # Linux's end of a pseudo-terminal
                break
            if not seen:
                break
            output += seen
    os.close(ours)
    assert process.returncode == 0, output
    return output.decode()


def test_a_terminal_may_be_small_and_change() -> None:
    text = _drawn("xterm", [(24, 80), (5, 40), (50, 200)])
    assert "Traceback" not in text
    assert "and 19 more" in text  # of 40 jobs, in 24 rows
    assert "and 38 more" in text
    assert text.rstrip().endswith("the end")
    for n in range(3):
        assert text.count(f"[{n}/3] done") == 1
    # a process that is killed here leaves the cursor
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l")


def test_a_terminal_that_cannot_move_its_cursor_gets_lines() -> None:
    text = _drawn("dumb", [(24, 80)] * 3)
    assert "\x1b" not in text
    assert text.count("sample 39") == 3
