"""The syntax of the package's modules: functions, classes, constants, and the names in code."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from guidebench.pipeline import recording

SOURCE = Path(__file__).parents[3]


class Module:
    """The syntax of one module: its functions, classes, and what its top-level names stand for."""

    def __init__(self, name: str, path: Path, text: str) -> None:
        self.name, self.folder = name, path.parent
        tree = ast.parse(text)
        strip(tree)
        self.functions: dict[str, list[ast.FunctionDef]] = {}
        for qualified, node in recording.functions(tree.body):
            self.functions.setdefault(qualified, []).append(node)
        self.classes = dict(_classes(tree.body))
        self.imports = imported(tree.body)
        self.constants: dict[str, list[ast.stmt]] = {}
        self.effects: list[ast.stmt] = []  # statements that may change what any name stands for
        for statement in tree.body:
            if isinstance(statement, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef):
                continue
            if isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.unparse(statement.test):
                continue
            for name in _bound(statement):
                self.constants.setdefault(name, []).append(statement)
            if not _only_assigns(statement):
                self.effects.append(statement)

    def table(self, name: str) -> dict[str, ast.expr] | None:
        """The entries of a table of methods; None for anything else."""
        statements = self.constants.get(name, [])
        value = getattr(statements[0], "value", None) if len(statements) == 1 else None
        if isinstance(value, ast.Call) and ast.unparse(value.func).endswith("Methods"):
            entries = {keyword.arg: keyword.value for keyword in value.keywords if keyword.arg}
            return entries if len(entries) == len(value.keywords) else None
        return None


def _bound(node: ast.AST) -> set[str]:
    """The names that a statement assigns to, outside of comprehensions and lambdas."""
    if isinstance(node, ast.Name):
        return {node.id} if isinstance(node.ctx, ast.Store) else set()
    if isinstance(node, ast.comprehension | ast.Lambda):
        return set()
    return {name for child in ast.iter_child_nodes(node) for name in _bound(child)}


def _only_assigns(statement: ast.stmt) -> bool:
    """Whether a top-level statement assigns to plain names and, by its form, does nothing else."""
    if not isinstance(statement, ast.Assign | ast.AnnAssign):
        return False
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    names = [
        name
        for target in targets
        for name in (target.elts if isinstance(target, ast.Tuple) else [target])
    ]
    # `_ = N.append(x)` changes N
    unused = any(isinstance(name, ast.Name) and name.id == "_" for name in names)
    return all(isinstance(name, ast.Name) for name in names) and not unused


def strip(tree: ast.Module) -> None:
    """Remove docstrings and annotations."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            if recording.has_docstring(node.body):
                node.body = node.body[1:] or [ast.Pass()]
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        if isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
        if isinstance(node, ast.arg):
            node.annotation = None


def _classes(body: list[ast.stmt], above: str = "") -> Iterator[tuple[str, ast.ClassDef]]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield above + node.name, node
            yield from _classes(node.body, f"{above}{node.name}.")


def imported(body: Sequence[ast.AST]) -> dict[str, str]:
    """Name -> the dotted name that an import in `body` gives it, outside of functions in `body`."""
    imports = {}
    for node in body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                whole = alias.name if alias.asname else alias.name.partition(".")[0]
                imports[alias.asname or whole] = whole
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                imports[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        elif not isinstance(node, ast.FunctionDef):
            imports |= imported(list(ast.iter_child_nodes(node)))
    return imports


@cache
def module(name: str) -> Module | None:
    """A module of the package by its dotted name; None when there is none."""
    base = SOURCE.joinpath(*name.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return _parsed(
                name, path, recording.sources.get(name) or path.read_text(encoding="utf-8")
            )
    return None


@cache
def _parsed(name: str, path: Path, text: str) -> Module:
    """Of all modules together it takes a third of a second: once, also where one is edited."""
    return Module(name, path, text)


def call(decorator: ast.expr) -> ast.expr:
    """A decorator as a call: `@name` calls `name`."""
    return decorator if isinstance(decorator, ast.Call) else ast.Call(decorator, [], [])


@cache
def effects() -> list[tuple[Module, ast.stmt]]:
    """The `effects` of all modules that carry numbers, each with its module.

    They count for every function: once a module is imported, they act on the whole process.
    """
    statements = []
    for path in sorted((SOURCE / recording.PACKAGE).rglob("*.py")):
        steps = path.relative_to(SOURCE).with_suffix("").parts
        name = ".".join(step for step in steps if step != "__init__")
        # nobody imports `__main__`
        if path.stem != "__main__" and (name == recording.PACKAGE or recording.recorded(name)):
            home = module(name)
            statements += [(home, statement) for statement in home.effects] if home else []
    return statements


class NameUse(NamedTuple):
    """A place in code that reads a name: `[a, b, c]` of a.b.c."""

    chain: list[str]
    called: bool = False  # when the code around it is evaluated, not later
    handed_to: list[str] | None = None  # the innermost call that gets it, `?` without a name


def chains(node: ast.AST, now: bool = True, call_of: ast.expr | None = None) -> Iterator[NameUse]:
    """Every use of a name in the code.

    `now`: the code is evaluated at once, as a lambda is not unless a call gets it; `call_of`: what
    is called with the code as an argument.
    """
    if isinstance(node, ast.Lambda):
        now = now and call_of is not None
    if chain := _dotted(node):
        yield NameUse(chain, False, _dotted(call_of) or ["?"] if now and call_of else None)
        return
    if isinstance(node, ast.Call):
        called = _dotted(node.func)
        if called:
            yield NameUse(called, now)
        else:
            yield from chains(node.func, now, call_of)
        # functools' `partial` runs nothing: what gets it may
        gets = call_of if called[-1:] == ["partial"] else node.func
        for argument in (*node.args, *node.keywords):
            yield from chains(argument, now, gets)
        return
    for child in ast.iter_child_nodes(node):
        yield from chains(child, now, call_of)


def _dotted(node: ast.AST | None) -> list[str]:
    """`[a, b, c]` of the expression a.b.c; empty for any other."""
    chain: list[str] = []
    while isinstance(node, ast.Attribute):
        chain.append(node.attr)
        node = node.value
    return [node.id, *reversed(chain)] if isinstance(node, ast.Name) else []
