"""Which functions of ours a result came from: each one notes its name when it is called.

Every module of the package outside of `pipeline/` is compiled with one more statement at the start
of each function and method, `__ran__("diffusion.samplers:heun")`. So what a job, a cell or a
training depends on is not guessed from imports: it is what ran. `records.code` turns the names
into digests. A method that is looked up by name in a `Methods` table notes its entry, too.
"""

import ast
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, TypeVar

Method = TypeVar("Method")

PACKAGE = "guidebench"
UNRECORDED = f"{PACKAGE}.pipeline"

ran: set[str] = set()
# the text that was compiled: what runs, whatever an editor makes of the file meanwhile
sources: dict[str, str] = {}


class Methods(dict[str, Method]):
    """Methods by name, at the top of a module; only the entries that are looked up count.

    So a new sampler, guide or network in a table makes nothing stale that does not use it; a
    function that goes through the whole table (by its names) depends on all of it.
    """

    place = ""  # `module:NAME`, set by the loader

    def __getitem__(self, name: str) -> Method:
        ran.add(f"{self.place}[{name}]")
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        ran.add(f"{self.place}[{name}]")
        return super().__contains__(name)

    def __iter__(self) -> Iterator[str]:
        ran.add(f"{self.place}[*]")
        return super().__iter__()

    def get(self, name: str, default: Any = None) -> Any:
        """The method, or `default`."""
        ran.add(f"{self.place}[{name}]")
        return super().get(name, default)


@contextmanager
def apart() -> Iterator[set[str]]:
    """Note what runs inside in a set of its own, and not in that of the surrounding job."""
    outside = set(ran)
    ran.clear()
    inside: set[str] = set()
    try:
        yield inside
    finally:
        inside |= ran
        ran.clear()
        ran.update(outside)


def module_name(name: str) -> str:
    """`guidebench.diffusion.samplers` as it stands in notes: without the package."""
    return name.removeprefix(f"{PACKAGE}.")


def functions(body: Sequence[ast.stmt], above: str = "") -> Iterator[tuple[str, ast.FunctionDef]]:
    """(qualified name, definition) of a module's functions and of its classes' methods.

    A function inside a function belongs to that; one name may have several definitions.
    """
    for node in body:
        if isinstance(node, ast.FunctionDef):
            yield above + node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from functions(node.body, f"{above}{node.name}.")


def has_docstring(body: Sequence[ast.stmt]) -> bool:
    """Whether a module, class or function begins with a docstring."""
    match body:
        case [ast.Expr(value=ast.Constant(value=str())), *_]:
            return True
    return False


def noting(tree: ast.Module, module: str) -> ast.Module:
    """The module's tree with a note at the start of each function."""
    for name, node in functions(tree.body):
        place = int(has_docstring(node.body))
        call = ast.parse(f"__ran__({module_name(module) + ':' + name!r})").body[0]
        for new in ast.walk(call):
            ast.copy_location(new, node.body[0])
        node.body.insert(place, call)
    return tree


class _Loader(importlib.machinery.SourceFileLoader):
    """Compiles a module with its notes; nothing is cached, bytecode on disk has none."""

    def get_code(self, fullname: str) -> CodeType:
        source = sources[fullname] = Path(self.path).read_text(encoding="utf-8")
        return compile(noting(ast.parse(source), fullname), self.path, "exec", dont_inherit=True)

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__ran__"] = ran.add
        # what an import runs counts with the module's constants (`records.descriptions`), and not
        # for the job that happens to import it first
        with apart():
            super().exec_module(module)
        for name, value in vars(module).items():
            if isinstance(value, Methods) and not value.place:
                value.place = f"{module_name(module.__name__)}:{name}"


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the modules of the package that carry numbers."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if not recorded(fullname):
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            spec.loader = _Loader(fullname, spec.loader.path)
        return spec


def recorded(module: str) -> bool:
    """Whether a module may carry numbers: all of the package but the folder `pipeline/`."""
    inside = module.startswith(f"{PACKAGE}.")
    return inside and module != UNRECORDED and not module.startswith(f"{UNRECORDED}.")


def install() -> None:
    """Record from now on; called when the package is imported, before any of its modules."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
