"""The public nrCG code's choices in the forward analysis, on a classifier in closed form."""

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from guidebench.analysis.sensitivity import Views, accuracy, pairs, shared
from guidebench.base.seeds import derive, normal
from guidebench.data.dataset import DataSet
from guidebench.data.store import write
from guidebench.diffusion.schedules import DDPMLinear
from guidebench.guidance.gradients import ClassifierGradient
from guidebench.guidance.stabilizers import EMA, Identity
from guidebench.models.classifier import Classifier
from guidebench.models.denoiser import build, save
from guidebench.pipeline.experiment import sections
from guidebench.pipeline.records.artifacts import write_json
from guidebench.stages import sensitivity as stage

SCHEDULE = DDPMLinear(30, rescale=True)
SHAPE, SIZE, TARGET, BETA = (3, 4, 4), 48, 1, 0.8


class Linear(Classifier):
    """logits = W x + b."""

    def __init__(self) -> None:
        nn.Module.__init__(self)
        chance = torch.Generator().manual_seed(0)
        self.weight = torch.randn(3, SIZE, generator=chance, dtype=torch.float64) / 4
        self.bias = torch.randn(3, generator=chance, dtype=torch.float64)

    def forward(self, x: Tensor, time: float = 0.0) -> Tensor:
        return x.flatten(1) @ self.weight.T + self.bias


CLASSIFIER = Linear()


def _views(per_t: bool = False) -> Views:
    chance = torch.Generator().manual_seed(1)
    images = torch.rand(5, *SHAPE, generator=chance, dtype=torch.float64) * 2 - 1
    return Views(images, torch.arange(5) % 3, torch.arange(5) + 50, per_t)


def _evaluate(kind: str, clip: str | None = None) -> ClassifierGradient:
    """A network whose v is x / 2: x0_pred = (alpha - sigma / 2) x."""
    return ClassifierGradient(lambda x, t: x / 2, "v", SCHEDULE, CLASSIFIER, kind, clip)


def _state(views: Views, t: int, pair: int) -> Tensor:
    """x_t with the noise of a pair; t = -1: the images."""
    squared = float(torch.prod(1 - SCHEDULE.betas[: t + 1]))
    noise = normal(views.seeds, pair if views.per_t else 0, SHAPE).double()
    return math.sqrt(squared) * views.images + math.sqrt(1 - squared) * noise


def _factor(t: int) -> float:
    return float(SCHEDULE.alpha(t) - SCHEDULE.sigma(t) / 2)


def _logits_gradient(x: Tensor, factor: float) -> tuple[Tensor, Tensor]:
    """Logits of factor x, and grad_x log p(target) [N, SIZE]."""
    logits = CLASSIFIER(factor * x)
    residual = -torch.softmax(logits, dim=1)
    residual[:, TARGET] += 1
    return logits, factor * residual @ CLASSIFIER.weight


def _row(x: Tensor) -> Tensor:
    return x.flatten(1).norm(dim=1)


@pytest.mark.parametrize("per_t", [False, True])
@pytest.mark.parametrize("stabilized", [False, True])
def test_same_time_denoises_both_states_with_t(per_t: bool, stabilized: bool) -> None:
    views = _views(per_t)
    makers = {"none": Identity} | ({"ema": lambda: EMA(BETA)} if stabilized else {})
    rows = pairs(_evaluate("x0"), SCHEDULE, views, [29, 20, 0], TARGET, makers, same_time=True)
    found = {(t, name, quantity): value for t, name, quantity, value in rows}
    means = [torch.zeros(5, SIZE, dtype=torch.float64) for _ in range(2)]
    for t in range(29, -1, -1):
        states = _state(views, t, t), _state(views, t - 1, t)
        answers = [_logits_gradient(x, _factor(t)) for x in states]
        means = [BETA * m + (1 - BETA) * g for m, (_, g) in zip(means, answers, strict=True)]
        if t not in (29, 20, 0):
            continue
        distance = _row(states[0] - states[1])
        logit, grad = (
            (one - other).norm(dim=1) / distance
            for one, other in zip(answers[0], answers[1], strict=True)
        )
        torch.testing.assert_close(found[t, "none", "logit_sensitivity"], logit)
        torch.testing.assert_close(found[t, "none", "grad_sensitivity"], grad)
        if stabilized:
            ema = (means[0] - means[1]).norm(dim=1) / distance
            torch.testing.assert_close(found[t, "ema", "grad_sensitivity"], ema)


def test_shared_stabilizers_go_on_where_the_walk_before_ended() -> None:
    views = _views()
    make = shared(lambda: EMA(BETA))
    for _ in pairs(_evaluate("raw"), SCHEDULE, views, [1], TARGET, {"ema": make}):
        pass
    rows = pairs(_evaluate("x0"), SCHEDULE, views, [20], TARGET, {"ema": make})
    found = {quantity: value for _, _, quantity, value in rows}
    means = [torch.zeros(5, SIZE, dtype=torch.float64) for _ in range(2)]

    def advance(t: int, factors: tuple[float, float]) -> None:
        for chain, (time, factor) in enumerate(zip((t, t - 1), factors, strict=True)):
            _, gradient = _logits_gradient(_state(views, time, t), factor)
            means[chain] = BETA * means[chain] + (1 - BETA) * gradient

    for t in range(29, 0, -1):
        advance(t, (1.0, 1.0))
    for t in range(29, 19, -1):
        advance(t, (_factor(t), _factor(t - 1)))
    distance = _row(_state(views, 20, 20) - _state(views, 19, 20))
    torch.testing.assert_close(
        found["grad_sensitivity"], (means[0] - means[1]).norm(dim=1) / distance
    )
    torch.testing.assert_close(found["update_norm"], means[0].norm(dim=1))


@pytest.mark.parametrize("kind", ["raw", "x0"])
def test_clean_at_zero_gives_no_noise_at_t_0_alone(kind: str) -> None:
    views, evaluate = _views(), _evaluate(kind, "zero")
    for t, correct in accuracy(evaluate, SCHEDULE, views, [12, 0], clean_at_zero=True):
        x = _state(views, t, t) if t else views.images
        seen = x if kind == "raw" else (_factor(t) * x).clamp(-1, 1)
        assert torch.equal(correct, (CLASSIFIER(seen).argmax(1) == views.labels).double())
    at_zero = dict(accuracy(evaluate, SCHEDULE, views, [12, 0]))[0]
    x = _state(views, 0, 0)
    seen = x if kind == "raw" else (_factor(0) * x).clamp(-1, 1)
    assert torch.equal(at_zero, (CLASSIFIER(seen).argmax(1) == views.labels).double())


SWITCHES = ["same_time", "shared_state", "clean_at_zero"]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """(noise-trained, switches) -> the table that the stage writes."""
    torch.manual_seed(0)
    noise = np.random.default_rng(0)
    images = noise.integers(0, 256, (12, 3, 8, 8)).astype(np.uint8)
    write(DataSet(images, np.arange(12) % 3, ["a", "b", "c"]), tmp_path / "data/validation")
    schedule = DDPMLinear(10, rescale=True)
    options = sections.Denoiser(channels=[8], norm_groups=4)
    save(build(options, 8, 3, 3), tmp_path / "denoiser", schedule.betas.tolist(), "v")
    folder = tmp_path / "clean"
    folder.mkdir()
    save_file(Classifier("small_cnn", 3, 8).state_dict(), folder / "model.safetensors")
    write_json(folder / "config.json", {"architecture": "small_cnn", "classes": 3, "hidden": 8})

    def make(noise_trained: bool, switches: list[str]) -> pd.DataFrame:
        layout = SimpleNamespace(
            data=lambda _: tmp_path / "data",
            denoiser=lambda _: tmp_path / "denoiser",
            classifier=lambda *_: folder,
            sensitivity=lambda *_: tmp_path / "out",
        )
        progress: list[float] = []
        stage.run(
            SimpleNamespace(  # type: ignore[arg-type]
                job=SimpleNamespace(dataset="d", classifier="clean"),
                layout=layout,
                options=SimpleNamespace(
                    sensitivity=sections.Sensitivity(
                        images=4,
                        accuracy_images=12,
                        steps=10,
                        stabilizers={"ema": sections.Stabilizer(name="ema")},
                        paper_compat=switches,
                    ),
                    classifiers={"clean": sections.Classifier(noise_trained=noise_trained)},
                    sampling=sections.Sampling(),
                ),
                use=lambda *_: {},
                schedule=lambda: schedule,
                device=torch.device("cpu"),
                target=1,
                seed=lambda *names: derive(0, *names),
                events=SimpleNamespace(progress=lambda done, of: progress.append(done / of)),
                finish=lambda _: None,
            )
        )
        assert max(progress) <= 1
        return pd.read_parquet(tmp_path / "out" / stage.FILE)

    return make


def test_switches_add_rows_beside_the_corrected_ones(run) -> None:
    plain, found = run(False, []), run(False, SWITCHES)
    own = found[found.input.isin(["raw", "x0"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(own, plain)
    assert set(found.input) == {
        *("raw", "raw+clean_at_zero", "x0", "x0+clean_at_zero", "x0+same_time"),
        *("x0+shared_state", "x0+same_time+shared_state+clean_at_zero"),
    }
    zero = found[found.input == "raw+clean_at_zero"]
    assert zero[["quantity", "t"]].to_numpy().tolist() == [["accuracy", 0]]
    measured = {name: set(rows.quantity) for name, rows in found.groupby("input")}
    assert "accuracy" not in measured["x0+same_time"]
    assert measured["x0"] == measured["x0+same_time+shared_state+clean_at_zero"]

    def values(source: str, stabilizer: str) -> np.ndarray:
        keep = (found.input == source) & (found.stabilizer == stabilizer)
        return found[keep & (found.quantity == "grad_sensitivity")]["mean"].to_numpy()

    # what keeps no state does not change by sharing it
    assert np.array_equal(values("x0+shared_state", "none"), values("x0", "none"))
    assert not np.array_equal(values("x0+shared_state", "ema"), values("x0", "ema"))
    assert not np.array_equal(values("x0+same_time", "none"), values("x0", "none"))


def test_a_noise_trained_classifier_has_no_x0_pred_to_switch(run) -> None:
    found = run(True, SWITCHES)
    assert set(found.input) == {"raw", "raw+clean_at_zero", "x0"}
    # figure 1 shows how well it sees x0_pred, which guides nothing
    assert set(found.quantity[found.input == "x0"]) == {"accuracy"}
