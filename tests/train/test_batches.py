"""Batches, learning rate and flips."""

import math

import numpy as np
import pytest
import torch

from guidebench.train.loop import Batches, Plan, flip, generator


@pytest.mark.parametrize(("count", "size"), [(12, 4), (10, 4), (7, 3), (5, 8)])
def test_each_image_once_an_epoch(count: int, size: int) -> None:
    batches = Batches(count, size, 3)
    flat = np.concatenate([batches(step) for step in range(4 * count)])
    for epoch in flat[: len(flat) // count * count].reshape(-1, count):
        assert sorted(epoch) == list(range(count))


def test_batch_is_a_function_of_seed_and_step() -> None:
    walked = Batches(10, 4, 3)
    in_order = [walked(step) for step in range(20)]
    for step in (19, 0, 7, 8, 3):
        assert np.array_equal(Batches(10, 4, 3)(step), in_order[step])
        assert np.array_equal(walked(step), in_order[step])
    other = [Batches(10, 4, 4)(step) for step in range(20)]
    assert not np.array_equal(in_order, other)


def test_epochs_are_shuffled_anew() -> None:
    batches = Batches(32, 32, 0)
    assert not np.array_equal(batches(0), batches(1))
    assert not np.array_equal(batches(0), np.arange(32))


def test_rate() -> None:
    """Linear warm-up to the peak, cosine from there towards zero."""
    plan = Plan(110, 4, 2.0, 10, 0.0, 5)
    assert [plan.rate(step) for step in (0, 4, 9)] == pytest.approx([0.2, 1.0, 2.0])
    assert plan.rate(10) == pytest.approx(2.0)
    assert plan.rate(60) == pytest.approx(1.0)
    assert plan.rate(35) == pytest.approx(1 + math.cos(math.pi / 4))
    assert 0 < plan.rate(109) < 1e-3
    assert Plan(5, 4, 2.0, 0, 0.0, 5).rate(0) == 2.0
    assert Plan(5, 4, 2.0, 5, 0.0, 5).rate(4) == 2.0


def test_flip_mirrors_about_half_of_the_rows() -> None:
    images = torch.arange(2000 * 4.0).view(2000, 1, 1, 4)
    found = flip(images, generator(0, 0))
    mirrored = (found == images.flip(3)).all(dim=3).flatten()
    kept = (found == images).all(dim=3).flatten()
    assert (mirrored ^ kept).all()
    assert 0.45 < mirrored.double().mean() < 0.55


def test_generators_of_steps_differ() -> None:
    draws = {torch.rand(1, generator=generator(s, k)).item() for s in range(3) for k in range(10)}
    assert len(draws) == 30


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5])
def test_the_shortest_cycles_begin_near_their_top_and_fall(steps: int) -> None:
    """PyTorch's own divides by zero at four steps."""
    plan = Plan(steps, 4, 1e-2, 0, 0.0, 5, shape="one_cycle")
    rates = [plan.rate(step) for step in range(steps)]
    assert all(0 < rate <= 1e-2 for rate in rates)
    assert rates[-1] == pytest.approx(1e-2 / 25e4)
    if steps == 4:
        assert rates[0] == 1e-2


def test_one_cycle_is_pytorchs() -> None:
    """The notebook's OneCycleLR(optimizer, 1e-2, total_steps, pct_start=0.25, cosine)."""
    plan = Plan(80, 4, 1e-2, 0, 0.0, 5, shape="one_cycle")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    reference = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 1e-2, total_steps=80, pct_start=0.25, anneal_strategy="cos"
    )
    for step in range(80):
        assert plan.rate(step) == pytest.approx(reference.get_last_lr()[0], rel=1e-9)
        optimizer.step()
        if step < 79:
            reference.step()
