"""Stabilizers against numbers worked out by hand over three steps."""

import math
import sys

import pytest
import torch

from guidebench.guidance.stabilizers import EMA, Adam, Identity, Nesterov, NormClip, RMSProp, build
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.sections import Stabilizer


def _walk(stabilize, gradients: list[float]) -> list[float]:
    return [float(stabilize(torch.tensor([[g]], dtype=torch.float64))) for g in gradients]


def test_none_hands_the_gradient_through() -> None:
    assert _walk(Identity(), [1.0, -2.0, 3.0]) == [1.0, -2.0, 3.0]


def test_ema_by_hand() -> None:
    """m = 0.1; 0.09 + 0.2 = 0.29; 0.261 - 0.4 = -0.139: no bias correction (the first is not 1)."""
    assert _walk(EMA(0.9), [1.0, 2.0, -4.0]) == pytest.approx([0.1, 0.29, -0.139], abs=1e-14)


def test_adam_by_hand() -> None:
    """beta1 = 0.5, beta2 = 0.75, eps = 0.1; m = 1, 0.5, -2.75; v = 1, 0.75, 9.5625."""
    found = _walk(Adam(0.5, 0.75, 0.1), [2.0, 0.0, -6.0])
    expected = [1 / 1.1, 0.5 / (math.sqrt(0.75) + 0.1), -2.75 / (math.sqrt(9.5625) + 0.1)]
    assert found == pytest.approx(expected, abs=1e-14)


def test_nesterov_by_hand() -> None:
    """m = 0.5, 1.25, -1.375; 0.5 m + 0.5 g looks one step ahead."""
    found = _walk(Nesterov(0.5), [1.0, 2.0, -4.0])
    assert found == pytest.approx([0.75, 1.625, -2.6875], abs=1e-14)


def test_rmsprop_by_hand() -> None:
    """beta = 0.75, eps = 0.1; v = 1, 0.75, 9.5625 as in ADAM; the gradient itself on top."""
    found = _walk(RMSProp(0.75, 0.1), [2.0, 0.0, -6.0])
    assert found == pytest.approx([2 / 1.1, 0.0, -6 / (math.sqrt(9.5625) + 0.1)], abs=1e-14)


def test_norm_clip_by_hand() -> None:
    """Rows of norm 5, 0.5 and 0: only the first is longer than 2.5, and keeps its direction."""
    gradient = torch.tensor([[[3.0, 4.0]], [[0.3, 0.4]], [[0.0, 0.0]]]).double()
    found = NormClip(2.5)(gradient)
    expected = torch.tensor([[[1.5, 2.0]], [[0.3, 0.4]], [[0.0, 0.0]]]).double()
    torch.testing.assert_close(found, expected, rtol=1e-14, atol=0)


def test_undebiased_adam_amplifies_the_first_steps() -> None:
    """(1 - b1) / sqrt(1 - b2) = 3.16 on the first step."""
    found = _walk(Adam(0.9, 0.999, 1e-4), [1.0] * 10)
    assert found[0] == pytest.approx(0.1 / (math.sqrt(0.001) + 1e-4))
    assert 5 < max(found) < 6.7


def test_betas_are_per_step_of_the_full_grid() -> None:
    """beta^(T/n): 50 steps of 400 reach what 400 steps reach on a constant gradient."""
    few = _walk(build(Stabilizer(name="ema", beta=0.99), 400, 50), [1.0] * 50)
    many = _walk(build(Stabilizer(name="ema", beta=0.99), 400, 400), [1.0] * 400)
    assert few[-1] == pytest.approx(many[-1], rel=1e-12)
    assert few[-1] == pytest.approx(1 - 0.99**400, rel=1e-12)
    literal = _walk(
        build(Stabilizer(name="ema", per_step="literal", beta=0.99), 400, 50), [1.0] * 50
    )
    assert literal[-1] == pytest.approx(1 - 0.99**50, rel=1e-12)


def test_adam_takes_the_exponent_for_both_betas() -> None:
    section = Stabilizer(name="adam", beta1=0.9, beta2=0.999, eps=1e-4)
    found = _walk(build(section, 400, 50), [2.0, -1.0, 0.5])
    assert found == _walk(Adam(0.9**8, 0.999**8, 1e-4), [2.0, -1.0, 0.5])


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        (Stabilizer(name="nesterov", beta=0.9), Nesterov(0.9**8)),
        (Stabilizer(name="rmsprop", beta=0.99, eps=1e-3), RMSProp(0.99**8, 1e-3)),
        (Stabilizer(name="norm_clip", max_norm=0.7), NormClip(0.7)),
    ],
)
def test_the_others_by_name(section, expected) -> None:
    gradients = [2.0, -1.0, 0.5]
    assert _walk(build(section, 400, 50), gradients) == _walk(expected, gradients)


def test_rows_do_not_mix_and_states_are_fresh() -> None:
    section = Stabilizer(name="adam", beta1=0.9, beta2=0.999, eps=1e-4)
    gradients = torch.randn(3, 2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    together, first = build(section, 40, 40), build(section, 40, 40)
    for gradient in gradients:
        torch.testing.assert_close(together(gradient)[:1], first(gradient[:1]), rtol=0, atol=0)
    again = build(section, 40, 40)
    torch.testing.assert_close(
        again(gradients[0]), build(section, 40, 40)(gradients[0]), rtol=0, atol=0
    )


def test_the_gradient_itself_is_not_written_to() -> None:
    gradient = torch.ones(1, 1)
    for stabilize in (EMA(0.9), Adam(0.9, 0.99, 0.1), Identity()):
        for _ in range(3):
            stabilize(gradient)
    assert gradient.item() == 1.0


PLUGIN = """
class Half:
    def __init__(self, exponent, factor):
        self.exponent, self.factor = exponent, factor

    def __call__(self, gradient):
        return gradient * self.factor / self.exponent
"""


def test_plugin_by_name(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_half.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    half = build(Stabilizer(name="my_half:Half", options={"factor": 3.0}), 400, 100)
    assert _walk(half, [2.0]) == [1.5]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("gradient[:1]", r"of shape \(1, 3\), allowed: that of the gradient, \(2, 3\)"),
        ("None", "of shape NoneType, allowed"),
        ("gradient.double()", "of torch.float64, allowed: that of the gradient, torch.float32"),
    ],
)
def test_a_wrong_answer_is_one_line(answer, said, tmp_path, monkeypatch) -> None:
    text = PLUGIN.replace("gradient * self.factor / self.exponent", answer)
    (tmp_path / "my_wrong.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_wrong", raising=False)
    wrong = build(Stabilizer(name="my_wrong:Half", options={"factor": 3.0}), 400, 100)
    with pytest.raises(UserError, match=f"my_wrong:Half: answered an update {said}"):
        wrong(torch.ones(2, 3))


@pytest.mark.parametrize("name", ["no_such_module:Half", "math:Half"])
def test_unknown_plugin_is_one_line(name: str) -> None:
    with pytest.raises(UserError, match="allowed: module:attribute") as caught:
        build(Stabilizer(name=name), 400, 100)
    assert "\n" not in str(caught.value)
