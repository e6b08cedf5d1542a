"""A training whose numbers are not finite stops with its step, and saves nothing of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from test_resume import CLASSIFIER, CPU, DENOISER, SCHEDULE, _step
from torch import Tensor, nn

from guidebench.data.store import Stored
from guidebench.pipeline import recording
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.jobs.layout import Job, Layout
from guidebench.pipeline.jobs.listing import manifest
from guidebench.pipeline.records.checkpoint import Checkpoint
from guidebench.pipeline.records.events import FAILED, Events, read
from guidebench.pipeline.run.stage_process import run_stage
from guidebench.train import classifier as classifiers
from guidebench.train import denoiser as denoisers
from guidebench.train.loop import LOOK_EVERY, Plan, fit
from guidebench.train.losses import Losses

ENORMOUS = 1e30  # a learning rate


def _stopped(train: Callable[[Checkpoint], object], path: Path) -> str:
    """What is said of a training that has to stop."""
    with recording.apart(), pytest.raises(UserError) as caught:
        train(Checkpoint(path, path.parent))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("kind", ["denoiser", "clean", "noise_trained"])
def test_a_training_stops_where_it_breaks(kind: str, tmp_path: Path, events: Events) -> None:
    images = np.random.default_rng(0).integers(0, 256, (18, 3, 8, 8), dtype=np.uint8)
    data = Stored(images, np.arange(18) % 3, ["a", "b", "c"])

    def train(checkpoint: Checkpoint) -> object:
        if kind == "denoiser":
            options = DENOISER.model_copy(update={"learning_rate": ENORMOUS, "warmup": 0})
            return denoisers.train(data, options, SCHEDULE, 7, checkpoint, events, CPU)
        options = CLASSIFIER.model_copy(update={"learning_rate": ENORMOUS})
        schedule = SCHEDULE if kind == "noise_trained" else None
        return classifiers.train(data, options, schedule, 7, checkpoint, events, CPU)

    said = _stopped(train, tmp_path / "state.pt")
    assert said.startswith(("step 2 of 20: found ", "step 3 of 20: found "))
    assert "allowed: finite numbers; last good checkpoint: none yet; a lower learning" in said
    assert not (tmp_path / "state.pt").exists()


def _broken(value: Callable[[nn.Linear, int], Tensor], path: Path, events: Events) -> str:
    """What is said of ten steps, with a checkpoint every two, by a loss of a model and a step."""
    model = nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(1.0)
    plan = Plan(10, 1, 0.1, 0, 0.0, 2, 0.5)
    return _stopped(lambda checkpoint: fit(model, value, plan, checkpoint, events, CPU), path)


def _output(model: nn.Linear) -> Tensor:
    return model(torch.ones(1, 1)).sum()


def test_a_loss_that_breaks_later_names_the_last_good_checkpoint(
    tmp_path: Path, events: Events
) -> None:
    path = tmp_path / "state.pt"
    for _ in range(2):  # the same again from the checkpoint
        said = _broken(
            lambda model, step: _output(model) * (float("inf") if step == 6 else 1), path, events
        )
        assert said.startswith("step 7 of 10: found loss inf, gradient's norm ")
        assert f"last good checkpoint: step 6 ({path}); " in said
        assert _step(path) == 6


def test_losses_are_looked_at_now_and_then_and_the_first_bad_one_is_named(
    tmp_path: Path, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look stops a GPU: none comes between the rows of the history but every LOOK_EVERY steps."""
    looks: list[int] = []
    look = Losses.look

    def noting(losses: Losses, done: int) -> list[float]:
        looks.append(done)
        return look(losses, done)

    monkeypatch.setattr(Losses, "look", noting)
    path, ran = tmp_path / "state.pt", []

    def value(model: nn.Linear, step: int) -> Tensor:
        ran.append(step)
        return _output(model) * (float("nan") if step in (111, 113) else 1e-3)

    plan = Plan(6000, 1, 1e-3, 0, 0.0, 40, 0.5)  # a row of the history every 60 steps
    model = nn.Linear(1, 1, bias=False)
    said = _stopped(lambda checkpoint: fit(model, value, plan, checkpoint, events, CPU), path)
    assert said.startswith("step 112 of 6000: found loss nan, gradient's norm nan")
    assert f"last good checkpoint: step 80 ({path}); " in said
    assert _step(path) == 80
    assert LOOK_EVERY == 25
    assert looks == [25, 40, 50, 60, 75, 80, 100, 120]
    assert ran == list(range(120))


def test_a_gradient_breaks_behind_a_finite_loss(tmp_path: Path, events: Events) -> None:
    """The root's slope at zero: clipping would make weights of NaN of it, the loss is fine."""
    path = tmp_path / "state.pt"
    said = _broken(
        lambda model, step: (0 * _output(model)).sqrt() if step == 9 else _output(model),
        path,
        events,
    )
    assert said.startswith("step 10 of 10: found loss 0, gradient's norm nan")
    assert _step(path) == 8


@pytest.mark.parametrize("at", [3, 9])
def test_weights_may_break_behind_finite_losses(at: int, tmp_path: Path, events: Events) -> None:
    """As running statistics do: seen before a checkpoint is written, and at the end."""

    def breaks(model: nn.Linear, step: int) -> Tensor:
        value = _output(model)
        if step == at:
            model.weight.data.fill_(float("inf"))
        return value

    path = tmp_path / "state.pt"
    said = _broken(breaks, path, events)
    assert said.startswith(f"step {at + 1} of 10: found weights that are not finite, allowed: ")
    assert f"last good checkpoint: step {at - 1} ({path})" in said
    assert _step(path) == at - 1


@pytest.mark.parametrize("stage", ["train_denoiser", "train_classifier"])
def test_a_model_that_diverged_is_not_finished(stage: str, edited: Any, tmp_path: Path) -> None:
    small, broken = ("datasets", "sportballs"), {"learning_rate": ENORMOUS, "steps": 6}
    config = edited(
        {
            (*small, "data"): tiny.BALLS | {"train": 32, "validation": 16},
            (*small, "denoiser"): broken | {"channels": [8], "warmup": 0},
            (*small, "classifiers", "clean"): broken,
        }
    )
    layout = Layout(tmp_path / "results", config.name)
    run_stage(config, Job("prepare", "sportballs"), layout)
    job = Job(stage, "sportballs", "clean" if stage == "train_classifier" else "")
    with pytest.raises(
        UserError, match=rf"^{stage} sportballs\S*: step \d of \d: found "
    ) as caught:
        run_stage(config, job, layout)
    assert not manifest(layout, job).exists()
    assert list(manifest(layout, job).parent.glob("**/*.safetensors")) == []
    ended, _ = read(layout.events(job.stage, job.name))
    assert ended[-1]["status"] == FAILED
    assert str(caught.value).endswith(ended[-1]["error"])
