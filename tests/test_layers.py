"""Imports go down only (design.md, section 3), and the front door opens without heavy libraries."""

import ast
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import guidebench

PACKAGE = Path(guidebench.__file__).parent
# lowest first; a module may import from lower layers and from its own folder or module group
LAYERS = [
    {"config", "sections", "plugins", "worlds", "world_mistakes", "estimate", "validate",
     "mistakes", "setup_mistakes", "names", "schema", "confdoc", "specs", "grid", "closure",
     "seeds", "duration", "artifacts", "events", "errors", "launch", "filesystem"},
    {"models", "data"},
    {"diffusion"},
    {"train", "analysis", "metrics", "report", "guidance"},
    {"stages"},
    {"__main__", "cli", "execute", "leftovers", "slurm", "failures", "probe", "pending", "forecast",
     "runner", "progress", "tracking", "follow"},
]  # fmt: skip
# within a layer: these may, all others may not
BESIDE = {("analysis", "guidance")}
FREE = (0, 5)
HEAVY = {"torch", "torchvision", "pandas", "mlflow", "matplotlib", "diffusers"}


class Import(NamedTuple):
    """`module` of ours imports `name`, dotted, of any package; `deferred` inside a function."""

    module: str
    name: str
    deferred: bool


def _imports(path: Path) -> list[Import]:
    module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
    tree = ast.parse(path.read_text())
    nodes = list(ast.walk(tree))
    checks = [node for node in nodes if isinstance(node, ast.If)]
    typing = {inner for node in checks if "TYPE_CHECKING" in ast.unparse(node.test)
              for inner in ast.walk(node)}  # fmt: skip
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
    deferred = {inner for node in functions for inner in ast.walk(node)}
    found = []
    for node in nodes:
        if node in typing:
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        found += [Import(module, name, node in deferred) for name in names]
    return found


FILES = sorted(PACKAGE.rglob("*.py"))
IMPORTS = [found for path in FILES for found in _imports(path)]
OURS = [(found.module, found.name.removeprefix("guidebench."), found.deferred)
        for found in IMPORTS if found.name.startswith("guidebench.")]  # fmt: skip


def _layer(part: str) -> int:
    (number,) = [i for i, names in enumerate(LAYERS) if part in names]
    return number


def test_every_module_has_a_layer():
    parts = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in FILES}
    assert parts - {"__init__"} <= set().union(*LAYERS)
    assert len(OURS) > 50


def test_imports_go_down_only():
    wrong = []
    for module, name, _ in OURS:
        above, below = module.partition(".")[0], name.partition(".")[0]
        a, b = _layer(above), _layer(below)
        beside = a in FREE or above == below or (above, below) in BESIDE
        if b > a or (a == b and not beside):
            wrong.append(f"{module} imports {name}")
    assert wrong == []


def test_no_module_imports_itself_around_a_corner():
    modules = {".".join(path.relative_to(PACKAGE).with_suffix("").parts) for path in FILES}
    edges = {module: set() for module in modules}
    for module, name, deferred in OURS:
        target = next((t for t in (name, name.rpartition(".")[0]) if t in modules), None)
        if target and module in edges and not deferred:
            edges[module].add(target)
    while leaves := {module for module, below in edges.items() if not below & set(edges)}:
        for module in leaves:
            del edges[module]
    assert edges == {}


def test_the_report_reads_tables_and_pictures_never_a_model():
    for module, name, _ in OURS:
        if module.startswith("report"):
            below = name.partition(".")[0]
            assert below == "report" or below in LAYERS[0], f"{module} imports {name}"
    for found in IMPORTS:
        if found.module.startswith("report"):
            assert found.name.partition(".")[0] not in {"torch", "torchvision", "diffusers"}


def test_samplers_know_no_classifier():
    assert PACKAGE / "diffusion" / "samplers.py" in FILES
    below = [name for module, name, _ in OURS if module.startswith("diffusion.")]
    assert all(name.startswith(("diffusion.", "seeds", "errors")) for name in below)


def test_guides_know_no_trainer_and_metrics_no_sampler():
    for module, name, _ in OURS:
        if module.startswith(("guidance.", "metrics.")):
            assert not name.startswith(("train", "stages")), f"{module} imports {name}"
        if module.startswith("metrics."):
            assert not name.startswith(("diffusion", "guidance")), f"{module} imports {name}"


@pytest.mark.parametrize(("package", "allowed"), [("snakemake", set()), ("mlflow", {"tracking"})])
def test_outer_tools_stay_outside(package, allowed):
    users = {found.module for found in IMPORTS if found.name.partition(".")[0] == package}
    assert users <= allowed


def test_nothing_is_printed():
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "print", f"{path}:{node.lineno}"


@pytest.mark.parametrize(
    "module", ["guidebench.cli", "guidebench.validate", "guidebench.grid", "guidebench.closure"]
)
def test_the_front_door_opens_without_heavy_libraries(module):
    code = f"import sys, {module}; print(*{HEAVY!r} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_validating_an_experiment_needs_no_heavy_library(repository):
    code = (
        "import sys; from guidebench import grid, specs; from guidebench.validate import load;"
        "config = load(sys.argv[1]);"
        "[specs.spec(config, job) for job in grid.jobs(config)];"
        f"print(*{HEAVY!r} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "config.yaml"], cwd=repository, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
