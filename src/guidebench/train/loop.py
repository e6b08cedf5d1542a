"""One training loop for all models: AdamW, warm-up and cosine decay, averaged weights, resume."""

import io
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from torch import Tensor, nn

from guidebench.base.seeds import derive
from guidebench.data.store import to_device
from guidebench.pipeline.records.checkpoint import Checkpoint
from guidebench.pipeline.records.events import Events
from guidebench.train.average import Average
from guidebench.train.losses import Losses

# rows of step, loss and learning rate
History = list[dict[str, float]]
# steps after which losses are looked at, at the latest
LOOK_EVERY = 25


class Plan(NamedTuple):
    """How long and how fast to train."""

    steps: int
    batch_size: int
    learning_rate: float
    warmup: int
    weight_decay: float
    checkpoint_every: int
    weight_average: float | None = None
    shape: str = "warmup_cosine"
    clip_norm: float | None = 1.0

    def rate(self, step: int) -> float:
        """Learning rate at a zero-based step: linear warm-up, then cosine decay to zero.

        `one_cycle` is the rate of PyTorch's OneCycleLR (its cycle of the momentum is left out): a
        quarter of the steps up by a cosine from 1/25 of the peak, the rest down to 1/250,000 of it
        (the MNIST notebook).
        """
        if self.shape == "one_cycle":
            low, last = self.learning_rate / 25, self.learning_rate / 25e4
            top = 0.25 * self.steps - 1
            if 0 < top >= step:  # with four steps or fewer the cycle begins at its top
                return _cosine(low, self.learning_rate, step / top)
            return _cosine(self.learning_rate, last, (step - top) / (self.steps - 1 - top))
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        progress = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.learning_rate * (1 + math.cos(math.pi * progress)) / 2


def _cosine(start: float, end: float, share: float) -> float:
    """Half a cosine from start to end."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


class Batches:
    """Indices from shuffled epochs; batch `step` is a function of seed and step alone."""

    def __init__(self, count: int, size: int, seed: int) -> None:
        self.count, self.size, self.seed = count, size, seed
        self._orders: dict[int, np.ndarray] = {}

    def _order(self, epoch: int) -> np.ndarray:
        if epoch not in self._orders:
            generator = np.random.Generator(np.random.Philox(derive(self.seed, "epoch", epoch)))
            self._orders = {
                key: order for key, order in self._orders.items() if key == epoch - 1
            } | {epoch: generator.permutation(self.count)}
        return self._orders[epoch]

    def __call__(self, step: int) -> np.ndarray:
        """Indices [size] of a step."""
        positions = np.arange(step * self.size, (step + 1) * self.size)
        return np.array([self._order(int(p) // self.count)[p % self.count] for p in positions])


def generator(seed: int, step: int) -> torch.Generator:
    """The random generator of one training step: resuming needs no generator state."""
    return torch.Generator().manual_seed(derive(seed, "step", step))


def flip(images: Tensor, chance: torch.Generator) -> Tensor:
    """Mirror each image left to right with probability 1/2."""
    mirrored = torch.rand(len(images), generator=chance) < 0.5
    mirrored = to_device(mirrored, images.device)
    return torch.where(mirrored.view(-1, 1, 1, 1), images.flip(3), images)


def fit(
    model: nn.Module,
    loss: Callable[[nn.Module, int], Tensor],
    plan: Plan,
    checkpoint: Checkpoint,
    events: Events,
    device: torch.device,
) -> tuple[nn.Module, History]:
    """Train `model` by `loss(model, step)` and return (averaged or plain model, history).

    State goes to `checkpoint` every `checkpoint_every` steps; an existing one is continued from,
    and the result is that of a run that was never stopped (on the CPU, bit for bit). The caller
    deletes it. With several processes (`pipeline.jobs.parallel`) gradients and losses are their
    means; the first one writes. The model is trained in the mode that it comes in. UserError names
    the first step whose loss, gradient or result is NaN or infinite, and nothing of it is saved; it
    comes up to LOOK_EVERY - 1 steps later.
    """
    accelerator = Accelerator(cpu=device.type == "cpu")
    # one kernel for all weights: of PyTorch's AdamW but for the rounding (a test)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay, fused=True
    )
    averaged = None
    if plan.weight_average is not None:
        averaged = Average(model, plan.weight_average)
    result = averaged.module if averaged is not None else model
    network, optimizer = accelerator.prepare(model, optimizer)
    history: History = []
    seen: list[float] = []
    first = 0
    if state := _stored(checkpoint, accelerator.is_main_process):
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        if averaged is not None:
            averaged.module.load_state_dict(state["averaged"])
        history, seen, first = state["history"], state["losses"], state["step"]
    losses = Losses(accelerator, plan.steps, first, checkpoint.path)
    every = max(1, plan.steps // 100)
    for step in range(first, plan.steps):
        for group in optimizer.param_groups:
            group["lr"] = plan.rate(step)
        optimizer.zero_grad(set_to_none=True)
        value = loss(network, step)
        accelerator.backward(value)
        norm = accelerator.clip_grad_norm_(model.parameters(), plan.clip_norm or math.inf)
        optimizer.step()
        if averaged is not None:
            averaged.update(step)
        done = step + 1
        last = done == plan.steps
        told = last or done % every == 0
        due = not last and done % plan.checkpoint_every == 0
        losses.add(value, norm)
        if told or due or done % LOOK_EVERY == 0:
            seen += losses.look(done)
        if told:
            mean = sum(seen) / len(seen)
            history.append({"step": done, "loss": mean, "lr": plan.rate(step)})
            events.metric(done, loss=mean, lr=plan.rate(step))
            seen = []
        events.progress(done, plan.steps)
        if (due or last) and not _finite(result):
            raise losses.diverged(done, "weights that are not finite")
        losses.saved = done if due else losses.saved
        if due and accelerator.is_main_process:
            state = {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "averaged": averaged.module.state_dict() if averaged is not None else None,
                "history": history,
                "losses": seen,
                "step": done,
            }
            # through memory: torch's own file writer does not say that a disk is full
            buffer = io.BytesIO()
            torch.save(state, buffer)
            checkpoint.save(buffer.getvalue())
    return result, history


def _finite(model: nn.Module) -> bool:
    """Whether no parameter or buffer is NaN or infinite."""
    return bool(torch.stack([v.isfinite().all() for v in model.state_dict().values()]).all())


def _stored(checkpoint: Checkpoint, main: bool) -> dict[str, Any] | None:
    """The state to continue from, as the first process sees it: others' file systems may lag."""
    state = [checkpoint.load() if main else None]
    broadcast_object_list(state)
    if state[0] is None:
        return None
    return torch.load(io.BytesIO(state[0]), map_location="cpu", weights_only=True)
