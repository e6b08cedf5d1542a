"""What runs notes its name, and nothing else does."""

import ast
import sys
from pathlib import Path

import pytest
from processes import completed

from guidebench.base.seeds import derive
from guidebench.diffusion.samplers import SAMPLERS
from guidebench.pipeline import recording
from guidebench.pipeline.recording import Methods, apart, functions, noting, recorded
from guidebench.pipeline.records import syntax

PACKAGE = Path(syntax.__file__).parents[2]
SOURCE = '''"""A module."""

from functools import cached_property


def plain(x):
    """Says so."""
    return x


def generator():
    yield 1


class Thing:
    """A thing."""

    def __init__(self):
        self.x = 1

    @property
    def half(self):
        return self.x / 2

    @cached_property
    def kept(self):
        return self.inner()

    @staticmethod
    def inner():
        def deepest():
            return 3

        return deepest()

    class Part:
        def __call__(self):
            return 4


def unused():
    return Thing()
'''


@pytest.fixture
def notes() -> tuple[dict, set[str]]:
    """The namespace of SOURCE, with notes, and what it noted."""
    seen: set[str] = set()
    space = {"__ran__": seen.add, "__name__": "toy"}
    exec(compile(noting(ast.parse(SOURCE), "guidebench.toy"), "toy.py", "exec"), space)
    return space, seen


def test_a_function_notes_itself_when_it_is_called(notes) -> None:
    space, seen = notes
    assert seen == set()
    assert space["plain"](2) == 2
    assert seen == {"toy:plain"}
    assert space["plain"].__doc__ == "Says so."
    assert space["Thing"].__doc__ == "A thing."
    thing = space["Thing"]()
    assert thing.half == 0.5
    assert thing.kept == 3
    assert space["Thing"].Part()() == 4
    assert list(space["generator"]()) == [1]
    assert seen == {
        "toy:plain",
        "toy:Thing.__init__",
        "toy:Thing.half",
        "toy:Thing.kept",
        "toy:Thing.inner",
        "toy:Thing.Part.__call__",
        "toy:generator",
    }


def test_a_traceback_names_the_lines_of_the_file() -> None:
    tree = noting(ast.parse(SOURCE), "guidebench.toy")
    names = dict(functions(ast.parse(SOURCE).body))
    for name, node in functions(tree.body):
        assert node.lineno == names[name].lineno
        assert node.body[-1].lineno == names[name].body[-1].lineno


def test_every_function_of_the_package_notes_itself() -> None:
    """Those that an `if` or a `try` defines, and async ones, would not: there are none."""
    count = 0
    for path in PACKAGE.rglob("*.py"):
        if path.is_relative_to(PACKAGE / "pipeline"):
            continue
        tree = ast.parse(path.read_text())
        noted = {id(node) for _, node in functions(tree.body)}
        within = {id(inner) for _, node in functions(tree.body) for inner in ast.walk(node)}
        for node in ast.walk(tree):
            assert not isinstance(node, ast.AsyncFunctionDef), path
            if isinstance(node, ast.FunctionDef):
                assert id(node) in noted or id(node) in within, f"{path}:{node.lineno}"
        count += len(noted)
    assert count > 300


def test_the_package_records_and_its_plumbing_does_not() -> None:
    with apart() as ran:
        derive(1, "a")
        assert recording.ran == {"base.seeds:derive"}
        SAMPLERS["heun"]
        "mine" in SAMPLERS  # noqa: B015
        SAMPLERS.get("yours")
    assert ran == {
        "base.seeds:derive",
        "diffusion.samplers:SAMPLERS[heun]",
        "diffusion.samplers:SAMPLERS[mine]",
        "diffusion.samplers:SAMPLERS[yours]",
    }
    assert not recorded("guidebench")
    assert not recorded("guidebench.pipeline")
    assert not recorded("guidebench.pipeline.records.code")
    assert not recorded("guidebenchmark.seeds")
    assert recorded("guidebench.pipelines")
    assert recorded("guidebench.base.seeds")


def test_what_runs_apart_is_not_noted_outside() -> None:
    with apart():
        recording.ran.add("a:before")
        with apart() as inside:
            recording.ran.add("a:within")
        assert inside == {"a:within"}
        assert recording.ran == {"a:before"}
        with pytest.raises(ValueError, match="failed"), apart() as failed:  # noqa: PT012
            recording.ran.add("a:failed")
            raise ValueError("failed")
        assert failed == {"a:failed"}
        assert recording.ran == {"a:before"}


def test_a_table_of_methods_is_a_dict() -> None:
    table = Methods(a=1, b=2)
    assert table == {"a": 1, "b": 2}
    assert list(table) == ["a", "b"]
    assert table.get("c", 3) == 3
    with pytest.raises(KeyError):
        table["c"]


def test_what_an_import_runs_is_no_jobs() -> None:
    """Whoever imports first, its record is the same."""
    code = (
        "from guidebench.pipeline import recording; import guidebench.diffusion.samplers,"
        "guidebench.base.choices; print(sorted(recording.ran))"
    )
    done = completed(sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[]\n"


def test_bytecode_without_notes_is_not_used(tmp_path: Path) -> None:
    """A cache that some other tool wrote for the same file."""
    code = (
        "import sys, py_compile, guidebench.pipeline as p; from pathlib import Path;"
        "py_compile.compile(str(Path(p.__file__).parents[1] / 'base' / 'seeds.py'));"
        "from guidebench.pipeline import recording; from guidebench.base.seeds import derive;"
        "derive(1, 'a'); print(*recording.ran)"
    )
    done = completed(sys.executable, "-X", f"pycache_prefix={tmp_path}", "-c", code)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.rglob("seeds*.pyc"))
    assert done.stdout == "base.seeds:derive\n"


def test_the_package_has_no_code_that_a_record_could_not_follow() -> None:
    """No star imports, no definitions below a condition, tables of methods by keywords alone."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.is_relative_to(PACKAGE / "pipeline"):
            continue
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, path
                assert all(alias.name != "*" for alias in node.names), path
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Methods"):
                assert not node.args, path
                assert all(keyword.arg for keyword in node.keywords), path
            assert not isinstance(node, ast.AsyncFunctionDef), path
        for statement in tree.body:
            if not isinstance(statement, ast.FunctionDef | ast.ClassDef):
                inner = list(ast.walk(statement))
                assert not any(isinstance(n, ast.FunctionDef | ast.ClassDef) for n in inner), path
            if isinstance(statement, ast.If):
                assert "TYPE_CHECKING" in ast.unparse(statement.test), path
                assert statement.orelse == [], path
