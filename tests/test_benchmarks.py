"""The benchmarks fit the code that they measure, and `make bench` writes its table and no more."""

import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from processes import completed


@pytest.fixture
def scripts(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the benchmarks, as one of them that runs sees it."""
    monkeypatch.syspath_prepend(repository / "benchmarks")
    monkeypatch.setattr(sys, "argv", ["benchmark", "--tiny"])
    return repository / "benchmarks"


@pytest.fixture
def bench(scripts: Path) -> ModuleType:
    return importlib.import_module("bench")


def test_every_benchmark_finds_what_it_imports(scripts: Path) -> None:
    names = sorted(path.stem for path in scripts.glob("*.py"))
    assert len(names) > 8
    for name in names:
        assert Path(importlib.import_module(name).__file__ or "").parent == scripts


def test_a_part_that_fails_writes_nothing(bench, monkeypatch: pytest.MonkeyPatch) -> None:
    page = bench.PAGE.read_text()
    failed = subprocess.CompletedProcess([], 3, "| a | 1 | 2 |\n", "")
    monkeypatch.setattr(bench.subprocess, "run", lambda *_, **__: failed)
    monkeypatch.setattr(sys, "argv", ["bench.py"])
    with pytest.raises(SystemExit, match=r"^benchmarks/training\.py: found exit code 3, allowed"):
        bench.main()
    assert bench.PAGE.read_text() == page
    monkeypatch.setattr(sys, "argv", ["bench.py", "trianing"])
    with pytest.raises(SystemExit, match=r"^benchmarks: found trianing, allowed: training, "):
        bench.main()


def test_the_table_is_put_between_its_lines(
    bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the place of the old one; what stands around it stays."""
    page = tmp_path / "performance.md"
    before, _, rest = bench.PAGE.read_text().partition(bench.BEGIN)
    page.write_text(f"{before}{bench.BEGIN}{rest}")
    after = rest.partition(bench.END)[2]
    assert before
    assert after
    monkeypatch.setattr(bench, "PAGE", page)
    monkeypatch.setattr(bench, "rows", lambda part: [f"| {part} | 1 | 2 |\n"])
    monkeypatch.setattr(bench, "commit", lambda: "0123456*")
    monkeypatch.setattr(sys, "argv", ["bench.py"])
    for _ in range(2):
        bench.main()
        text = page.read_text()
        assert text.startswith(before)
        assert text.endswith(after)
        table = text.removeprefix(before).removesuffix(after)
        assert [line for line in table.splitlines() if line.startswith("| ")] == [
            "| what | found | goal |",
            *(f"| {part} | 1 | 2 |" for part in bench.PARTS),
        ]
        assert "commit 0123456*; `make bench`" in table


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_gpus_benchmark_runs_on_a_cpu(repository: Path) -> None:
    done = completed(sys.executable, "benchmarks/gpu.py", "--tiny", cwd=repository)
    assert done.returncode == 0, done.stderr
    for mode in ("float32", "tf32", "bf16"):
        for kind in ("plain diffusers loop", "unguided", "cfg", "raw", "x0_frozen", "x0"):
            assert f"{kind}, {mode}, T = 400" in done.stdout
        assert f"training, {mode} " in done.stdout
        assert f"bare network, {mode}, and backward" in done.stdout
    assert done.stdout.count("of the bare network") == 18
    assert done.stdout.count("FD of 8 samples") == 3
