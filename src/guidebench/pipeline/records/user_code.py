"""A digest of the code of a user's own methods."""

import ast
import importlib.util
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from guidebench.pipeline import recording
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.records.artifacts import digest_of
from guidebench.pipeline.records.descriptions import import_digest
from guidebench.pipeline.records.packages import distribution
from guidebench.pipeline.records.syntax import chains, imported, strip

INSTALLED = ("site-packages", "dist-packages")
LIBRARY = Path(sysconfig.get_paths()["stdlib"])


@cache
def source_digest(name: str) -> str:
    """sha256 (16 hex digits) of a user's method: its module, and those of the user's that it reads.

    `name`: `module:attribute`. Without comments and docstrings. Raises UserError when there is no
    such module or attribute.
    """
    dotted, _, attribute = name.partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        spec = importlib.util.find_spec(dotted)
        path = Path(spec.origin) if spec and spec.origin else None
        tree = ast.parse(path.read_bytes()) if path else None
    except SyntaxError as error:
        raise UserError(f"{name} (line {error.lineno}: {error.msg})") from error
    except Exception as error:  # looking inside a package runs that package's own code
        raise UserError(f"{name} ({type(error).__name__}: {error})") from error
    if path is None or tree is None:
        raise UserError(f"{name} (no such module)")
    if not {attribute, "*", "__getattr__"} & _bound(tree):
        raise UserError(f"{name} (no {attribute} in {dotted})")
    root = path.parents[dotted.count(".") + (path.name == "__init__.py")]
    texts: dict[str, str] = {}
    _of_user(root, path, texts)
    return digest_of(texts)[:16]


def with_code(options: dict[str, Any], key: str = "name") -> dict[str, Any]:
    """A method's slice: a user's own one, named at `key`, comes with a digest of its code."""
    if ":" in options[key]:
        return options | {"code": source_digest(options[key])}
    return options


def _of_user(root: Path, path: Path, texts: dict[str, str]) -> None:
    """Add a module's source, and those below `root` that it imports, to `texts`."""
    key = path.relative_to(root).as_posix()
    if key in texts:
        return
    try:
        tree = ast.parse(path.read_bytes())  # in the encoding that the file says
    except SyntaxError as error:
        raise UserError(f"{path} (line {error.lineno}: {error.msg})") from error
    strip(tree)
    texts[key] = ast.unparse(tree)
    for above in list(Path(key).parents)[:-1]:  # the packages that it is in run first
        if (root / above / "__init__.py").is_file():
            _of_user(root, root / above / "__init__.py", texts)
    # of guidebench, constants and classes count here: its functions are recorded when they run
    bound = imported([n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)])
    for name, *attributes in (chain for chain, *_ in chains(tree)):
        dotted = ".".join([bound.get(name, name), *attributes])
        if dotted.startswith(f"{recording.PACKAGE}."):
            texts[dotted] = import_digest(dotted)
    own = key.partition("/")[0].removesuffix(".py")
    installed = root.name in INSTALLED or root == LIBRARY
    for node in ast.walk(tree):
        level = node.level if isinstance(node, ast.ImportFrom) else 0
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            inside = node.module or ""
            names = [inside, *(f"{inside}.{alias.name}".lstrip(".") for alias in node.names)]
        for name in filter(None, names):
            steps = name.split(".")
            if not level and steps[0] != recording.PACKAGE and (package := distribution(steps[0])):
                texts[package] = version(package)
            if not level and installed and steps[0] != own:
                continue  # an installed package's dependencies count by their versions
            folder = root
            if not level and steps[0] != recording.PACKAGE:
                folder = next(_folders(root, steps[0]), root)
            base = path.parents[level - 1] if level else folder
            # `import a.b` runs `a/__init__.py`, too
            for length in range(1, len(steps) + 1):
                place = base.joinpath(*steps[:length])
                for file in (place.with_suffix(".py"), place / "__init__.py"):
                    if file.is_file() and "site-packages" not in file.relative_to(folder).parts:
                        _of_user(folder, file, texts)


def _folders(root: Path, name: str) -> Iterator[Path]:
    """The folders of `sys.path` that hold a module of the user's of this name, first come first."""
    for folder in dict.fromkeys((root, *map(Path, sys.path))):
        if folder.name in INSTALLED or folder.is_relative_to(LIBRARY):
            continue
        if (folder / f"{name}.py").is_file() or (folder / name).is_dir():
            yield folder


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
