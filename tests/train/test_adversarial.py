"""Adversarial examples: where they may lie, the closed form, and what a training on them gives."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from guidebench.data.sportballs import draw
from guidebench.data.store import Stored, to_float
from guidebench.models.classifier import Classifier
from guidebench.pipeline.experiment.sections import Attack
from guidebench.pipeline.experiment.sections import Classifier as Section
from guidebench.pipeline.records.checkpoint import Checkpoint
from guidebench.pipeline.records.events import Events
from guidebench.train import classifier as classifiers
from guidebench.train.adversarial import attack, under_attack

CPU = torch.device("cpu")
NORMS = ["l2", "linf"]


def _chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _size(change: Tensor, norm: str) -> Tensor:
    order = {"l2": 2, "linf": float("inf")}[norm]
    return torch.linalg.vector_norm(change.flatten(1), order, dim=1)


@pytest.fixture
def events(tmp_path: Path) -> Events:
    made = Events(tmp_path / "results/x/events/train/job.jsonl", "train", "job")
    made.start({}, {})
    return made


@pytest.mark.parametrize("norm", NORMS)
def test_of_a_linear_loss_it_is_the_closed_form(norm: str) -> None:
    """radius g / |g| and radius sign(g): from any start, where the range does not cut."""
    images = 0.5 * torch.rand(5, 3, 4, 4, generator=_chance(1), dtype=torch.float64)
    slope = torch.randn(5, 3, 4, 4, generator=_chance(2), dtype=torch.float64)
    options = Attack(norm=norm, radius=0.3, step_size=0.6, iterations=60)
    found = attack(lambda x: (slope * x).sum(), images, options, _chance())
    lengths = _size(slope, "l2").view(-1, 1, 1, 1)
    expected = 0.3 * (slope.sign() if norm == "linf" else slope / lengths)
    torch.testing.assert_close(found - images, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("step", [None, 0.05, 1.0])
def test_it_stays_in_ball_and_range_and_raises_the_loss(norm: str, step: float | None) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(48, 32), nn.Tanh(), nn.Linear(32, 3)).double()
    labels = torch.arange(12) % 3

    def loss(x: Tensor) -> Tensor:
        return nn.functional.cross_entropy(network(x), labels)

    images = (3 * torch.randn(12, 3, 4, 4, generator=_chance(3), dtype=torch.float64)).clamp(-1, 1)
    assert (images.abs() == 1).float().mean() > 0.5  # at the ends of the range
    options = Attack(norm=norm, radius=0.5, step_size=step, iterations=6)
    found = attack(loss, images, options, _chance())
    assert (found.abs() <= 1).all()
    assert (_size(found - images, norm) <= 0.5 + 1e-12).all()
    assert loss(found) > loss(images) + 0.01
    assert not found.requires_grad


@pytest.mark.parametrize("norm", NORMS)
def test_without_a_gradient_it_stays_at_its_start(norm: str) -> None:
    """Which is uniform in the ball's volume, and follows the generator alone."""
    images, options = torch.zeros(2000, 1, 2, 2), Attack(norm=norm, radius=0.5)
    first, again, other = (
        attack(lambda x: 0 * x.sum(), images, options, _chance(seed)) for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    far = _size(first, norm) / 0.5
    assert far.max() <= 1 + 1e-6
    # in four dimensions a share r^4 of the volume lies within r
    assert (far < 0.8).double().mean().item() == pytest.approx(0.8**4, abs=0.04)
    assert first.mean().abs() < 0.02


def test_a_row_is_attacked_as_if_it_were_alone() -> None:
    torch.manual_seed(0)
    model = Classifier("small_cnn", 3, 8).eval()
    labels, options = torch.arange(6) % 3, Attack(norm="linf", radius=0.2, iterations=3)
    images = torch.rand(6, 3, 8, 8, generator=_chance(1)) * 2 - 1

    def found(rows: slice) -> Tensor:
        start = torch.Generator().manual_seed(4)
        return attack(lambda x: model.loss(model(x), labels[rows]), images[rows], options, start)

    # of the same generator the first rows have the same start
    torch.testing.assert_close(found(slice(0, 6))[:2], found(slice(0, 2)), rtol=0, atol=1e-5)


def _balls(count: int, seed: int) -> Stored:
    options = SimpleNamespace(
        size=16,
        canvas=32,
        scale=(0.6, 0.9),
        diameters=None,
        offsets=None,
        rotation="in_plane",
        poses=16,
        paper_compat=[],
    )
    made = draw(options, count, seed)
    return Stored(made.images, made.labels, made.classes)


def test_a_training_on_them_is_less_easily_attacked(tmp_path: Path, events: Events) -> None:
    """And no step of an attack enters the running statistics."""
    data, held_out = _balls(800, 1), _balls(256, 2)
    images, labels = to_float(held_out.images, CPU), torch.from_numpy(held_out.labels)
    trained = Attack(radius=1.0, iterations=3)
    plain = Section(steps=120, batch_size=32, hidden=16)
    rates = {}
    for name, options in {
        "clean": plain,
        "adversarial": plain.model_copy(update={"adversarial": trained}),
    }.items():
        place = Checkpoint(tmp_path / name, tmp_path)
        model, _ = classifiers.train(data, options, None, 0, place, events, CPU)
        counters = [v for k, v in model.state_dict().items() if k.endswith("batches_tracked")]
        assert {int(counter) for counter in counters} == {120}
        assert not model.training
        right = under_attack(model, images, labels, Attack(radius=1.0, iterations=10), _chance())
        assert set(right.tolist()) <= {0.0, 1.0}
        rates[name] = float(right.mean())
        assert rates[name] < classifiers.accuracy(model, held_out, CPU)
    assert rates["adversarial"] > rates["clean"] + 0.15, rates


def test_each_image_is_attacked_for_its_own_label() -> None:
    """More rows than a batch, of a network that is right by the mean's sign alone."""

    class Sign(Classifier):
        def __init__(self) -> None:
            nn.Module.__init__(self)

        def forward(self, x: Tensor, time: Tensor | float = 0.0) -> Tensor:
            return 100 * x.mean((1, 2, 3))[:, None]

    means = torch.from_numpy(np.linspace(-0.5, 0.5, 150)).float()
    images, labels = means.view(-1, 1, 1, 1).expand(-1, 1, 2, 2), (means > 0).long()
    options = Attack(norm="linf", radius=0.2, iterations=20)
    right = under_attack(Sign(), images, labels, options, _chance())
    assert torch.equal(right.bool(), means.abs() > 0.2)
