"""What `lint-imports` (pyproject.toml) does not see."""

import ast
import sys
import tomllib
from pathlib import Path

import pytest
from processes import completed

import guidebench
from guidebench.pipeline import recording

PACKAGE = Path(guidebench.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
HEAVY = {"torch", "torchvision", "pandas", "mlflow", "matplotlib", "diffusers"}


def test_what_has_numbers_is_recorded_and_the_pipeline_is_not():
    assert len(FILES) > 100
    for path in FILES:
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts != ("__init__",):
            name = ".".join(("guidebench", *parts)).removesuffix(".__init__")
            assert recording.recorded(name) == (parts[0] != "pipeline"), name


def test_the_sections_of_the_config_compute_nothing():
    """The science reads them, and what they ran would be in nobody's record."""
    folder = PACKAGE / "pipeline/experiment"
    paths = [folder / "config.py", folder / "world_section.py", *folder.glob("sections/*.py")]
    text = "".join(path.read_text() for path in paths)
    assert text.count("(Model)") > 10
    assert list(recording.functions(ast.parse(text).body)) == []


def test_every_room_has_a_layer(repository):
    told = tomllib.loads((repository / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = [layer.strip() for line in told["contracts"][0]["layers"] for layer in line.split("|")]
    for folder, name in ((PACKAGE, "guidebench"), (PACKAGE / "pipeline", "guidebench.pipeline")):
        rooms = {
            f"{name}.{path.stem}"
            for path in folder.iterdir()
            if path.suffix == ".py" or (path / "__init__.py").is_file()
        }
        assert rooms - {f"{name}.__init__", "guidebench.pipeline"} <= set(layers)


@pytest.mark.parametrize(
    "module",
    [
        "guidebench.pipeline.cli",
        "guidebench.pipeline.experiment.reading",
        "guidebench.workload",
        "guidebench.pipeline.records.code",
        "guidebench.pipeline.jobs.freshness",
    ],
)
def test_the_front_door_opens_without_heavy_libraries(module):
    code = f"import sys, {module}; print(*{HEAVY!r} & set(sys.modules))"
    done = completed(sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_validating_an_experiment_needs_no_heavy_library(repository, tmp_path):
    code = (
        "import sys; from pathlib import Path;"
        "from guidebench.pipeline.jobs import freshness, listing;"
        "from guidebench.pipeline.jobs.layout import Layout;"
        "from guidebench.pipeline.experiment.reading import load;"
        "config = load(sys.argv[1]);"
        "[listing.spec(config, job) for job in listing.jobs(config)];"
        "freshness.stale(config, Layout(Path(sys.argv[2]), config.name));"
        f"print(*{HEAVY!r} & set(sys.modules))"
    )
    done = completed(sys.executable, "-c", code, "config.yaml", tmp_path, cwd=repository)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_snakemakes_plugin_opens_without_heavy_libraries():
    """Every start of Snakemake imports it, other people's workflows included."""
    code = (
        "import sys, snakemake_logger_plugin_guidebench;"
        "print(*sorted(name for name in sys.modules if name.startswith('guidebench')),"
        f"*{HEAVY!r} & set(sys.modules))"
    )
    done = completed(sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
