"""The objective of training: criterion and target, against the loss worked out from the batch."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from guidebench.data.store import Stored
from guidebench.diffusion.schedules import DDPMLinear
from guidebench.models import denoiser as network
from guidebench.pipeline.experiment.sections import Denoiser
from guidebench.pipeline.records.checkpoint import Checkpoint
from guidebench.pipeline.records.events import Events
from guidebench.train.denoiser import train

SCHEDULE = DDPMLinear(10, beta_start=0.02, beta_end=0.3)
CPU = torch.device("cpu")


class Fixed(nn.Module):
    """Answers 0.4 x_t, and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(0.4))
        self.asked: list[tuple[Tensor, Tensor]] = []

    def forward(self, x: Tensor, t: Tensor, class_labels=None, return_dict=False):
        self.asked.append((x.detach().clone(), t.clone()))
        return (self.factor * x,)


def _loss(error: Tensor, kind: str) -> float:
    size = error.abs()
    rows = {"mse": error**2, "l1": size, "huber": torch.where(size < 1, error**2 / 2, size - 0.5)}
    return float(rows[kind].mean())


@pytest.mark.parametrize("criterion", ["mse", "l1", "huber"])
@pytest.mark.parametrize("prediction", ["eps", "v", "x0", "score"])
def test_first_loss_by_hand(criterion: str, prediction: str, tmp_path: Path, monkeypatch) -> None:
    """All images are one gray, so the noise of a batch follows from x_t alone.

    Score: weight sigma^2 (denoising score matching), for which sigma score + eps is compared.
    """
    fixed = Fixed()
    monkeypatch.setattr(network, "build", lambda *arguments: fixed)
    gray = 200
    data = Stored(np.full((16, 1, 8, 8), gray, np.uint8), np.zeros(16, int), ["gray"])
    options = Denoiser(
        channels=[8], norm_groups=4, steps=1, batch_size=8, loss=criterion, prediction=prediction
    )
    events = Events(tmp_path / "results/x/events/train_denoiser/d.jsonl", "train_denoiser", "d")
    events.start({}, {})
    _, history = train(
        data, options, SCHEDULE, 0, Checkpoint(tmp_path / "c.pt", tmp_path), events, CPU
    )
    x, t = (part.double() for part in fixed.asked[0])
    alpha, sigma = (level(t.long()).view(-1, 1, 1, 1) for level in (SCHEDULE.alpha, SCHEDULE.sigma))
    x0 = torch.full_like(x, gray / 127.5 - 1)
    eps = (x - alpha * x0) / sigma
    answer, wanted = 0.4 * x, {"eps": eps, "x0": x0, "v": alpha * eps - sigma * x0}.get(prediction)
    error = sigma * answer + eps if wanted is None else answer - wanted
    assert [row["loss"] for row in history] == [pytest.approx(_loss(error, criterion), rel=1e-5)]


def test_the_notebooks_network_is_trained(tmp_path: Path) -> None:
    """Its loss falls, it keeps batch statistics, and it answers like itself after loading."""
    chance = np.random.default_rng(0)
    labels = np.arange(64) % 4
    images = (60 * labels[:, None, None, None] + chance.integers(0, 9, (64, 1, 8, 8))).astype(
        np.uint8
    )
    options = Denoiser(
        architecture="shuffle_unet",
        channels=[8, 16],
        steps=60,
        batch_size=16,
        condition_dropout=0.5,
        learning_rate=1e-2,
        prediction="eps",
    )
    events = Events(tmp_path / "results/x/events/train_denoiser/d.jsonl", "train_denoiser", "d")
    events.start({}, {})
    data = Stored(images, labels, ["a", "b", "c", "d"])
    model, history = train(
        data, options, SCHEDULE, 0, Checkpoint(tmp_path / "c.pt", tmp_path), events, CPU
    )
    losses = [row["loss"] for row in history]
    assert losses[-1] < 0.8 * losses[0]
    statistics = {name: value for name, value in model.named_buffers() if "running_var" in name}
    assert statistics
    assert any(not torch.equal(value, torch.ones_like(value)) for value in statistics.values())
    network.save(model.eval(), tmp_path / "saved", SCHEDULE.betas.tolist(), "eps")
    loaded = network.Denoiser(tmp_path / "saved", CPU)
    x, label = torch.randn(2, 1, 8, 8), torch.tensor([1, 4])
    with torch.no_grad():
        expected = model(x, 7, class_labels=label, return_dict=False)[0]
        torch.testing.assert_close(loaded(x, 7, label), expected, rtol=1e-4, atol=1e-5)
    assert expected.isfinite().all()
