"""The memory that is predicted, against exact sums, and against what the real network takes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from processes import completed

from guidebench.pipeline.experiment.reading import load
from guidebench.pipeline.jobs.layout import Layout
from guidebench.pipeline.plan import trial
from guidebench.pipeline.plan.memory import Live, predicted

ROWS = 8


def test_live_tensors_are_counted_while_they_live() -> None:
    with Live() as live:
        a = torch.zeros(100, dtype=torch.float64)
        b = a + 1
        c = b.view(10, 10)  # no memory of its own
        c.add_(1)
        assert (live.now, live.peak) == (1600, 1600)
        del a
        assert (live.now, live.peak) == (800, 1600)
        del b, c
        d = torch.zeros(10, dtype=torch.float32)
        assert (live.now, live.peak) == (40, 1600)
        del d
    assert live.now == 0


def test_what_backward_keeps_is_counted() -> None:
    x = torch.ones(1000, requires_grad=True)
    with Live() as live:
        y = x.exp().exp()  # each keeps its result
        assert live.now == 8000
        y.sum().backward()
    assert live.peak > 8000


def test_more_rows_need_more_and_weights_stay(repository: Path, monkeypatch) -> None:
    """The prediction is linear in the rows, less the weights and the libraries."""
    monkeypatch.chdir(repository)
    found = [
        predicted(
            load(
                "workflow/config/smoke.yaml",
                ["device=cuda", f"datasets.mnist.denoiser.batch_size={rows}"],
            ),
            "mnist",
        )["training"]
        for rows in (64, 128, 256)
    ]
    assert found[0] < found[1]
    assert found[2] - found[1] == pytest.approx(2 * (found[1] - found[0]), rel=0.05)


STEP = """
import json, sys
from pathlib import Path
import numpy as np, torch
from guidebench.analysis.sensitivity import Views, indices, pairs
from guidebench.data.store import Stored
from guidebench.diffusion.schedules import build
from guidebench.guidance.gradients import ClassifierGradient
from guidebench.guidance.sampling import Sampler
from guidebench.guidance.stabilizers import build as stabilizer
from guidebench.models.classifier import Classifier
from guidebench.models.denoiser import Denoiser, build as network, save
from guidebench.pipeline.experiment.reading import load
from guidebench.pipeline.jobs.execution import peak_memory, reset_peak_memory
from guidebench.pipeline.plan.probe import Clock
from guidebench.pipeline.records.checkpoint import Checkpoint
from guidebench.train import denoiser as denoisers

kind, folder, rows = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
options = load("workflow/config/sportballs64.yaml", sys.argv[4:]).datasets["sportballs"]
torch.set_num_threads(1)
torch.manual_seed(0)
schedule, cpu, shape = build(options.schedule), torch.device("cpu"), (3, 64, 64)
if kind == "training":
    chance = np.random.default_rng(0)
    pixels = chance.integers(0, 256, (rows, *shape), dtype=np.uint8)
    data = Stored(pixels, np.arange(rows) % 4, list("abcd"))
    few = options.denoiser.model_copy(update={"steps": 2, "warmup": 0})
    reset_peak_memory()
    model, history = denoisers.train(
        data, few, schedule, 0, Checkpoint(folder / "none", folder), Clock(), cpu
    )
    finite = all(bool(v.isfinite().all()) for v in model.parameters())
    finite = finite and all(np.isfinite(row["loss"]) for row in history)
else:
    save(network(options.denoiser, 64, 3, 4), folder, schedule.betas.tolist(), "eps")
    denoiser = Denoiser(folder, cpu, options.sampling.gradient_checkpointing)
    classifier = Classifier("mobilenet_v3_small", 4, 64).eval().requires_grad_(False)
    seeds = torch.arange(rows)
    reset_peak_memory()
    if kind == "sampling":
        sampler = Sampler(denoiser, schedule, options.sampling, shape)
        setup = options.setups["clean/x0+ema0.99"]
        samples = sampler(setup, 15.0, classifier, seeds, torch.zeros_like(seeds), steps=1)
        finite = not samples.diverged.all() and samples.images.std() > 0
    else:
        views = Views(torch.zeros(rows, *shape), torch.zeros_like(seeds), seeds, False)
        evaluate = ClassifierGradient(denoiser, "eps", schedule, classifier, "x0", "zero")
        asked = {"none": lambda: lambda g: g} | {
            name: lambda one=one: stabilizer(one, 400, 400)
            for name, one in options.sensitivity.stabilizers.items()
        }
        # the pair of one t: the walk of stabilizers ends where the reported ones do
        found = list(pairs(evaluate, schedule, views, indices(schedule, 1), 0, asked))
        finite = all(bool(value.isfinite().all()) for *_, value in found) and len(found) > 10
print(json.dumps({"finite": bool(finite), "peak": peak_memory()}))
"""


def sampled(key: str, *values: str) -> list[dict[str, float]]:
    """What is predicted with each value of a key of `sampling`."""
    path, name = "workflow/config/sportballs64_small.yaml", f"datasets.sportballs.sampling.{key}"
    return [predicted(load(path, ["device=cuda", f"{name}={v}"]), "sportballs") for v in values]


def test_checkpointing_is_predicted_to_take_less(repository: Path, monkeypatch) -> None:
    monkeypatch.chdir(repository)
    less, more = sampled("gradient_checkpointing", "true", "false")
    assert less["training"] == more["training"]
    for stage in ("sampling", "sensitivity"):
        assert less[stage] < 0.75 * more[stage]


def test_bf16_is_predicted_to_take_less_where_it_is_asked_for(repository, monkeypatch) -> None:
    monkeypatch.chdir(repository)
    less, more = sampled("precision", "bf16", "float32")
    assert less["sampling"] < 0.8 * more["sampling"]
    assert {**less, "sampling": 0} == {**more, "sampling": 0}


@pytest.mark.parametrize(("rows", "lines"), [(1, 0), (128, 1)])
def test_a_run_says_before_its_first_job_what_is_much(
    rows: int, lines: int, repository: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(repository)
    sizes = [f"datasets.sportballs.denoiser.batch_size={rows}"]
    sizes += [f"datasets.sportballs.sampling.{key}={rows}" for key in ("micro_batch",)]
    settings = [*sizes, "device=cpu", "datasets.sportballs.denoiser.layers_per_block=1"]
    config = load("workflow/config/sportballs64.yaml", settings)
    found = list(trial.memory(config, Layout(tmp_path, config.name)))
    assert len(found) == lines
    for line in found:
        assert line.startswith("sportballs: predicted peak memory: training ")
        assert "(micro_batch 128)" in line


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "rows", "again"),
    [
        ("training", ROWS, "false"),
        ("sampling", ROWS, "false"),
        ("sensitivity", ROWS, "false"),
        # of fewer rows, small tensors that come and go leave holes in the heap (on the CPU)
        ("sampling", 4 * ROWS, "true"),
    ],
)
def test_the_papers_network_takes_what_is_predicted(
    kind: str, rows: int, again: str, repository: Path, tmp_path: Path
) -> None:
    """Two iterations (the second has AdamW's moments), an x0-guided step, a pair x_t, x_{t-1}.

    Of 22.41 M parameters at 64 x 64, on the CPU, each in a process of its own, as a job's.
    """
    keys = {
        "denoiser.batch_size": rows,
        "sampling.micro_batch": rows,
        "sensitivity.images": rows,
        "denoiser.mixed_precision": "no",
        "sampling.gradient_checkpointing": again,
    }
    settings = ["device=cpu", "threads=1"]
    settings += [f"datasets.sportballs.{key}={value}" for key, value in keys.items()]
    done = completed(sys.executable, "-c", STEP, kind, tmp_path, rows, *settings, cwd=repository)
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    assert measured["finite"]
    code = (
        "import json, sys; from guidebench.pipeline.experiment.reading import load;"
        "from guidebench.pipeline.plan.memory import predicted;"
        "config = load('workflow/config/sportballs64.yaml', sys.argv[1:]);"
        "print(json.dumps(predicted(config, 'sportballs')))"
    )
    asked = subprocess.run(
        [sys.executable, "-c", code, *settings],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    )
    assert measured["peak"] == pytest.approx(json.loads(asked.stdout)[kind], rel=0.2)
