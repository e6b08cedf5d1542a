"""The keys of the optimizer act, and their defaults are what was fixed before they were keys."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import BaseModel
from torch import Tensor, nn

from guidebench.data.store import Stored
from guidebench.pipeline.experiment import sections
from guidebench.pipeline.records.checkpoint import Checkpoint
from guidebench.pipeline.records.events import Events
from guidebench.train import classifier as classifiers
from guidebench.train import denoiser as denoisers
from guidebench.train.loop import Plan, fit

CPU = torch.device("cpu")
INPUTS = torch.randn(8, 16, 5, generator=torch.Generator().manual_seed(0))
STEPS, RATE = 8, 0.05


def _model() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(5, 3)


def _loss(network: nn.Module, step: int) -> Tensor:
    """Its gradients have norms of about 50: clipping acts in every step."""
    loss: Tensor = 30 * network(INPUTS[step]).square().mean()
    return loss


def _fitted(plan: Plan, events: Events, tmp_path: Path) -> Tensor:
    model, _ = fit(_model(), _loss, plan, Checkpoint(tmp_path / "c", tmp_path), events, CPU)
    weight = model.get_parameter("weight")
    return weight.detach()


def _by_hand(plan: Plan, clip: float | None, decay: float, fused: bool = True) -> Tensor:
    """The same training written out."""
    model = _model()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=RATE, betas=(0.9, 0.999), eps=1e-8, weight_decay=decay, fused=fused
    )
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = plan.rate(step)
        optimizer.zero_grad()
        _loss(model, step).backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
    return model.weight.detach()


def test_clipping_and_decay_are_those_of_the_plan(events, tmp_path) -> None:
    ends = []
    for clip, decay in ((1.0, 0.0), (1.0, 0.3), (0.5, 0.0), (None, 0.0)):
        plan = Plan(STEPS, 16, RATE, 2, decay, 100, clip_norm=clip)
        ends.append(_fitted(plan, events, tmp_path))
        assert torch.equal(ends[-1], _by_hand(plan, clip, decay)), (clip, decay)
        # the fused kernel rounds in another order, and no more
        plain = _by_hand(plan, clip, decay, fused=False)
        torch.testing.assert_close(ends[-1], plain, rtol=1e-5, atol=1e-6)
    for other in ends[1:]:
        assert not torch.equal(other, ends[0])
    assert torch.equal(_fitted(Plan(STEPS, 16, RATE, 2, 0.0, 100), events, tmp_path), ends[0])


def _plan(kind: str, options: BaseModel, events: Events, folder: Path, monkeypatch) -> Plan:
    """The plan that a training makes of a config section."""
    plans = []

    def caught(model, loss, plan, *rest):
        plans.append(plan)
        return model, []

    data = Stored(np.zeros((4, 1, 8, 8), np.uint8), np.arange(4) % 3, ["a", "b", "c"])
    train = {"denoiser": denoisers, "classifier": classifiers}[kind]
    monkeypatch.setattr(train, "fit", caught)
    schedule: Any = None
    train.train(data, options, schedule, 0, Checkpoint(folder / "c", folder), events, CPU)
    return plans[0]


@pytest.mark.parametrize(
    ("kind", "defaults", "changes"),
    [
        (
            "denoiser",
            {"clip_norm": 1.0, "weight_decay": 0.0},
            {"clip_norm": None, "weight_decay": 0.1},
        ),
        (
            "classifier",
            {"clip_norm": 1.0, "weight_decay": 0.01, "warmup": 20},
            {"clip_norm": 7.0, "weight_decay": 0.0, "warmup": 0},
        ),
    ],
)
def test_the_keys_reach_the_plan(kind, defaults, changes, events, tmp_path, monkeypatch) -> None:
    model = {"denoiser": sections.Denoiser, "classifier": sections.Classifier}[kind]
    small = {"denoiser": {"channels": [8], "norm_groups": 4}, "classifier": {}}[kind]
    for given, expected in (({}, defaults), (changes, changes)):
        options = model(steps=400, **small, **given)
        plan = _plan(kind, options, events, tmp_path, monkeypatch)
        assert {key: getattr(plan, key) for key in expected} == expected
