"""What jobs ask a cluster for."""

import re

from guidebench.pipeline.jobs.stages import STAGES

ON_GPU = [name for name, stage in STAGES.items() if stage.network]


def _resources(checkout, *settings: str, attempt: int = 1) -> dict[str, dict[str, str]]:
    """Rule -> resources of its last job in a dry run."""
    changes = ", ".join(f'"{setting}"' for setting in settings)
    text = checkout.run(
        "--dry-run", "--cores", "8", "--attempt", str(attempt), "--config", f"set=[{changes}]"
    )
    blocks = re.findall(r"^rule (\w+):\n((?: {4}.*\n)+)", text, re.MULTILINE)
    found = {}
    for rule, block in blocks[:-1]:  # the last is `all`
        line = re.search(r"^ {4}resources: (.*)$", block, re.MULTILINE)
        threads = re.search(r"^ {4}threads: (\d+)$", block, re.MULTILINE)
        if line:
            pairs = (item.split("=", 1) for item in line[1].split(", "))
            found[rule] = dict(pairs) | {"threads": threads[1] if threads else "1"}
    return found


def test_rules_with_a_network_ask_for_a_gpu_and_no_others(untouched) -> None:
    attributes = "datasets.sportballs.attributes={steps: 5}"
    asked = _resources(untouched, "threads=2", "datasets.mnist.denoiser.gpus=4", attributes)
    assert {rule for rule, values in asked.items() if values.get("gpu", "0") != "0"} == set(ON_GPU)
    assert all(int(values["mem_mb"]) and int(values["runtime"]) for values in asked.values())
    assert {values["threads"] for rule, values in asked.items() if rule != "train_denoiser"} == {
        "2"
    }
    assert "mpi" not in asked["train_denoiser"]


def test_memory_and_time_double_with_each_attempt(untouched) -> None:
    first, third = (_resources(untouched, attempt=attempt) for attempt in (1, 3))
    assert set(first) == set(third)
    for rule, asked in first.items():
        # a training over its limit continues: more time is not needed
        longer = 1 if rule == "train_denoiser" else 4
        assert int(third[rule]["mem_mb"]) == 4 * int(asked["mem_mb"]), rule
        assert int(third[rule]["runtime"]) == longer * int(asked["runtime"]), rule


def test_metrics_with_inception_ask_for_their_scatter_matrices(untouched) -> None:
    inception = "metrics.inception.download=true"
    for blocks in (4, 8):
        asked = _resources(untouched, inception, f"metrics.jackknife_blocks={blocks}")
        assert int(asked["metrics"]["mem_mb"]) == 4000 + 34 * (4 * blocks + 8)
        assert asked["features"]["mem_mb"] == "8000"
    assert _resources(untouched)["metrics"]["mem_mb"] == "4000"


def test_on_the_cpu_nobody_asks_for_a_gpu(untouched) -> None:
    asked = _resources(untouched, "device=cpu")
    assert {values.get("gpu", "0") for values in asked.values()} == {"0"}


def test_a_training_over_nodes_is_one_task_for_each_process(untouched) -> None:
    every = [
        f"datasets.{name}.denoiser.{key}"
        for name in ("mnist", "sportballs")
        for key in ("gpus=4", "nodes=2")
    ]
    asked = _resources(untouched, *every)["train_denoiser"]
    wanted = {
        "gpu": "4",
        "tasks": "4",
        "nodes": "2",
        "mpi": "srun",
        "tasks_per_gpu": "1",
        "threads": "1",
        "cpus_per_gpu": "1",
        "slurm_extra": "--gpus-per-node=2",
        "mem_mb": "12000",
    }
    assert {key: asked[key] for key in wanted} == wanted
