"""Working copies with the slurm profile, made to poll often and to fit the small nodes."""

import importlib.util
import sys
from pathlib import Path

import pytest
import yaml
from cluster import Cluster, unavailable

WORKFLOW = Path(__file__).parents[1] / "workflow" / "conftest.py"
_SPEC = importlib.util.spec_from_file_location("workflow_conftest", WORKFLOW)
assert _SPEC is not None
assert _SPEC.loader is not None
workflow = importlib.util.module_from_spec(_SPEC)
sys.modules[_SPEC.name] = workflow
_SPEC.loader.exec_module(workflow)

RULES = ["prepare", "train_denoiser", "train_classifier", "sensitivity", "sample", "features",
         "metrics", "ground_truth", "collect", "findings", "plots", "report"]  # fmt: skip
QUICK = {"jobs": 4, "latency-wait": 10, "slurm-init-seconds-before-status-checks": 2,
         "seconds-between-status-checks": 2}  # fmt: skip


def working_copy(root: Path, megabytes: int, minutes: int):
    """A checkout with a profile `quick`: ours, with resources for every attempt."""
    root.mkdir()
    copy = workflow.checkout(root)
    profile = yaml.safe_load((root / "workflow/profiles/slurm/config.yaml").read_text())
    asked = {"mem_mb": f"{megabytes} * attempt", "runtime": f"{minutes} * attempt"}
    profile |= QUICK | {"set-resources": dict.fromkeys(RULES, asked)}
    folder = root / "workflow/profiles/quick"
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump(profile))
    return copy


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory):
    if reason := unavailable():
        pytest.skip(reason)
    with Cluster(tmp_path_factory.mktemp("cluster"), cpus=2) as started:
        yield started
