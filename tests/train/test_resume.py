"""A training run that was killed and started again ends with the same bits as one that was not."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from guidebench.data.store import Stored
from guidebench.diffusion.schedules import DDPMLinear
from guidebench.pipeline import recording
from guidebench.pipeline.experiment import sections
from guidebench.pipeline.records import code
from guidebench.pipeline.records.artifacts import digest_of, write_json
from guidebench.pipeline.records.checkpoint import Checkpoint
from guidebench.pipeline.records.events import Events
from guidebench.train import classifier as classifiers
from guidebench.train import denoiser as denoisers
from guidebench.train.loop import Plan, fit, generator

CPU = torch.device("cpu")
SCHEDULE = DDPMLinear(20, rescale=True)
DENOISER = sections.Denoiser(
    channels=[8, 16],
    norm_groups=4,
    condition_dropout=0.3,
    steps=20,
    batch_size=4,
    warmup=3,
    weight_average=0.9,
    flip=True,
    checkpoint_every=5,
)
CLASSIFIER = sections.Classifier(hidden=8, steps=20, batch_size=4, flip=True, checkpoint_every=5)

KINDS = ["denoiser", "classifier", "noise_trained", "adversarial", "dropout"]
OF_KIND: dict[str, dict[str, Any]] = {
    "adversarial": {"adversarial": sections.Attack(radius=0.5, iterations=2)},
    "dropout": {"architecture": "mobilenet_v3_small"},  # which has some
}


class Killed(RuntimeError):
    pass


@pytest.fixture
def data() -> Stored:
    chance = np.random.default_rng(0)
    images = chance.integers(0, 256, (18, 3, 8, 8), dtype=np.uint8)
    return Stored(images, np.arange(18) % 3, ["a", "b", "c"])


@pytest.fixture(autouse=True)
def ran() -> Iterator[None]:
    """A job of its own, as to what is recorded."""
    with recording.apart():
        yield


def _train(kind: str, data: Stored, path: Path, events: Events, **changes: Any):
    torch.manual_seed(hash(path) % 1000)
    checkpoint = Checkpoint(path, path.parent)
    if kind == "denoiser":
        options = DENOISER.model_copy(update=changes)
        return denoisers.train(data, options, SCHEDULE, 7, checkpoint, events, CPU)
    schedule = SCHEDULE if kind == "noise_trained" else None
    options = CLASSIFIER.model_copy(update=OF_KIND.get(kind, {}) | changes)
    return classifiers.train(data, options, schedule, 7, checkpoint, events, CPU)


def _dies_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    def dying(seed: int, now: int) -> torch.Generator:
        if now == step:
            raise Killed
        return generator(seed, now)

    for module in (denoisers, classifiers):
        monkeypatch.setattr(module, "generator", dying)


def _same(a: nn.Module, b: nn.Module) -> bool:
    ours, theirs = a.state_dict(), b.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)


def _step(path: Path) -> int:
    """The step that a training continues from."""
    payload = Checkpoint(path, path.parent).load()
    assert payload is not None
    state = torch.load(io.BytesIO(payload), weights_only=True)
    return int(state["step"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("steps", [(13,), (2, 13, 16)])
def test_killed_and_resumed_is_never_killed(
    kind: str,
    steps: tuple[int, ...],
    data: Stored,
    tmp_path: Path,
    events: Events,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    straight, history = _train(kind, data, tmp_path / "straight.pt", events)
    checkpoint = tmp_path / "killed.pt"
    for step in steps:
        with monkeypatch.context() as patched:
            _dies_at(patched, step)
            with pytest.raises(Killed):
                _train(kind, data, checkpoint, events)
    assert _step(checkpoint) == steps[-1] // 5 * 5
    resumed, again = _train(kind, data, checkpoint, events)
    assert _same(straight, resumed)
    assert history == again
    assert [row["step"] for row in history] == list(range(1, 21))


def _flipped(content: bytes, place: int) -> bytes:
    """With one bit other than it was."""
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def _head(content: bytes, **changes: object) -> bytes:
    """With another first line."""
    head, _, payload = content.partition(b"\n")
    return json.dumps(json.loads(head) | changes).encode() + b"\n" + payload


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "one byte short": lambda content: content[:-1],
    "half of it": lambda content: content[: len(content) // 2],
    "its first line alone": lambda content: content.partition(b"\n")[0],
    "one byte more": lambda content: content + b"\0",
    "a bit of its first line": lambda content: _flipped(content, 20),
    "a bit of the weights": lambda content: _flipped(content, len(content) // 2),
    "its last bit": lambda content: _flipped(content, len(content) - 1),
    "the payload alone": lambda content: content.partition(b"\n")[2],
    "an archive": lambda content: b"PK\x03\x04" + bytes(range(256)),
    "a list": lambda content: b"[1, 2]\n",
    "without its code": lambda content: _head(content, code=None),
    "a record that is gone": lambda content: _head(content, code="0" * 16),
    # whole, of the same code, and copied to this training's place
    "of another training": lambda content: _head(content, of="judge.pt"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_state_is_dropped_and_the_training_begins_again(
    damage: str,
    data: Stored,
    tmp_path: Path,
    events: Events,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    straight, history = _train("classifier", data, tmp_path / "straight.pt", events)
    path = tmp_path / "killed.pt"
    with monkeypatch.context() as patched:
        _dies_at(patched, 13)
        with pytest.raises(Killed):
            _train("classifier", data, path, events)
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    begun = _steps_of(monkeypatch)
    with caplog.at_level(logging.WARNING):
        resumed, again = _train("classifier", data, path, events)
    assert begun[0] == 0
    assert _same(straight, resumed)
    assert history == again
    (line,) = [record.getMessage() for record in caplog.records if "again" in record.getMessage()]
    assert line.startswith(f"{path}: ")
    assert "\n" not in line
    # what it wrote meanwhile is whole
    assert _step(path) == 15


def _steps_of(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The steps that a training does from now on."""
    steps: list[int] = []

    def noting(seed: int, now: int) -> torch.Generator:
        steps.append(now)
        return generator(seed, now)

    monkeypatch.setattr(classifiers, "generator", noting)
    return steps


def test_a_state_of_other_code_is_dropped(
    data: Stored,
    tmp_path: Path,
    events: Events,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = tmp_path / "killed.pt"
    with monkeypatch.context() as patched:
        _dies_at(patched, 13)
        with pytest.raises(Killed):
            _train("classifier", data, path, events)
    names = code.kept(tmp_path, json.loads(path.read_bytes().partition(b"\n")[0])["code"])
    assert {"train.loop:fit", "train.classifier:train", "torch"} <= set(names)
    older = names | {"train.loop:fit": "0" * 16}
    write_json(tmp_path / code.FOLDER / f"{digest_of(older)[:16]}.json", older)
    path.write_bytes(_head(path.read_bytes(), code=digest_of(older)[:16]))
    begun = _steps_of(monkeypatch)
    with caplog.at_level(logging.WARNING):
        _train("classifier", data, path, events)
    assert begun[0] == 0
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: of other code (train.loop:fit); the training begins again"
    ]


def test_what_ran_before_the_kill_counts_after_it(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "state.pt", tmp_path)
    assert checkpoint.load() is None
    recording.ran |= {"train.loop:fit", "train.loop:Plan.rate"}
    checkpoint.save(b"weights\nand more")
    recording.ran.clear()
    assert checkpoint.load() == b"weights\nand more"
    assert {"train.loop:fit", "train.loop:Plan.rate"} <= recording.ran
    checkpoint.delete()
    checkpoint.delete()
    assert checkpoint.load() is None


@pytest.mark.parametrize("kind", KINDS)
def test_training_depends_on_its_seed_alone(
    kind: str, data: Stored, tmp_path: Path, events: Events
) -> None:
    """Another global generator state before it changes nothing; fewer checkpoints neither."""
    torch.manual_seed(99)
    one, _ = _train(kind, data, tmp_path / "a.pt", events)
    torch.manual_seed(5)
    other, _ = _train(kind, data, tmp_path / "b.pt", events, checkpoint_every=7)
    assert _same(one, other)


def _regression(path: Path, events: Events, dies: int | None = None):
    """A linear model with history every 3 steps and checkpoints every 5: they do not coincide."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))

    def loss(network: nn.Module, step: int) -> Tensor:
        if step == dies:
            raise Killed
        x = torch.randn(8, 4, generator=generator(1, step))
        return (network(x)[:, 0] - x.sum(1)).square().mean()

    plan = Plan(300, 8, 1e-2, 10, 0.1, 5, 0.95)
    averaged, history = fit(model, loss, plan, Checkpoint(path, path.parent), events, CPU)
    return model, averaged, history


@pytest.mark.parametrize("dies", [6, 13, 299])
def test_fit_resumes_weights_average_and_history(dies: int, tmp_path: Path, events: Events) -> None:
    model, averaged, history = _regression(tmp_path / "straight.pt", events)
    with pytest.raises(Killed):
        _regression(tmp_path / "killed.pt", events, dies)
    model2, averaged2, history2 = _regression(tmp_path / "killed.pt", events)
    assert _same(model, model2)
    assert _same(averaged, averaged2)
    assert history == history2
    assert len(history) == 100
    assert not _same(model, averaged)
    assert history[-1]["loss"] < history[0]["loss"] / 2


def test_average_is_the_exponential_one(tmp_path: Path, events: Events) -> None:
    """a <- d a + (1 - d) w from the first step's weights on."""
    torch.manual_seed(0)
    model = nn.Linear(2, 1)
    seen: list[Tensor] = []

    def loss(network: nn.Module, step: int) -> Tensor:
        seen.append(model.weight.detach().clone())
        return (model(torch.ones(1, 2)) - 3).square().sum()

    plan = Plan(6, 1, 0.1, 0, 0.0, 100, 0.75)
    averaged, _ = fit(model, loss, plan, Checkpoint(tmp_path / "c.pt", tmp_path), events, CPU)
    weights = [*seen[1:], model.weight.detach()]
    expected = weights[0]
    for weight in weights[1:]:
        expected = 0.75 * expected + 0.25 * weight
    torch.testing.assert_close(averaged.weight.detach(), expected)


def test_average_is_pytorchs(tmp_path: Path, events: Events) -> None:
    """To the last bit, of weights and running statistics; batches are counted, not averaged."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 1))
    decay = get_ema_multi_avg_fn(0.9)
    theirs = AveragedModel(model, multi_avg_fn=decay, use_buffers=True)

    def loss(network: nn.Module, step: int) -> Tensor:
        if step:
            theirs.update_parameters(model)
        return network(torch.randn(8, 4, generator=generator(1, step))).square().mean()

    plan = Plan(12, 8, 1e-2, 0, 0.1, 100, 0.9)
    averaged, _ = fit(model, loss, plan, Checkpoint(tmp_path / "c.pt", tmp_path), events, CPU)
    theirs.update_parameters(model)
    expected = theirs.module.state_dict()
    for name, value in averaged.state_dict().items():
        count = name.endswith("num_batches_tracked")
        assert torch.equal(value, model.state_dict()[name] if count else expected[name]), name


def test_classifier_learns(data: Stored, tmp_path: Path, events: Events) -> None:
    """Three grey levels, told apart after 60 steps."""
    images = np.repeat(np.array([30, 128, 220], np.uint8), 6)[:, None, None, None]
    easy = Stored(
        np.broadcast_to(images, (18, 3, 8, 8)).copy(), np.repeat(np.arange(3), 6), data.classes
    )
    model, _ = _train("classifier", easy, tmp_path / "c.pt", events, steps=60)
    assert classifiers.accuracy(model, easy, CPU) == 1.0
    assert classifiers.accuracy(model, easy._replace(labels=easy.labels[::-1].copy()), CPU) < 0.5
