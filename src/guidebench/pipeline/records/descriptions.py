"""The digest of a function of the package: of its source, and of what the names in it stand for.

Names are those of `recording`: `diffusion.samplers:heun`, `guidance.stabilizers:EMA.__call__`, and
`diffusion.samplers:SAMPLERS[heun]` for an entry of a table of methods. The digest covers

- the function's source without comments, docstrings and annotations;
- the shell of its class: bases, fields, names of methods;
- each module-level name in it: a constant with its value, and with the names in that; a class with
  its shell; a function by its name alone, for a function that runs is recorded itself.

What runs while a module is imported is not recorded. Where a constant's value, a decorator or a
default calls a function, the digest therefore covers that function with all that it calls (`runs`).
"""

import ast
import hashlib
import json
from functools import cache
from typing import NamedTuple

from guidebench.pipeline import recording
from guidebench.pipeline.records.syntax import Module, call, chains, effects, imported, module

BESIDE = (".j2", ".css")  # files that belong to the function that names them


class _Facts:
    """What the digest covers, collected as readable lines: key -> text."""

    def __init__(self) -> None:
        self.lines: dict[str, str] = {}
        self.packages: set[str] = set()
        self.callees: set[str] = set()  # functions that it may call

    def function(self, home: Module, name: str, runs: bool) -> None:
        """A function's source and what it names; `runs`: with all that it calls."""
        key = f"{home.name}:{name}" + " and what it calls" * runs
        if key in self.lines:
            return
        self.lines[key] = "\n".join(map(ast.unparse, home.functions[name]))
        for node in home.functions[name]:
            self._names(home, node, runs, imported(node.body))
            early = (*node.args.defaults, *node.args.kw_defaults, *map(call, node.decorator_list))
            for expression in filter(None, early):
                self._names(home, expression)
        parent = name.rpartition(".")[0]
        if parent in home.classes:
            self.shell(home, parent)
        self._assignments(home, name.partition(".")[0])

    def shell(self, home: Module, name: str, runs: bool = False) -> None:
        """A class without the bodies of its methods; `runs`: with them and all that they call."""
        key = f"{home.name}:{name} (class)"
        self.callees |= {
            f"{recording.module_name(home.name)}:{method}"
            for method in home.functions
            if method.startswith(f"{name}.")
        }
        node = home.classes[name]
        if runs:
            for method in [f for f in home.functions if f.startswith(f"{name}.")]:
                self.function(home, method, True)
            for base in node.bases:
                self._names(home, call(base))
        if key in self.lines:
            return
        body = [item for item in node.body if not isinstance(item, ast.FunctionDef | ast.ClassDef)]
        early = ast.ClassDef(
            node.name, node.bases, node.keywords, body or [ast.Pass()], node.decorator_list
        )
        names = [item.name for item in node.body if isinstance(item, ast.FunctionDef)]
        self.lines[key] = f"{ast.unparse(early)}\n{names}"
        for child in (*body, *node.bases, *node.keywords, *map(call, node.decorator_list)):
            self._names(home, child)
        self._assignments(home, name.partition(".")[0])

    def constant(self, home: Module, statement: ast.AST) -> None:
        """A top-level statement, or an entry of a table of methods."""
        key = f"{home.name}: {ast.unparse(statement)}"
        if key not in self.lines:
            self.lines[key] = ""
            self._names(home, statement)

    def _assignments(self, home: Module, name: str) -> None:
        """The top-level statements that assign to a name, also to a function's or an import's."""
        for statement in home.constants.get(name, []):
            self.constant(home, statement)

    def _names(
        self,
        home: Module,
        node: ast.AST,
        runs: bool | None = None,
        inner: dict[str, str] | None = None,
    ) -> None:
        """Add what each name in the code stands for.

        `runs`: whether a function that it names counts with all that it calls. None: an import
        evaluates the code, so a function does where the code calls it, or hands it to a call.
        """
        bound = home.imports | (inner or {})
        for chain, called, handed_to in chains(node):
            now = called or (handed_to is not None and not _stores(home, handed_to, bound))
            self._name(home, chain, now if runs is None else runs, bound)
        for text in ast.walk(node):
            if isinstance(text, ast.Constant) and str(text.value).endswith(BESIDE):
                file = home.folder / str(text.value)
                if file.is_file():
                    self.lines[file.name] = hashlib.sha256(file.read_bytes()).hexdigest()

    def _name(self, home: Module, chain: list[str], runs: bool, bound: dict[str, str]) -> None:
        name, *rest = chain
        if name in bound:
            self.follow(home, bound[name].split(".") + rest, runs)
        elif name in home.functions:
            self._function(home, name, runs)
        elif name in home.classes:
            self.shell(home, name, runs)
        elif home.table(name) is not None:
            self.lines[f"{home.name}:{name}"] = "a table of methods"
            return
        self._assignments(home, name)

    def _function(self, home: Module, name: str, runs: bool) -> None:
        if runs:
            self.function(home, name, True)
        else:
            self.lines[f"{home.name}:{name} (named)"] = ""
            self.callees.add(f"{recording.module_name(home.name)}:{name}")

    def follow(self, home: Module | None, path: list[str], runs: bool) -> None:
        """Add what `package.module.name.attribute` stands for; of another package, its version."""
        if path[0] != recording.PACKAGE:
            self.packages.add(path[0])
            return
        for length in range(len(path), 0, -1):
            dotted = ".".join(path[:length])
            target = module(dotted)
            if target is None:
                continue
            rest = path[length:]
            self.lines[f"{dotted} {'.'.join(rest)}"] = ""
            if rest and recording.recorded(dotted) and target is not home:
                self._name(target, rest, runs, target.imports)
            return


def _stores(home: Module, chain: list[str], bound: dict[str, str]) -> bool:
    """Whether a call only keeps its arguments, in an object of ours: then none of them runs."""
    dotted, _, name = bound.get(chain[0], f"{home.name}.{chain[0]}").rpartition(".")
    target = module(dotted)
    if len(chain) > 1 or target is None or name not in target.classes:
        return False
    constructors = {f"{name}.{method}" for method in ("__init__", "__new__", "__post_init__")}
    bases = [ast.unparse(base) for base in target.classes[name].bases]
    return not constructors & target.functions.keys() and set(bases) <= {"NamedTuple", "Protocol"}


def import_digest(dotted: str) -> str:
    """Digest of what an import from the package binds: of `guidebench.base.seeds.derive`."""
    facts = _Facts()
    facts.follow(None, dotted.split("."), runs=False)
    return hashlib.sha256(json.dumps(sorted(facts.lines.items())).encode()).hexdigest()[:16]


@cache
def _effects() -> list[tuple[str, str]]:
    """The lines of `syntax.effects`, which are part of every digest."""
    facts = _Facts()
    for home, statement in effects():
        facts.constant(home, statement)
    return sorted(facts.lines.items())


def forget() -> None:
    """Read sources anew, in a process that outlives an edit (tests)."""
    for cached in (module, effects, _effects, describe):
        cached.cache_clear()


class Described(NamedTuple):
    """A function, or entry of a table of methods, as it is now."""

    digest: str  # 16 hex digits
    packages: frozenset[str]  # top-level packages of others that it names
    callees: frozenset[str]  # functions of ours that it may call


@cache
def describe(name: str) -> Described | None:
    """What a recorded name stands for now; None when it is gone."""
    dotted, _, place = name.partition(":")
    home = module(f"{recording.PACKAGE}.{dotted}")
    if home is None:
        return None
    facts = _Facts()
    if place.endswith("]"):
        table, _, key = place[:-1].partition("[")
        entries = home.table(table)
        if entries is None:
            return None
        for name in entries if key == "*" else [key]:
            if name in entries:
                if key == "*":
                    facts.lines[f"{table}[{name}]"] = ""
                facts.constant(home, entries[name])
    elif place in home.functions:
        facts.function(home, place, runs=False)
    else:
        return None
    text = json.dumps([sorted(facts.lines.items()), _effects()])
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return Described(digest, frozenset(facts.packages), frozenset(facts.callees))
