"""Examples in docstrings run, and what docstrings and comments say of other pages is right."""

import doctest
import importlib
import re
from pathlib import Path

import pytest
from conftest import REPOSITORY

PACKAGE = REPOSITORY / "src/guidebench"
MODULES = sorted(PACKAGE.rglob("*.py"))
WITH_EXAMPLES = [path for path in MODULES if ">>> " in path.read_text()]
SCIENCE = {"diffusion", "guidance", "analysis", "metrics", "data"}


def _name(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=_name)
def test_examples_run(path: Path) -> None:
    """As in a fresh interpreter, with the module's own names."""
    result = doctest.testmod(importlib.import_module(_name(path)))
    assert result.attempted
    assert not result.failed


def test_every_room_of_science_has_examples() -> None:
    assert {path.parent.name for path in WITH_EXAMPLES} >= SCIENCE


def test_references_to_pages_are_right() -> None:
    """`docs/mathematics.md, Guidance` names a page that is there, and a heading on it."""
    sections = []
    for path in MODULES:
        text = re.sub(r"\s+(# )?", " ", path.read_text())  # a reference may break over lines
        for page in re.findall(r"docs/[\w/]+\.md", text):
            assert (REPOSITORY / page).is_file(), (path, page)
        sections += re.findall(r"(docs/[\w/]+\.md), ([A-Z][^,.):]*)", text)
        assert "design, section" not in text, path  # the specification is not in the repository
    assert len(sections) > 5
    for page, section in sections:
        headings = re.findall(r"^#+ (.*)$", (REPOSITORY / page).read_text(), re.MULTILINE)
        assert section in headings, (page, section)
