"""The forecast against reality, on the default experiment."""

import re
import time

import pytest

UNITS = {"s": 1, "min": 60, "h": 3600}


def seconds(text: str) -> float:
    """`14 min 2 s` in seconds."""
    return sum(float(n) * UNITS[unit] for n, unit in re.findall(r"([\d.]+) (h|min|s)\b", text))


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_the_forecast_of_the_default_run_is_within_30_percent(untouched) -> None:
    """Run alone: other work on the cores changes the probe and the run differently."""
    plan = untouched.guidebench("plan", "--workers", "2")
    assert plan.returncode == 0, plan.stderr
    told = re.search(r"^about (.*) with 2 jobs at a time", plan.stdout, re.MULTILINE)
    assert told is not None, plan.stdout
    forecast = seconds(told[1])
    started = time.monotonic()
    done = untouched.command("guidebench", "run", "--cores", "2", timeout=2000)
    took = time.monotonic() - started
    assert done.returncode == 0, done.stdout + done.stderr
    assert forecast == pytest.approx(took, rel=0.3), plan.stdout
    again = untouched.guidebench("plan")
    assert again.stdout.splitlines()[-1] == "nothing to do"
    # one key changed: the forecast names it, and no more than what follows from it
    edit = untouched.guidebench(
        "plan", "--set", "datasets.mnist.classifiers.clean.steps=310", "--images-per-second", "700"
    )
    assert "train_classifier mnist.clean: changed: classifier.steps: 300 -> 310" in edit.stdout
    assert "train_denoiser" not in edit.stdout
    sampling = re.search(r"^sample +3 +([\d,]+)", edit.stdout, re.MULTILINE)
    # 320 seeds; the 5 scales of clean/x0+ema0.99 are missing, the 9 other cells are not
    assert sampling is not None, edit.stdout
    assert sampling[1] == f"{5 * 320:,}"
