"""Where a path lies, read from texts of mounts as Linux and macOS write them."""

from pathlib import Path

import pytest

from guidebench.pipeline.records import filesystem
from guidebench.pipeline.records.filesystem import (
    deepest,
    is_network,
    kind,
    parse_mount,
    parse_proc,
)

LINUX = r"""/dev/sda1 / ext4 rw,relatime 0 0
auto.home /home autofs rw,relatime 0 0
server:/export/home/ada /home/ada nfs4 rw,vers=4.2,addr=10.0.0.1 0 0
/dev/nvme0n1 /home/ada/local\040disk xfs rw 0 0
10.0.0.2@o2ib:/scratch /scratch lustre rw,flock 0 0
tmpfs /scratch/fast tmpfs rw 0 0
server:/tab /odd\011tab\134n nfs rw 0 0
"""
MACOS = """/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)
/dev/disk3s5 on /System/Volumes/Data (apfs, local, journaled, nobrowse)
map auto_home on /System/Volumes/Data/home (autofs, automounted, nobrowse)
//ada@server/share on /Volumes/my share (on server) (smbfs, nodev, nosuid)
"""


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/home/ada/results/mlflow.db", "nfs4"),
        ("/home/ada", "nfs4"),
        ("/home/adam/results", "autofs"),
        ("/home/ada/local disk/mlflow.db", "xfs"),
        ("/scratch/results", "lustre"),
        ("/scratch/faster", "lustre"),
        ("/scratch/fast/x", "tmpfs"),
        ("/odd\ttab\\n/x", "nfs"),
        ("/var/tmp", "ext4"),
        ("/", "ext4"),
    ],
)
def test_the_deepest_mount_point_above_a_path(path: str, found: str) -> None:
    assert deepest(Path(path), parse_proc(LINUX)) == found


def test_a_later_mount_on_the_same_point_hides_the_earlier() -> None:
    mounts = parse_proc("a / ext4 rw 0 0\nb /data ext4 rw 0 0\nc /data beegfs rw 0 0\n")
    assert deepest(Path("/data/x"), mounts) == "beegfs"


def test_lines_that_are_no_mounts_are_left_out() -> None:
    assert parse_proc("\nnonsense\n") == []
    assert deepest(Path("/x"), []) == filesystem.UNKNOWN


def test_the_mounts_as_macos_prints_them() -> None:
    mounts = parse_mount(MACOS)
    assert len(mounts) == 4
    assert deepest(Path("/Volumes/my share (on server)/results"), mounts) == "smbfs"
    assert deepest(Path("/System/Volumes/Data/work"), mounts) == "apfs"


def test_shared_disks_are_told_from_local_ones() -> None:
    assert all(map(is_network, ["nfs", "nfs4", "cifs", "lustre", "gpfs", "beegfs", "fuse.sshfs"]))
    local = ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "apfs", "fuseblk", "autofs"]
    assert not any(map(is_network, [*local, filesystem.UNKNOWN]))


def test_links_are_followed_and_the_file_need_not_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "shared folder"
    shared.mkdir()
    (tmp_path / "results").symlink_to(shared)
    text = f"/dev/sda1 / ext4 rw 0 0\nserver:/x {str(shared).replace(' ', chr(92) + '040')} nfs4 rw"
    monkeypatch.setattr(filesystem, "LINUX_MOUNTS", tmp_path / "mounts")
    (tmp_path / "mounts").write_text(text)
    assert kind(tmp_path / "results" / "not" / "yet.db") == "nfs4"
    assert kind(tmp_path / "other" / "yet.db") == "ext4"
    monkeypatch.chdir(tmp_path / "results")
    assert kind(Path("yet.db")) == "nfs4"


def test_without_proc_the_mount_command_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filesystem, "LINUX_MOUNTS", tmp_path / "absent")
    command = tmp_path / "mount"
    command.write_text(f"#!/bin/sh\necho '//ada@server/share on {tmp_path} (smbfs, nodev)'\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert kind(tmp_path / "x") == "smbfs"
    monkeypatch.setenv("PATH", str(tmp_path / "absent"))
    assert kind(tmp_path / "x") == filesystem.UNKNOWN


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="Linux only")
def test_the_mounts_of_this_machine() -> None:
    assert kind(Path("/dev/shm/absent/file")) == "tmpfs"
    assert not is_network(kind(Path("/dev/shm")))
