"""Which file system a path lies on, and whether sqlite can rely on the locks there."""

import os
import re
import subprocess
from pathlib import Path

UNKNOWN = "unknown"
LINUX_MOUNTS = Path("/proc/self/mounts")
# types as the kernel names them; VAST, Isilon and other appliances are mounted as nfs
NETWORK = re.compile(
    r"nfs4?|cifs|smb3|smbfs|afpfs|afs|auristorfs|9p|lustre|gpfs|beegfs(_nodev)?|ceph|panfs|pvfs2|"
    r"orangefs|wekafs|dvs|"
    r"fuse\.(ceph|ceph-fuse|glusterfs|sshfs|juicefs|mfs|quobyte|rclone|s3fs|gcsfuse)"
)


def kind(path: Path) -> str:
    """Type of the file system that holds the path, or would hold it (`ext4`, `nfs4`, `unknown`)."""
    # resolved before the mounts are read: looking at a path may mount it
    return deepest(Path(path).resolve(), _mounts())


def is_network(kind: str) -> bool:
    """Whether files of this type lie on other machines."""
    return NETWORK.fullmatch(kind) is not None


def deepest(path: Path, mounts: list[tuple[str, str]]) -> str:
    """Type of the deepest mount point above an absolute path; of two on one point, the later."""
    above = [(len(point), kind) for point, kind in mounts if path.is_relative_to(point)]
    return max(reversed(above), key=lambda mount: mount[0], default=(0, UNKNOWN))[1]


def parse_proc(text: str) -> list[tuple[str, str]]:
    r"""(mount point, type) of each line of /proc/self/mounts, which writes a space as \040."""
    fields = [line.split(" ") for line in text.splitlines()]
    return [
        (re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), line[1]), line[2])
        for line in fields
        if len(line) > 2
    ]


def parse_mount(text: str) -> list[tuple[str, str]]:
    """(mount point, type) of each line of macOS's `mount`: `DEVICE on POINT (TYPE, …)`."""
    return re.findall(r"^.+? on (/.*) \(([^,)]+)", text, re.MULTILINE)


def _mounts() -> list[tuple[str, str]]:
    if LINUX_MOUNTS.is_file():
        return parse_proc(os.fsdecode(LINUX_MOUNTS.read_bytes()))
    try:
        done = subprocess.run(["mount"], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return parse_mount(os.fsdecode(done.stdout))
