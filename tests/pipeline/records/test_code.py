"""A function's digest changes with what its results depend on, and with nothing else."""

import shutil
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import pytest

from guidebench.pipeline import recording
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.records import code, syntax, user_code
from guidebench.pipeline.records.artifacts import digest_of, read_json
from guidebench.pipeline.records.descriptions import describe
from guidebench.pipeline.records.user_code import source_digest

PACKAGE = Path(syntax.__file__).parents[2]

MATHS = '''"""Areas."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from guidebench.pipeline.recording import Methods
from guidebench.toy import constants
from guidebench.toy.constants import SCALE, doubled

LEVELS = [1, 2]
MADE = doubled(3)
UNUSED = 4


class Shape(NamedTuple):
    """A shape."""

    side: float = 1.0

    def area(self) -> float:
        """Its area."""
        return self.side**2

    def name(self) -> str:
        return "shape"


class Square(constants.Named):
    """Another."""

    corners = 4

    def text(self) -> str:
        return f"{self.corners}"


def scaled(x: float) -> float:
    """By a constant of another module."""
    return x * SCALE


def shifted(x: float, by: float = doubled(1)) -> float:
    """By constants of this one; calls another function."""
    more: float = scaled(x)
    return more + by + LEVELS[0] + constants.OFFSET


def whole(x: float) -> float:
    """With a constant that a call made."""
    return MADE * np.pi * x


def rounded(x: float) -> float:
    """Imports within."""
    from guidebench.toy.constants import DIGITS

    return round(x, DIGITS)


def page() -> str:
    """Reads a file beside it."""
    return open("page.html.j2").read()


def chosen(name: str) -> float:
    """Looks up a method."""
    return TABLE[name](1.0)


def square() -> Square:
    """Makes an object."""
    return Square()


TABLE = Methods(scaled=scaled, twice=lambda x: x * constants.OFFSET)
'''
CONSTANTS = '''"""Constants."""

SCALE = 2.0
OFFSET = 5
DIGITS = 3
FACTOR = 2


class Named:
    """Has a name."""

    label = "named"

    def said(self) -> str:
        return self.label


def doubled(x: float) -> float:
    """Twice as much."""
    return inner(x)


def inner(x: float) -> float:
    """What that calls."""
    return x * FACTOR
'''
FUNCTIONS = ["scaled", "shifted", "whole", "rounded", "page", "chosen", "square"]
FUNCTIONS += ["Shape.area", "Shape.name", "Square.text", "TABLE[scaled]", "TABLE[twice]"]


class Source:
    """Sources of a package, free to edit."""

    def __init__(self, root: Path) -> None:
        self.root = root / "guidebench"

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text()
        assert text.count(old) == 1, f"{name} holds {old!r} {text.count(old)} times"
        (self.root / name).write_text(text.replace(old, new))
        code.forget()

    def digests(self) -> dict[str, str]:
        """Every function of the package -> digest."""
        names = []
        for path in sorted(self.root.rglob("*.py")):
            parts = path.relative_to(self.root).with_suffix("").parts
            dotted = ".".join(part for part in parts if part != "__init__")
            if not dotted or not recording.recorded(f"{recording.PACKAGE}.{dotted}"):
                continue
            module = syntax.module(f"{recording.PACKAGE}.{dotted}")
            assert module is not None, dotted
            names += [f"{dotted}:{name}" for name in module.functions]
            for table in module.constants:
                names += [f"{dotted}:{table}[{entry}]" for entry in module.table(table) or []]
        return {name: _digest(name) for name in names}


def _digest(name: str) -> str:
    described = describe(name)
    assert described is not None, name
    return described.digest


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Where sources are read from, for a while."""
    monkeypatch.setattr(syntax, "SOURCE", tmp_path)
    monkeypatch.setattr(recording, "sources", {})
    code.forget()
    yield Source(tmp_path)
    code.forget()


@pytest.fixture
def toy(source: Source) -> Source:
    folder = source.root / "toy"
    folder.mkdir(parents=True)
    (source.root / "__init__.py").touch()
    (folder / "__init__.py").touch()
    (folder / "maths.py").write_text(MATHS)
    (folder / "constants.py").write_text(CONSTANTS)
    (folder / "page.html.j2").write_text("<body>")
    return source


@pytest.fixture
def real(source: Source) -> Source:
    """The package itself."""
    shutil.copytree(PACKAGE, source.root, ignore=shutil.ignore_patterns("__pycache__"))
    return source


@pytest.fixture
def changed(toy: Source) -> Callable[[str, str], set[str]]:
    """The functions of `maths.py` that an edit of the toy changes."""

    def names(old: str, new: str) -> set[str]:
        before = {name: _digest(f"toy.maths:{name}") for name in FUNCTIONS}
        (file,) = [path for path in toy.root.glob("toy/*.*") if old in path.read_text()]
        toy.edit(f"toy/{file.name}", old, new)
        return {name for name in FUNCTIONS if _digest(f"toy.maths:{name}") != before[name]}

    return names


class Edit(NamedTuple):
    """Old text, new text, the functions that change with it."""

    old: str
    new: str
    changes: set[str] = set()


EDITS = {
    "a comment": Edit("    return x * SCALE", "    # why\n    return x * SCALE"),
    "a docstring": Edit("By a constant of another module.", "Scaled."),
    "no docstring": Edit('    """Its area."""\n', ""),
    "the module's docstring": Edit('"""Areas."""', '"""Shapes."""'),
    "layout": Edit("LEVELS = [1, 2]", "LEVELS = [\n    1,\n    2,\n]"),
    "annotations": Edit("def scaled(x: float) -> float:", "def scaled(x: int):"),
    "a local annotation": Edit("more: float = ", "more: int = "),
    "an unused constant": Edit("UNUSED = 4", "UNUSED = 5"),
    "a new function": Edit("TABLE = ", "def new() -> int:\n    return 1\n\n\nTABLE = "),
    "a body": Edit("return x * SCALE", "return SCALE * x", {"scaled"}),
    "a constant": Edit("LEVELS = [1, 2]", "LEVELS = [3, 2]", {"shifted"}),
    "a constant of another module": Edit("SCALE = 2.0", "SCALE = 3.0", {"scaled"}),
    "one by the module's name": Edit("OFFSET = 5", "OFFSET = 6", {"shifted", "TABLE[twice]"}),
    "one that is imported within": Edit("DIGITS = 3", "DIGITS = 4", {"rounded"}),
    "the call that made a constant": Edit("doubled(3)", "doubled(4)", {"whole"}),
    "what makes a constant, or a default": Edit(
        "return inner(x)", "return inner(x) + 0", {"whole", "shifted"}
    ),
    "what that calls": Edit("x * FACTOR", "FACTOR * x", {"whole", "shifted"}),
    "a constant of what that calls": Edit("FACTOR = 2", "FACTOR = 3", {"whole", "shifted"}),
    "a default": Edit("doubled(1)", "doubled(2)", {"shifted"}),
    "a file beside": Edit("<body>", "<body><p>", {"page"}),
    "a class's field": Edit("side: float = 1.0", "side: float = 2.0", {"Shape.area", "Shape.name"}),
    "a field's type": Edit("side: float = 1.0", "side: int = 1.0"),
    "a class's base": Edit("(constants.Named)", "", {"Square.text", "square"}),
    "a base's field": Edit('label = "named"', 'label = "other"', {"Square.text", "square"}),
    "a class's field, of its user": Edit("corners = 4", "corners = 5", {"Square.text", "square"}),
    "a new method": Edit(
        "    def name(self)",
        "    def __len__(self) -> int:\n        return 1\n\n    def name(self)",
        {"Shape.area", "Shape.name"},
    ),
    "a base's new method": Edit(
        "    def said(self)",
        "    def text(self) -> str:\n        return ''\n\n    def said(self)",
        {"Square.text", "square"},
    ),
    "another method's body": Edit('"shape"', '"square"', {"Shape.name"}),
    "a method of the base": Edit("return self.label", "return self.label * 2"),
    "a decorator": Edit("def scaled(", "@staticmethod\ndef scaled(", {"scaled"}),
    "a statement that does something": Edit("UNUSED = 4", "np.seterr(all='raise')", set(FUNCTIONS)),
    "a new entry of a table": Edit("Methods(scaled=", "Methods(new=scaled, scaled="),
    "an entry of a table": Edit(
        "lambda x: x * constants", "lambda x: 2 * x * constants", {"TABLE[twice]"}
    ),
    "what an entry is": Edit("scaled=scaled", "scaled=whole", {"TABLE[scaled]"}),
    "no table any more": Edit("TABLE[name](1.0)", "scaled(1.0)", {"chosen"}),
}


@pytest.mark.parametrize("edit", EDITS)
def test_what_an_edit_changes(edit: str, changed) -> None:
    old, new, changes = EDITS[edit]
    assert changed(old, new) == changes


FILL = "from guidebench.toy.filled import FILLED\n\n\ndef filled() -> object:\n    return FILLED\n"
# what an import runs, of `filled.py`, and an edit of it
IMPORTED = {
    "a call": ("def construct():\n    return [1]\n\n\nFILLED = construct()\n", Edit("[1]", "[2]")),
    "a comprehension": (
        "def construct(x):\n    return x\n\n\nFILLED = [construct(x) for x in (1, 2)]\n",
        Edit("return x", "return 2 * x"),
    ),
    "an object": (
        "class Made:\n    def __init__(self):\n        self.x = 1\n\n\nFILLED = Made()\n",
        Edit("= 1", "= 2"),
    ),
    "a branch": (
        "try:\n    import absent\nexcept ImportError:\n    FILLED = 1\n",
        Edit("FILLED = 1", "FILLED = 2"),
    ),
    "a sum": ("FILLED = 1\nFILLED += 1\n", Edit("+= 1", "+= 2")),
    "several names": ("OTHER, FILLED = 1, 2\n", Edit("1, 2", "1, 3")),
    "a function that is handed on": (
        "def rank(x):\n    return x\n\n\nFILLED = sorted([1, 2], key=rank)\n",
        Edit("return x", "return -x"),
    ),
    "a partial function that is handed on": (
        "from functools import partial\n\n\ndef rank(y, x):\n    return x * y\n\n\n"
        "FILLED = sorted([1, 2], key=partial(rank, 1))\n",
        Edit("x * y", "-x * y"),
    ),
    "an inherited method": (
        "class Base:\n    def __init__(self):\n        self.x = 1\n\n\n"
        "class Made(Base):\n    pass\n\n\nFILLED = Made()\n",
        Edit("= 1", "= 2"),
    ),
    "an entry that is set": ("FILLED = {}\nFILLED['a'] = 1\n", Edit("= 1", "= 2")),
    "a list that is filled": ("FILLED = []\nFILLED.append(1)\n", Edit("(1)", "(2)")),
}


@pytest.mark.parametrize("edit", IMPORTED)
def test_what_an_import_made_counts(edit: str, toy: Source) -> None:
    text, (old, new, _) = IMPORTED[edit]
    (toy.root / "toy" / "user.py").write_text(FILL)
    (toy.root / "toy" / "filled.py").write_text(text)
    code.forget()
    before = _digest("toy.user:filled")
    toy.edit("toy/filled.py", old, new)
    assert _digest("toy.user:filled") != before


def test_a_partial_function_runs_when_it_is_called(toy: Source) -> None:
    """Until then a constant that has it only names it."""
    (toy.root / "toy" / "user.py").write_text(FILL)
    (toy.root / "toy" / "filled.py").write_text(
        "from functools import partial\n\n\ndef rank(y, x):\n    return x * y\n\n\n"
        "FILLED = [partial(rank, 1)]\n"
    )
    code.forget()
    before = _digest("toy.user:filled")
    toy.edit("toy/filled.py", "x * y", "-x * y")
    assert _digest("toy.user:filled") == before
    toy.edit("toy/filled.py", "rank, 1", "rank, 2")
    assert _digest("toy.user:filled") != before


def test_an_entry_or_a_function_that_is_gone(toy: Source) -> None:
    entry = describe("toy.maths:TABLE[twice]")
    absent = describe("toy.maths:TABLE[cubed]")
    assert absent is not None  # looked for, and not found
    toy.edit("toy/maths.py", "twice=", "cubed=")
    assert describe("toy.maths:TABLE[cubed]") == entry != absent
    assert describe("toy.maths:TABLE[twice]") == absent
    toy.edit("toy/maths.py", "TABLE = Methods", "OTHER = Methods")
    assert describe("toy.maths:TABLE[cubed]") is None
    toy.edit("toy/maths.py", "def whole(", "def entire(")
    assert describe("toy.maths:whole") is None
    assert describe("toy.gone:whole") is None
    with pytest.raises(UserError, match=r"toy\.maths:whole: ran, but is not in"):
        code.current({"toy.maths:whole"})


def test_a_function_names_those_that_it_may_call(toy: Source) -> None:
    found = describe("toy.maths:shifted")
    assert found is not None
    assert found.callees == {"toy.maths:scaled", "toy.constants:doubled"}
    below = found.callees | {"toy.maths:shifted", "toy.constants:inner"}
    assert code.reached("toy.maths:shifted") == below
    assert code.reached("toy.maths:square") == {
        "toy.maths:square",
        "toy.maths:Square.text",
        "toy.constants:Named.said",
    }
    assert code.reached("numpy") == set()


def test_versions_of_named_packages_are_part_of_a_record(toy, tmp_path, monkeypatch) -> None:
    assert set(code.current({"toy.maths:scaled"})) == {"toy.maths:scaled"}
    found = code.current({"toy.maths:whole", "numpy"})
    assert found == {"toy.maths:whole": _digest("toy.maths:whole"), "numpy": version("numpy")}
    name = code.keep(tmp_path / "results", {"toy.maths:whole"})
    assert code.changed(tmp_path / "results", name) == ()
    monkeypatch.setattr(code, "version", lambda package: "0.1")
    code.forget()
    assert code.changed(tmp_path / "results", name) == ("numpy",)


def test_a_record_names_what_changed_since(toy: Source, tmp_path: Path) -> None:
    root, names = tmp_path / "results", {"toy.maths:scaled", "toy.maths:page", "toy.maths:rounded"}
    name = code.keep(root, names)
    assert code.keep(root, names) == name
    assert set(code.kept(root, name)) == names
    assert code.changed(root, name) == ()
    toy.edit("toy/maths.py", "return x * SCALE", "return SCALE * x")
    toy.edit("toy/maths.py", "def rounded(", "def cut(")
    assert set(code.changed(root, name)) == {"toy.maths:scaled", "toy.maths:rounded"}
    assert code.there("toy.maths:scaled")
    assert not code.there("toy.maths:rounded")
    assert code.keep(root, {"toy.maths:scaled"}) != name
    # an edit that is taken back
    toy.edit("toy/maths.py", "return SCALE * x", "return x * SCALE")
    toy.edit("toy/maths.py", "def cut(", "def rounded(")
    assert code.changed(root, name) == ()


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"toy.maths:scaled": "0"}'])
def test_a_damaged_record_is_of_changed_code(text: str | None, toy: Source, tmp_path) -> None:
    name = code.keep(tmp_path, {"toy.maths:scaled"})
    path = tmp_path / code.FOLDER / f"{name}.json"
    assert digest_of(read_json(path))[:16] == name
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    with pytest.raises(UserError, match=str(path)):
        code.kept(tmp_path, name)
    assert code.changed(tmp_path, name) == ("the record of its code",)
    # whoever runs again writes it anew
    assert code.keep(tmp_path, {"toy.maths:scaled"}) == name
    assert code.changed(tmp_path, name) == ()


def test_a_copy_elsewhere_has_the_same_digests(real: Source, tmp_path, monkeypatch) -> None:
    found = real.digests()
    assert len(found) > 300
    elsewhere = Source(tmp_path / "elsewhere")
    shutil.copytree(real.root, elsewhere.root)
    monkeypatch.setattr(syntax, "SOURCE", elsewhere.root.parent)
    code.forget()
    assert elsewhere.digests() == found


def test_comments_docstrings_and_layout_change_nothing(real: Source) -> None:
    before = real.digests()
    for path in real.root.rglob("*.py"):
        text = path.read_text().replace('"""', '"""In other words: ', 1)
        path.write_text("# a comment\n\n" + text + "\n\n# and another\n")
    code.forget()
    assert real.digests() == before


REAL = {
    "a sampler": (
        "diffusion/samplers.py",
        Edit("def heun(", "@staticmethod\ndef heun(", {"diffusion.samplers:heun"}),
    ),
    "a new sampler": (
        "diffusion/samplers.py",
        Edit(
            "ancestral=ancestral,",
            "ancestral=ancestral,\n    mine=ddim,",
            {"diffusion.samplers:SAMPLERS[mine]"},
        ),
    ),
    "what a table says of its entries": (
        "diffusion/samplers.py",
        Edit("SAMPLERS: Methods[Callable[..., Tensor]] =", "SAMPLERS ="),
    ),
    "a limit": (
        "guidance/sampling.py",
        Edit("LARGEST_RMS = 1.5", "LARGEST_RMS = 1.6", {"guidance.sampling:Sampler._trajectory"}),
    ),
    "the training loop": (
        "train/loop.py",
        Edit("max(1, plan.steps // 100)", "max(1, plan.steps // 10)", {"train.loop:fit"}),
    ),
    "the page": (
        "report/pages/page.html.j2",
        Edit("<body>", "<body><!-- new -->", {"report.pages.page:render"}),
    ),
    "the command line": (
        "pipeline/cli.py",
        Edit("def main() -> None:", "EXTRA = 1\n\n\ndef main() -> None:"),
    ),
    "the tracker": (
        "pipeline/tracking/mlflow_store.py",
        Edit("\nlog = ", "\nEXTRA = 1\nlog = "),
    ),
    "how a job runs": (
        "pipeline/jobs/execution.py",
        Edit("\n\n@dataclass", "\nEXTRA = 1\n\n@dataclass"),
    ),
}


@pytest.mark.parametrize("edit", REAL)
def test_what_an_edit_of_the_package_changes(edit: str, real: Source) -> None:
    file, (old, new, changes) = REAL[edit]
    before = real.digests()
    real.edit(file, old, new)
    after = real.digests()
    assert {name for name in after if after[name] != before.get(name)} == changes
    assert before.keys() <= after.keys()


@pytest.fixture
def digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """The digest of `my_methods:Mine` for these files."""
    folder = tmp_path / "mine"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    # another test's module of that name
    monkeypatch.delitem(sys.modules, "my_methods", raising=False)

    def write(**files: str) -> str:
        for name, text in files.items():
            path = folder / f"{name.replace('__in__', '/')}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        code.forget()
        return source_digest("my_methods:Mine")

    return write


def test_a_users_module_counts_without_its_comments(digest) -> None:
    first = digest(my_methods="class Mine:\n    '''Mine.'''\n    size = 1\n")
    assert digest(my_methods="# why\nclass Mine:\n    size = 1\n") == first
    assert digest(my_methods="class Mine:\n    size = 2\n") != first
    for text, said in (("class Yours: ...\n", "no Mine in"), ("class Mine\n", "line 1")):
        with pytest.raises(UserError, match=said):
            digest(my_methods=text)


def test_the_users_modules_that_it_imports_count(digest, tmp_path: Path) -> None:
    first = digest(
        my_methods="import torch, mine_a\nfrom my_package.deep import x\nMine = 1\n",
        mine_a="from mine_b import y\n",
        mine_b="y = 1\n",
        mine_c="z = 1\n",
        my_package__in____init__="",
        my_package__in__deep="from . import near\nx = 1\n",
        my_package__in__near="",
    )
    assert (tmp_path / "mine" / "my_package" / "near.py").is_file()
    assert digest(mine_b="# twice\ny = 1\n") == first
    assert digest(mine_c="z = 2\n") == first  # imported by nobody
    seen = {first}
    for edit in (
        {"mine_a": "from mine_b import y\nEXTRA = 1\n"},
        {"mine_b": "y = 2\n"},
        {"my_package__in__deep": "from . import near\nx = 2\n"},
        {"my_package__in__near": "w = 1\n"},
        {"my_package__in____init__": "v = 1\n"},
    ):
        other = digest(**edit)
        assert other not in seen, edit
        seen.add(other)
    with pytest.raises(UserError, match=r"mine_b\.py \(line 1"):
        digest(mine_b="y = \n")


def test_versions_of_the_packages_that_it_imports_count(digest, monkeypatch) -> None:
    first = digest(my_methods="import json\nfrom PIL import Image\nMine = 1\n")
    told = user_code.version
    monkeypatch.setattr(user_code, "version", lambda name: "0.1" if name == "torch" else told(name))
    assert digest() == first
    monkeypatch.setattr(user_code, "version", lambda name: "0.1")
    assert digest() != first


@pytest.mark.parametrize("place", user_code.INSTALLED)
def test_of_an_installed_package_its_own_modules_count(
    place: str, tmp_path: Path, monkeypatch
) -> None:
    """Beside it lie hundreds of others: those that it imports count by their versions."""
    root = tmp_path / place
    files = {
        "my_package/__init__.py": "import my_dependency, PIL\nfrom . import near\nMine = 1\n",
        "my_package/near.py": "import my_package.deep\nx = 1\n",
        "my_package/deep.py": "y = 1\n",
        "my_dependency/__init__.py": "import my_other\nz = 1\n",
        "my_other.py": "import torch\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    monkeypatch.syspath_prepend(root)

    def digest(name: str = "my_package/deep.py", text: str = "y = 1\n") -> str:
        (root / name).write_text(text)
        code.forget()
        return source_digest("my_package:Mine")

    first = digest()
    assert digest("my_dependency/__init__.py", "z = 2\n") == first
    assert digest("my_package/deep.py", "y = 2\n") != first
    assert digest() == first
    told = user_code.version
    monkeypatch.setattr(
        user_code, "version", lambda name: "0" if name in ("pillow", "Pillow") else told(name)
    )
    assert digest() != first


@pytest.mark.parametrize(
    ("method", "text"),
    [
        ("my_package.metric:Mine", "from . import FACTOR\nMine = FACTOR\n"),
        ("my_package.metric:Mine", "Mine = 1\n"),  # the package's own code runs, too
        ("my_package.inner.metric:Mine", "from .. import FACTOR\nMine = FACTOR\n"),
        ("my_package.inner.metric:Mine", "Mine = 1\n"),
        ("my_method:Mine", "import my_package.inner\nMine = 1\n"),
        ("my_method:Mine", "from my_package import inner\nMine = 1\n"),
    ],
)
@pytest.mark.parametrize("apart", [False, True], ids=["in one folder", "in two"])
def test_the_packages_that_a_method_is_in_or_imports_count(
    method: str, text: str, apart: bool, tmp_path: Path, monkeypatch
) -> None:
    dotted = method.partition(":")[0]
    files = {
        "my_package/__init__.py": "FACTOR = 1.0\n",
        "my_package/inner/__init__.py": "",
        f"{dotted.replace('.', '/')}.py": text,
    }
    second = tmp_path / ("there" if apart else "here")
    for name, content in files.items():
        path = (tmp_path / "here" if name == "my_method.py" else second) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (tmp_path / "here").mkdir(exist_ok=True)
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.syspath_prepend(second)
    for name in ("my_package", "my_package.inner", "my_method"):
        monkeypatch.delitem(sys.modules, name, raising=False)

    def digest(factor: float) -> str:
        (second / "my_package/__init__.py").write_text(f"FACTOR = {factor}\n")
        code.forget()
        return source_digest(method)

    first = digest(1.0)
    assert digest(3.0) != first
    assert digest(1.0) == first


def test_of_the_standard_library_a_module_counts_alone() -> None:
    """As of an installed package: a method named json:dumps is not all that json imports."""
    texts: dict[str, str] = {}
    user_code._of_user(user_code.LIBRARY, user_code.LIBRARY / "json/__init__.py", texts)
    own = [f"json/{name}.py" for name in ("__init__", "decoder", "encoder", "scanner")]
    assert sorted(texts) == own


def test_a_users_module_is_read_in_its_own_encoding(digest, tmp_path: Path) -> None:
    first = digest(my_methods="# -*- coding: latin-1 -*-\nMine = 'e'\n", mine_a="")
    path = tmp_path / "mine" / "my_methods.py"
    for text in ("Mine = '\xe9'\n", "import mine_a\nMine = '\xe9'\n"):
        path.write_bytes(f"# -*- coding: latin-1 -*-\n{text}".encode("latin-1"))
        (tmp_path / "mine" / "mine_a.py").write_bytes(b"# coding: latin-1\nx = '\xe9'\n")
        assert digest() != first


@pytest.mark.parametrize(
    "text",
    [
        "from guidebench.toy.constants import SCALE\nMine = SCALE\n",
        "from guidebench.toy import constants\nMine = constants.SCALE\n",
        "import guidebench.toy.constants as theirs\nMine = lambda: theirs.SCALE\n",
        "import guidebench.toy.constants\nMine = guidebench.toy.constants.SCALE\n",
        "class Mine:\n    def __call__(self):\n        from guidebench.toy import constants as c\n"
        "        return c.SCALE.real\n",
    ],
)
def test_constants_of_guidebench_that_it_names_count(text: str, digest, toy: Source) -> None:
    first = digest(my_methods=text)
    toy.edit("toy/constants.py", "DIGITS = 3", "DIGITS = 4")
    assert digest() == first
    toy.edit("toy/constants.py", "SCALE = 2.0", "SCALE = 2.5")
    assert digest() != first


def test_a_users_digest_is_that_of_its_folders_copy(digest, tmp_path: Path, monkeypatch) -> None:
    first = digest(my_methods="import mine_a\nMine = 1\n", mine_a="y = 1\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("my_methods.py", "mine_a.py"):
        (tmp_path / "mine" / name).rename(elsewhere / name)
    monkeypatch.chdir(elsewhere)
    monkeypatch.syspath_prepend(elsewhere)
    monkeypatch.delitem(sys.modules, "my_methods", raising=False)
    code.forget()
    assert source_digest("my_methods:Mine") == first
