"""A digest of the code that a stage uses: its import closure without comments and docstrings."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path

from guidebench.errors import UserError

PACKAGE = Path(__file__).parent
# plumbing: what these modules decide reaches the results through the spec, or not at all
PLUMBING = {f"guidebench.{name}" for name in (
    "artifacts", "cli", "closure", "config", "errors", "events", "grid", "runner", "tracking",
    "validate", "mistakes", "sections", "worlds", "world_mistakes", "estimate", "names", "schema",
    "confdoc", "specs", "follow", "progress", "execute", "launch", "leftovers", "slurm",
    "filesystem", "failures", "probe", "pending", "forecast", "stages.stage")}  # fmt: skip
ADOPTED = Path("adopted.json")


def _path(module: str) -> Path | None:
    base = PACKAGE.parent.joinpath(*module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


def _stripped(tree: ast.Module) -> str:
    """Source text of the syntax tree without docstrings (comments are not in a tree)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                if isinstance(first.value.value, str):
                    node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def _imports(tree: ast.Module) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@cache
def _module(module: str) -> tuple[str, frozenset[str], frozenset[str]]:
    """(digest, modules of ours, other top-level packages) that one module holds and imports."""
    path = _path(module)
    assert path is not None
    source = path.read_text()
    tree = ast.parse(source)
    imports = _imports(tree)
    ours = {name for name in imports if name.startswith("guidebench") and _path(name)}
    others = {name.partition(".")[0] for name in imports} - sys.stdlib_module_names - {"guidebench"}
    # templates belong to the modules beside them that name one
    data = [item for item in sorted(path.parent.iterdir()) if item.suffix in {".j2", ".css"}]
    if not any(item.name in source for item in data):
        data = []
    parts = [_stripped(tree).encode(), *(item.read_bytes() for item in data)]
    text = hashlib.sha256(b"".join(parts)).hexdigest()
    return text, frozenset(ours), frozenset(others)


def closure(module: str) -> tuple[dict[str, str], set[str]]:
    """Digest of each module of ours that `module` imports, directly or not, and other packages."""
    found: dict[str, str] = {}
    others: set[str] = set()
    waiting = {module}
    while waiting:
        name = waiting.pop()
        if name in found or name in PLUMBING:
            continue
        found[name], ours, packages = _module(name)
        others |= packages
        waiting |= ours
    return found, others


@cache
def _distributions() -> dict[str, list[str]]:
    return dict(packages_distributions())


@cache
def _versions(packages: frozenset[str]) -> list[str]:
    versions = []
    for package in sorted(packages):
        try:
            versions.append(f"{package}={version(package)}")
        except PackageNotFoundError:
            names = _distributions().get(package, [package])
            versions.append(f"{package}={version(names[0])}")
    return versions


@cache
def code_digest(stage: str) -> str:
    """sha256 (16 hex digits) of the code and package versions behind a stage's results.

    `adopted.json` ({stage: {"code": new, "stands_for": old, "reason": ...}}) lets an old result
    stand for new code, in the open.
    """
    found, others = closure(f"guidebench.stages.{stage}")
    text = json.dumps([sorted(found.items()), _versions(frozenset(others))])
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    if ADOPTED.is_file():
        entry = json.loads(ADOPTED.read_text()).get(stage, {})
        if entry.get("code") == digest:
            return str(entry["stands_for"])
    return digest


def source_digest(name: str) -> str:
    """sha256 (16 hex digits) of a user's module, without comments and docstrings.

    `name`: `module:attribute`. Raises UserError when there is no such module or attribute.
    """
    module, _, attribute = name.partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        found = importlib.util.find_spec(module)
        source = Path(found.origin).read_text() if found and found.origin else None
    except Exception as error:  # looking inside a package runs that package's own code
        raise UserError(f"{name} ({type(error).__name__}: {error})") from error
    if source is None:
        raise UserError(f"{name} (no such module)")
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise UserError(f"{name} (line {error.lineno}: {error.msg})") from error
    if not {attribute, "*", "__getattr__"} & _bound(tree):
        raise UserError(f"{name} (no {attribute} in {module})")
    return hashlib.sha256(_stripped(tree).encode()).hexdigest()[:16]


def _bound(tree: ast.Module) -> set[str]:
    """Every name that a module defines, assigns or imports."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.alias):
            names.add(node.asname or node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names
