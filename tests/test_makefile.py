"""What people write behind `make` arrives as they wrote it."""

import os
import shutil
from pathlib import Path

import pytest
from processes import completed

TOLD = '#!/bin/sh\nprintf "%s\\n" "$0" "$@" >> told\n'
EXPERIMENT = "my 'first' $HOME \"exp\".yaml"


@pytest.fixture
def copy(repository: Path, tmp_path: Path) -> Path:
    """The Makefile in a folder whose environment tells what it is asked."""
    for name in ("Makefile", "pyproject.toml", "envs/requirements.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(repository / name, tmp_path / name)
    programs = tmp_path / ".venv/bin"
    programs.mkdir(parents=True)
    for name in ("guidebench", "snakemake"):
        (programs / name).write_text(TOLD)
        (programs / name).chmod(0o755)
    (tmp_path / ".venv/installed").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("target", "program", "option"),
    [
        ("run", "guidebench", "--config"),
        ("plan", "guidebench", "--config"),
        ("ui", "guidebench", "--config"),
        ("report", "snakemake", "--configfile"),
        ("run", "guidebench", "--profile"),
        ("server", "guidebench", "--host"),
    ],
)
def test_spaces_and_quotes_stay_in_one_argument(
    copy: Path, target: str, program: str, option: str
) -> None:
    variable = {"--profile": "PROFILE", "--host": "ADDRESS"}.get(option, "CONFIG")
    value = EXPERIMENT.replace("$", "$$")  # make's own way to write a dollar
    environment = {key: text for key, text in os.environ.items() if not key.startswith("MAKE")}
    done = completed("make", target, f"{variable}={value}", "CORES=1", cwd=copy, env=environment)
    assert done.returncode == 0, done.stderr
    told = (copy / "told").read_text().splitlines()
    assert told.count(f".venv/bin/{program}") == 1
    assert told[told.index(option) + 1] == EXPERIMENT
