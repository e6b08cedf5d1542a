"""A full disk ends a stage with one clear line; what was finished stays."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from processes import completed

# a fork would lie outside of the small disk
pytestmark = pytest.mark.usefixtures("own_processes")
MOUNT = "mount -t tmpfs -o size={size}k none {folder}"
BIN = Path(sys.executable).parent


def _in_small_disk(folder: Path, size: int, command: str) -> subprocess.CompletedProcess[str]:
    """Run `command` where `folder` is a disk of `size` KiB, which ends with the process."""
    script = f"{MOUNT.format(size=size, folder=folder)} && {command}"
    return completed("unshare", "-rm", "sh", "-c", script)


@pytest.fixture(autouse=True)
def _mounts(tmp_path: Path) -> None:
    if shutil.which("unshare") is None or _in_small_disk(tmp_path, 4, "true").returncode:
        pytest.skip("this machine lets no user mount a small disk (unshare -rm)")


@pytest.mark.parametrize("spare", [150, 300])
def test_prepare(spare: int, tmp_path: Path) -> None:
    """numpy's writer reports a full disk in words of its own."""
    done = _in_small_disk(
        tmp_path,
        spare,
        f"{BIN}/guidebench prepare --config workflow/config/smoke.yaml --dataset "
        f"mnist --results {tmp_path}; code=$?; find {tmp_path} -name '*.tmp*'; exit $code",
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("prepare mnist: disk full: ")
    assert "run again, finished work is kept" in last
    assert done.stdout == ""


@pytest.mark.parametrize("stage", ["train_denoiser", "plots"])
def test_later_stages_keep_what_was_finished(stage: str, finished, tmp_path: Path) -> None:
    """torch's writers, and matplotlib's or Pillow's."""
    source = finished.root / "results/smoke"
    needed = {"train_denoiser": ["mnist/data"], "plots": ["tables", "pictures"]}[stage]
    copies = " && ".join(
        f"mkdir -p {tmp_path}/smoke/{Path(name).parent} && cp -r {source}/{name} "
        f"{tmp_path}/smoke/{Path(name).parent}/"
        for name in needed
    )
    size = sum(
        -(-path.stat().st_size // 4096) * 4
        for name in needed
        for path in (source / name).rglob("*")
        if path.is_file()
    )
    done = _in_small_disk(
        tmp_path,
        size + 60,
        f"{copies} && {BIN}/guidebench {stage} --config "
        f"workflow/config/smoke.yaml --dataset mnist --results {tmp_path}; code=$?; "
        f"find {tmp_path}/smoke/{needed[0]} -type f; exit $code",
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert f"{stage} mnist: disk full: " in done.stderr.splitlines()[-1]
    assert f"{needed[0]}/manifest.json" in done.stdout
