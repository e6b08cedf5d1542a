"""Imports go down only (design.md, section 3), and the front door opens without heavy libraries."""

import ast
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import guidebench
from guidebench.pipeline import recording

PACKAGE = Path(guidebench.__file__).parent
# lowest first; a module may import from lower layers and from its own folder
LAYERS = [
    # what everything may use
    {"pipeline.errors", "pipeline.recording", "pipeline.artifacts", "pipeline.events",
     "pipeline.launch", "pipeline.filesystem", "duration", "seeds", "plugins", "choices",
     "sources", "jackknife"},
    # digests of code and content, and what is kept with them
    {"pipeline.syntax", "pipeline.described", "pipeline.user_code", "pipeline.code",
     "pipeline.packages", "pipeline.cache", "pipeline.checkpoint", "pipeline.external"},
    # the experiment, its jobs, and what each depends on
    {"pipeline.sections", "pipeline.worlds", "pipeline.config", "pipeline.schema",
     "pipeline.confdoc", "pipeline.names", "pipeline.mistakes", "pipeline.setup_mistakes",
      "pipeline.unread", "pipeline.world_mistakes", "pipeline.validate", "pipeline.yaml12",
      "pipeline.demands", "pipeline.overrides", "grid", "pipeline.jobs", "pipeline.specs",
      "pipeline.estimate"},
    {"models", "data"},
    {"diffusion"},
    {"train", "analysis", "metrics", "report", "guidance"},
    # what is fresh, and one execution of a job
    {"pipeline.fresh", "pipeline.check", "pipeline.execution"},
    {"stages"},
    # runs, forecasts and upkeep of a whole experiment
    {"__main__", "pipeline.cli", "pipeline.execute", "pipeline.leftovers", "pipeline.slurm",
     "pipeline.failures", "pipeline.probe", "pipeline.pending", "pipeline.forecast",
     "pipeline.runner", "pipeline.progress", "pipeline.pace", "pipeline.display",
     "pipeline.schedule", "pipeline.tracking", "pipeline.mlserver",
     "pipeline.follow",
     "pipeline.adopt", "pipeline.garbage", "pipeline.trial"},
]  # fmt: skip
# within a layer: these may, all others may not
BESIDE = {("analysis", "guidance")}
FREE = (0, 1, 2, 6, 8)
# the folders with the numbers, and all of the pipeline that they may use
SCIENCE = {"models", "data", "diffusion", "train", "analysis", "metrics", "report", "guidance"}
PLUMBING = {"pipeline.errors", "pipeline.recording", "pipeline.artifacts", "pipeline.events",
            "pipeline.checkpoint"}  # fmt: skip
HEAVY = {"torch", "torchvision", "pandas", "mlflow", "matplotlib", "diffusers"}


class Import(NamedTuple):
    """`module` of ours imports `name`, dotted, of any package; `deferred` inside a function."""

    module: str
    name: str
    deferred: bool


def _name(path: Path) -> str:
    """`guidance.sampling`; `data` for a folder's own module."""
    inside = path.relative_to(PACKAGE if path.is_relative_to(PACKAGE) else PACKAGE.parent)
    return ".".join(inside.with_suffix("").parts).removesuffix(".__init__")


def _imports(path: Path) -> list[Import]:
    module = _name(path)
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


def _part(name: str) -> str:
    """What has a layer: a folder, a module at the top, or one module of `pipeline`."""
    first, *rest = name.split(".")
    return f"pipeline.{rest[0]}" if first == "pipeline" and rest else first


def _layer(part: str) -> int:
    (number,) = [i for i, names in enumerate(LAYERS) if part in names]
    return number


def test_every_module_has_one_layer_and_every_layer_modules():
    parts = {_part(_name(path)) for path in FILES} - {"__init__", "pipeline"}
    assert parts == set().union(*LAYERS)
    assert len(parts) == sum(map(len, LAYERS))
    assert len(OURS) > 50


def test_imports_go_down_only():
    wrong = []
    for module, name, _ in OURS:
        above, below = _part(module), _part(name)
        if above == "__init__":  # of the package: it turns the recording on
            assert below == "pipeline.recording"
            continue
        a, b = _layer(above), _layer(below)
        beside = a in FREE or above == below or (above, below) in BESIDE
        if b > a or (a == b and not beside):
            wrong.append(f"{module} imports {name}")
    assert wrong == []


def test_no_module_imports_itself_around_a_corner():
    modules = {_name(path) for path in FILES}
    edges = {module: set() for module in modules}
    for module, name, deferred in OURS:
        target = next((t for t in (name, name.rpartition(".")[0]) if t in modules), None)
        if target and not deferred:
            edges[module].add(target)
    assert edges["pipeline.fresh"] > {"pipeline.code", "pipeline.specs"}
    while leaves := {module for module, below in edges.items() if not below & set(edges)}:
        for module in leaves:
            del edges[module]
    assert edges == {}


def test_the_science_uses_little_of_the_pipeline():
    used = {_part(name) for module, name, _ in OURS
            if _part(module) in SCIENCE and name.startswith("pipeline")}  # fmt: skip
    assert used == PLUMBING


def test_the_pipeline_has_no_numbers():
    """It starts stages, the forecast's probe measures, classifiers are tried: no more computes."""
    users = {(_part(module), _part(name)) for module, name, _ in OURS
             if module.startswith("pipeline") and _part(name) in {*SCIENCE, "stages", "seeds"}
             and module not in ("pipeline.probe", "pipeline.trial")}  # fmt: skip
    assert users == {("pipeline.execute", "stages")}
    for module, name, _ in OURS:
        if module == "pipeline.execute" and name.startswith("stages"):
            assert name == "stages.stage.Stage"


def test_what_has_numbers_is_recorded_and_the_pipeline_is_not():
    for path in FILES:
        name = _name(path)
        if name != "__init__":
            recorded = recording.recorded(f"guidebench.{name}")
            assert recorded == (name.partition(".")[0] != "pipeline"), name


def test_the_report_reads_tables_and_pictures_never_a_model():
    for module, name, _ in OURS:
        if module.startswith("report"):
            below = _part(name)
            assert below == "report" or below in LAYERS[0], f"{module} imports {name}"
    for found in IMPORTS:
        if found.module.startswith("report"):
            assert found.name.partition(".")[0] not in {"torch", "torchvision", "diffusers"}


def test_samplers_know_no_classifier():
    assert PACKAGE / "diffusion" / "samplers.py" in FILES
    below = [name for module, name, _ in OURS if module.startswith("diffusion.")]
    assert all(name.startswith(("diffusion.", "seeds", *PLUMBING)) for name in below)


def test_guides_know_no_trainer_and_metrics_no_sampler():
    for module, name, _ in OURS:
        if module.startswith(("guidance.", "metrics.")):
            assert not name.startswith(("train", "stages")), f"{module} imports {name}"
        if module.startswith("metrics."):
            assert not name.startswith(("diffusion", "guidance")), f"{module} imports {name}"


@pytest.mark.parametrize(
    ("package", "allowed"),
    [("snakemake", set()), ("snakemake_interface_logger_plugins", set()),
     ("mlflow", {"pipeline.tracking"}), ("rich", {"pipeline.display"})],
)  # fmt: skip
def test_outer_tools_stay_outside(package, allowed):
    users = {found.module for found in IMPORTS if found.name.partition(".")[0] == package}
    assert users == allowed


def test_snakemakes_plugin_uses_little_of_the_pipeline():
    """Every start of Snakemake imports it, other people's workflows included."""
    found = _imports(PACKAGE.parent / "snakemake_logger_plugin_guidebench/__init__.py")
    ours = {(each.name.rpartition(".")[0], each.deferred) for each in found if "." in each.name
            and each.name.startswith("guidebench.")}  # fmt: skip
    parts = {f"guidebench.pipeline.{name}" for name in ("events", "failures", "progress")}
    assert ours == {(part, True) for part in parts}


def test_nothing_is_printed():
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "print", f"{path}:{node.lineno}"


@pytest.mark.parametrize(
    "module",
    [
        "guidebench.pipeline.cli",
        "guidebench.pipeline.validate",
        "guidebench.grid",
        "guidebench.pipeline.code",
        "guidebench.pipeline.fresh",
    ],
)
def test_the_front_door_opens_without_heavy_libraries(module):
    code = f"import sys, {module}; print(*{HEAVY!r} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_validating_an_experiment_needs_no_heavy_library(repository, tmp_path):
    code = (
        "import sys; from pathlib import Path; from guidebench.pipeline import fresh, specs;"
        "from guidebench.pipeline.jobs import Layout, jobs;"
        "from guidebench.pipeline.validate import load;"
        "config = load(sys.argv[1]);"
        "[specs.spec(config, job) for job in jobs(config)];"
        "fresh.stale(config, Layout(Path(sys.argv[2]), config.name));"
        f"print(*{HEAVY!r} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "config.yaml", tmp_path],
        cwd=repository,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
