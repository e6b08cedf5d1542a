"""One lock file: conda's environment, the container and this environment hold its packages."""

import os
import re
import shlex
import shutil
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from processes import completed

FILES = [
    "requirements.in",
    "development.in",
    "requirements.txt",
    "guidebench.yaml",
    "Containerfile",
]
LOCK = "envs/requirements.txt"
ADDRESS = re.compile(
    r"https?://|git\+|--(?:extra-)?index-url|--find-links|--trusted-host"
    r"|\b(?:[\w-]+\.)+(?:org|com|net|io|dev|ai|edu|cloud)\b"
)
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}\b")
LOWEST = {"python_version": "3.11", "python_full_version": "3.11.0"}


@pytest.fixture(scope="session")
def texts(repository: Path) -> dict[str, str]:
    """The files by name."""
    paths = [repository / "envs" / name for name in FILES]
    paths += [repository / name for name in ("pyproject.toml", "Makefile", ".dockerignore")]
    return {path.name: path.read_text() for path in paths}


def entries(text: str) -> list[str]:
    """One string per requirement: continued lines joined, comments dropped."""
    lines = re.sub(r"(^|\s)#.*", "", text, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if line.strip()]


@cache
def pins(lock: str) -> list[Requirement]:
    """The requirements of a lock without their hashes; its options are left out."""
    found = [entry.partition("--hash")[0] for entry in entries(lock)]
    return [Requirement(line) for line in found if not line.startswith("-")]


def commands(container: str, instruction: str) -> list[list[str]]:
    """Words of each RUN's commands, or of each COPY."""
    found = [
        entry.removeprefix(f"{instruction} ")
        for entry in entries(container)
        if entry.startswith(f"{instruction} ")
    ]
    return [shlex.split(command) for entry in found for command in entry.split("&&")]


def lock_complaints(direct: str, lock: str) -> list[str]:
    """What a lock lacks: an exact version and a hash on each line, every direct requirement."""
    found = [f"{entry[:60]}: no hash" for entry in entries(lock) if not HASH.search(entry)]
    found += [
        f"{pin}: not one version"
        for pin in pins(lock)
        if [part.operator for part in pin.specifier] != ["=="]
    ]
    for wanted in map(Requirement, entries(direct)):
        same = [pin for pin in pins(lock) if pin.name == canonicalize_name(wanted.name)]
        if not any(pin.marker is None or pin.marker.evaluate(LOWEST) for pin in same):
            found.append(f"{wanted}: not in the lock")
        versions = [part.version for pin in same for part in pin.specifier]
        found += [
            f"{wanted}: the lock has {version}"
            for version in versions
            if not wanted.specifier.contains(version, prereleases=True)
        ]
    return found


def conda_complaints(text: str) -> list[str]:
    """What conda's file installs beside Python, pip and the lock."""
    found = []
    for line in yaml.safe_load(text)["dependencies"]:
        if isinstance(line, dict):
            if line != {"pip": ["--require-hashes", "--requirement requirements.txt"]}:
                found.append(f"{line}: not the lock with its hashes")
        elif not re.fullmatch(r"python=[\d.]+|pip", line):
            found.append(f"{line}: not from the lock")
    return found


def container_complaints(text: str) -> list[str]:
    """What the image installs beside the lock and the package itself."""
    runs = [run for run in commands(text, "RUN") if run[0] not in ("apt-get", "rm")]
    lock, own = ["--no-deps", "--require-hashes"], ["--no-deps", "--no-build-isolation"]
    cached = ["pip", "install", "--no-cache-dir"]
    allowed = [[*cached, *lock, "--requirement", LOCK], [*cached, *own, "--editable", "."]]
    found = [
        f"{' '.join(run)}: not the lock, then the package" for run in runs if run not in allowed
    ]
    found += [f"{' '.join(run)}: missing" for run in allowed if run not in runs]
    for run in commands(text, "RUN"):
        if run[:2] == ["apt-get", "install"] and set(run[2:]) - {"-y", "--yes", "git"} != {
            "--no-install-recommends"
        }:
            found.append(f"{' '.join(run)}: more than git")
    if not re.search(r"^FROM python:[\d.]+-slim$", text, re.MULTILINE):
        found.append("FROM: not python:VERSION-slim")
    for setting in ("MLFLOW_DISABLE_TELEMETRY=true", "DO_NOT_TRACK=true"):
        if setting not in "\n".join(entries(text)):
            found.append(f"{setting}: missing")
    return found


def python_complaints(texts: dict[str, str]) -> list[str]:
    """Places that name another Python than the lowest that the project allows."""
    places = {
        "pyproject.toml": r'^requires-python = ">=([\d.]+)"$',
        "Makefile": r"--python-version ([\d.]+)",
        "guidebench.yaml": r"^  - python=([\d.]+)$",
        "Containerfile": r"^FROM python:([\d.]+)-",
    }
    versions = {
        name: re.findall(pattern, texts[name], re.MULTILINE) for name, pattern in places.items()
    }
    lowest = versions["pyproject.toml"]
    return [
        f"{name}: Python {found}, not {lowest}"
        for name, found in versions.items()
        if found != lowest or len(found) != 1
    ]


def address_complaints(texts: dict[str, str]) -> list[str]:
    """Addresses and hosts in the files."""
    return [f"{name}: {found[0]}" for name in FILES for found in ADDRESS.finditer(texts[name])]


def installed_complaints(lock: str, installed: dict[str, str]) -> list[str]:
    """Packages that an environment lacks or has in another version than the lock."""
    wanted = [pin for pin in pins(lock) if pin.marker is None or pin.marker.evaluate()]
    found = [(pin, installed.get(pin.name, "0")) for pin in wanted]
    return [
        f"{pin}: found {version}; `make setup`"
        for pin, version in found
        if not pin.specifier.contains(version, prereleases=True)
    ]


def edited(texts: dict[str, str], name: str, old: str, new: str) -> dict[str, str]:
    """The files, one of them edited by a pattern that must occur."""
    text, count = re.subn(old, new, texts[name], flags=re.MULTILINE)
    assert count, f"{name}: no {old}"
    return texts | {name: text}


def complaints(texts: dict[str, str]) -> list[str]:
    return [
        *lock_complaints(
            texts["requirements.in"] + texts["development.in"], texts["requirements.txt"]
        ),
        *conda_complaints(texts["guidebench.yaml"]),
        *container_complaints(texts["Containerfile"]),
        *python_complaints(texts),
        *address_complaints(texts),
    ]


def test_the_files_agree(texts: dict[str, str]) -> None:
    assert complaints(texts) == []
    assert len(pins(texts["requirements.txt"])) > 100


@pytest.mark.parametrize(
    ("name", "old", "new", "complaint"),
    [
        ("requirements.in", r"^torch==.*$", "torch==0.1", "torch==0.1: the lock has"),
        ("requirements.in", r"^pandas$", "pandas<1", "pandas<1: the lock has"),
        ("requirements.in", r"\Z", "absent-package\n", "absent-package: not in the lock"),
        ("requirements.txt", r"^torch==\S+", "torch==0.1", "torch==2.*: the lock has 0.1"),
        ("requirements.txt", r"^pillow==\S+", "pillow>=1", "pillow>=1: not one version"),
        ("requirements.txt", r"^rich==.*\n( +--hash.*\n)+", "rich==1\n", "rich==1: no hash"),
        ("requirements.txt", r"^torch==(\S+)", r"torch==\1 ; python_version < '3'", "not in the"),
        ("requirements.txt", r"\A", "--index-url https://x.example.org/simple\n", "example.org"),
        ("guidebench.yaml", r"python=3\S+", "python=3.12", r"guidebench.yaml: Python .*3\.12"),
        ("guidebench.yaml", r"^  - pip$", "  - pip\n  - numpy=2", "numpy=2: not from the lock"),
        ("guidebench.yaml", r"      - --require-hashes\n", "", "not the lock with its hashes"),
        ("guidebench.yaml", r"requirements\.txt$", "requirements.in", "not the lock with"),
        ("Containerfile", r"python:3\.\d+", "python:3.12", r"Containerfile: Python .*3\.12"),
        ("Containerfile", r"^FROM ", "FROM docker.io/library/", "docker.io"),
        ("Containerfile", r"^FROM ", "FROM registry/", "FROM: not python"),
        ("Containerfile", r" --require-hashes", "", "missing"),
        ("Containerfile", r"requirements\.txt$", "requirements.in", "not the lock"),
        ("Containerfile", r"\Z", "RUN pip install numpy==2\n", "numpy==2: not the lock"),
        ("Containerfile", r"recommends git", "recommends git curl", "more than git"),
        ("Containerfile", r"DO_NOT_TRACK=true", "DO_NOT_TRACK=1", "DO_NOT_TRACK=true: missing"),
        ("pyproject.toml", r">=3\.11", ">=3.12", "Makefile: Python"),
        ("Makefile", r"--python-version 3\.\d+", "--python-version 3.13", "Makefile: Python"),
    ],
)
def test_what_disagrees_is_noticed(
    texts: dict[str, str], name: str, old: str, new: str, complaint: str
) -> None:
    assert re.search(complaint, "\n".join(complaints(edited(texts, name, old, new))))


def test_this_environment_is_the_lock(texts: dict[str, str]) -> None:
    lock = texts["requirements.txt"]
    installed = {
        canonicalize_name(found.metadata["Name"]): found.version
        for found in metadata.distributions()
    }
    assert installed_complaints(lock, installed) == []
    other: dict[str, Any] = installed | {"torch": "0.1"}
    assert len(installed_complaints(lock, other)) == 1
    del other["torch"]
    assert len(installed_complaints(lock, other)) == 1
    changed = re.sub(r"^pillow==\S+", "pillow==0.1", lock, flags=re.MULTILINE)
    assert len(installed_complaints(changed, installed)) == 1
    for_others = re.sub(r"^pillow==\S+", "pillow==0.1 ; sys_platform == 'plan9'", lock, flags=re.M)
    assert installed_complaints(for_others, installed) == []


def test_an_installed_package_brings_what_running_needs(texts: dict[str, str]) -> None:
    brought = {Requirement(line).name for line in metadata.requires("guidebench") or []}
    running, developing = (
        {Requirement(line).name for line in entries(texts[name])}
        for name in ("requirements.in", "development.in")
    )
    assert brought == running
    assert {"pytest", "mypy", "playwright"} <= developing - running


def test_what_the_image_copies_is_enough(
    texts: dict[str, str], repository: Path, tmp_path: Path
) -> None:
    sent = {line[1:] for line in texts[".dockerignore"].splitlines() if line.startswith("!")}
    unwanted = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for *sources, target in commands(texts["Containerfile"], "COPY"):
        for source in sources:
            assert source.partition("/")[0] in sent, f".dockerignore keeps {source} away"
            place = tmp_path / target / ("" if target == source else Path(source).name)
            if (repository / source).is_dir():
                shutil.copytree(repository / source, place, ignore=unwanted)
            else:
                place.parent.mkdir(exist_ok=True)
                shutil.copy(repository / source, place)
    # what the last command installs, and what a run reads
    assert (tmp_path / "src" / "guidebench").is_dir()
    assert (tmp_path / "pyproject.toml").is_file()
    assert (tmp_path / "envs" / "requirements.in").is_file()
    command = [sys.executable, "-m", "snakemake", "--configfile", "config.yaml", "--dry-run"]
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "src")}
    done = completed(*command, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
