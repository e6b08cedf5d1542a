"""Faster arithmetic is asked for, stays inside, and gives what the plain one gives."""

from pathlib import Path

import pytest
import torch

from guidebench.data.store import Stored
from guidebench.diffusion.schedules import DDPMLinear
from guidebench.models.denoiser import Denoiser, build, save
from guidebench.models.precision import autocast, compiled, products
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment import sections
from guidebench.pipeline.records.checkpoint import Checkpoint
from guidebench.train.denoiser import train

CPU, GPU = torch.device("cpu"), torch.device("cuda")
OPTIONS = sections.Denoiser(channels=[8], norm_groups=4)
SCHEDULE = DDPMLinear(20, rescale=True)


@pytest.mark.parametrize("kind", ["float32", "no", "tf32", "bf16"])
def test_tf32_is_for_matrix_products_inside(kind: str) -> None:
    assert torch.get_float32_matmul_precision() == "highest"
    inside = []

    def breaks() -> None:
        inside.append(torch.get_float32_matmul_precision())
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), products(kind):
        breaks()
    assert inside[0] == ("high" if kind == "tf32" else "highest")
    assert torch.get_float32_matmul_precision() == "highest"


@pytest.mark.parametrize("kind", ["float32", "no", "tf32"])
def test_an_autocast_around_goes_on(kind: str) -> None:
    product = torch.ones(2, 2)
    with torch.autocast("cpu", torch.float16), autocast(CPU, kind):
        assert (product @ product).dtype == torch.float16
    with autocast(CPU, kind):
        assert (product @ product).dtype == torch.float32
    with autocast(CPU, "bf16"):
        assert (product @ product).dtype == torch.bfloat16


@pytest.mark.parametrize(("device", "variable"), [(CPU, "CXX"), (GPU, "CC")])
def test_without_a_compiler_one_line(
    device: torch.device, variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(tmp_path / "none"))
    found = "^sampling.compile: found true without a compiler .*none.*, allowed: false$"
    with pytest.raises(UserError, match=found):
        compiled(torch.nn.Linear(1, 1), device, "sampling.compile")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    save(build(OPTIONS, 8, 3, 4), tmp_path, SCHEDULE.betas.tolist(), "v")
    return tmp_path


def _gradient(denoiser: Denoiser, t: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Of the sum of squares of its output, and that."""
    x = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    x = x.contiguous(memory_format=torch.channels_last).requires_grad_()
    output = denoiser(x, t)
    return output.detach(), torch.autograd.grad(output.square().sum(), x)[0]


@pytest.mark.parametrize("kind", ["float32", "tf32"])
def test_float32_is_what_the_network_computes_by_itself(kind: str, folder: Path) -> None:
    """To the last bit, on the CPU with tf32, too: it has none."""
    plain = Denoiser(folder, CPU)
    asked = Denoiser(folder, CPU, precision=kind)
    x = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    x = x.contiguous(memory_format=torch.channels_last)
    assert torch.equal(asked(x, 5), plain.model(x, 5, return_dict=False)[0])
    for ours, theirs in zip(_gradient(asked, 5), _gradient(plain, 5), strict=True):
        assert torch.equal(ours, theirs)


def test_bf16_is_within_its_rounding(folder: Path) -> None:
    """A bfloat16 has eight bits: output and gradient are within 2 % of float32's, and float32."""
    found = [_gradient(Denoiser(folder, CPU, precision=kind), 5) for kind in ("float32", "bf16")]
    for plain, rounded in zip(*found, strict=True):
        assert rounded.dtype == torch.float32
        error = float((rounded - plain).norm() / plain.norm())
        assert 1e-5 < error < 0.02


@pytest.mark.slow  # a minute of compiling each
@pytest.mark.timeout(1800)
def test_compiled_is_the_same_but_for_rounding(folder: Path) -> None:
    """Forward and gradient, compiled once for all times."""
    plain, fast = (Denoiser(folder, CPU, compile=on) for on in (False, True))
    graphs = []
    for t in (5, 6, 7):
        for expected, found in zip(_gradient(plain, t), _gradient(fast, t), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
        graphs.append(torch._dynamo.utils.counters["stats"]["unique_graphs"])
    assert graphs[0] == graphs[1] == graphs[2] > 0
    torch._dynamo.reset()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_compiled_training_is_the_same_but_for_rounding(tmp_path: Path, events) -> None:
    chance = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (16, 3, 8, 8), generator=chance, dtype=torch.uint8).numpy()
    data = Stored(images, torch.zeros(16, dtype=torch.long).numpy(), ["a"])
    losses, graphs = [], []
    for on in (False, True):
        torch._dynamo.reset()
        torch._dynamo.utils.counters.clear()
        options = OPTIONS.model_copy(update={"steps": 6, "batch_size": 4, "compile": on})
        checkpoint = Checkpoint(tmp_path / f"{on}.pt", tmp_path)
        _, history = train(data, options, SCHEDULE, 0, checkpoint, events, CPU)
        losses.append([row["loss"] for row in history])
        graphs.append(torch._dynamo.utils.counters["stats"]["unique_graphs"])
    # AdamW makes whole steps of gradients that are zero but for their rounding: no weights compared
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    assert graphs == [0, 1]  # the losses may be equal to the last bit
    torch._dynamo.reset()
