"""A user's sampler and metric that break a promise are one line before the first job."""

import shutil
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.reading import load
from guidebench.pipeline.plan import own_methods, trial

EULER = """
from itertools import pairwise
import torch

def euler(predict, x, schedule, grid, noise, callback, **options):
    for step, (s, r) in enumerate(pairwise(grid)):
        prediction = predict(x, s, step)
        callback(step, s, x, prediction)
        x = schedule.alpha(r) * prediction.x0 + schedule.sigma(r) * prediction.eps
    return x
"""
SPREAD = """
import numpy as np

def spread(samples, reference):
    return samples.std() / reference.std()

spread.title, spread.caption, spread.smaller_is_better = "spread", "Of all values.", False
"""


def said(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str, **keys: Any) -> list[str]:
    """The lines about docs/extending's experiment with these keys, on `mine.py` of this text."""
    (folder / "mine.py").write_text(text)
    settings = {"datasets.shades.sampling.options": "{}"} | keys
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    for name in ("mine", *(f"my_{kind}" for kind in ("sampler", "metric"))):
        monkeypatch.delitem(sys.modules, name, raising=False)
    own_methods.imported.cache_clear()
    config = load("own.yaml", [f"{key}={value}" for key, value in settings.items()])
    try:
        trial.check(config, "own.yaml")
    except UserError as error:
        return [line.removeprefix("own.yaml: ") for line in str(error).splitlines()]
    return []


@pytest.fixture
def folder(tmp_path: Path, repository: Path) -> Path:
    shutil.copytree(repository / "docs/extending", tmp_path, dirs_exist_ok=True)
    return tmp_path


class Edit(NamedTuple):
    """Of a method's text, and why it is refused then; empty: it is not."""

    old: str
    new: str
    why: str


SAMPLERS = {
    "as it should be": Edit("", "", ""),
    "arguments": Edit(", callback, **options", "", "too many positional arguments"),
    "an option": Edit("**options", "strength", "missing a required argument: 'strength'"),
    "an answer": Edit("    return x\n", "", "answered NoneType, allowed: the last x, (2, 3, 8, 8)"),
    "a shape": Edit(
        "return x\n", "return x[:, :1]\n", "answered (2, 1, 8, 8), allowed: the last x"
    ),
    "a state": Edit(
        "prediction.eps\n",
        "prediction.eps.double()\n",
        "step 1 asks at x of (2, 3, 8, 8), torch.float64",
    ),
    "nan": Edit("return x\n", "return x * float('nan')\n", "its samples are not finite"),
    "no callback": Edit(
        "        callback(step, s, x, prediction)\n",
        "",
        "callback was called at steps [], not once at each of 4",
    ),
    "own noise": Edit(
        "return x\n",
        "return x + torch.randn_like(x)\n",
        "all that is random must come from noise(step)",
    ),
    "noise of the row's place": Edit(
        "return x\n",
        "return x + torch.randn(x.shape, generator=torch.Generator().manual_seed(step))\n",
        "depends on its place: all that is random must come from noise(step)",
    ),
    "rows together": Edit("return x\n", "return x - x.mean()\n", "depends on the rows beside it"),
    "evaluations": Edit(
        "prediction = predict(x, s, step)",
        "prediction = predict(x, s, step) and predict(x, s, step, corrector=True)",
        "evaluations is 1, but 4 steps took 8 of them",
    ),
    "fewer evaluations": Edit(
        "return x\n",
        "return x\n\neuler.evaluations = 2\n",
        "evaluations is 2, but 4 steps took 4 of them",
    ),
    "a wrong fact": Edit(
        "return x\n", "return x\n\neuler.evaluations = 0.5\n", "not a number from 1"
    ),
    "no mean": Edit(
        "return x\n",
        "return x\n\neuler.has_mean = True\n",
        "has_mean is true, but its samples do not follow the shift",
    ),
    "an exception": Edit(
        "return x\n", "raise ValueError('of its\\nown')\n", "ValueError: of its own"
    ),
    "an import": Edit(
        "import torch\n", "import torch\nraise OSError('no licence')\n", "no licence"
    ),
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_sampler_is_tried(name, folder, monkeypatch) -> None:
    old, new, why = SAMPLERS[name]
    text = EULER.replace(old, new)
    settings = {"sampling.sampler": "mine:euler", "setups.clean/x0+sign.injection": "score"}
    settings = {f"datasets.shades.{key}": value for key, value in settings.items()}
    lines = said(folder, monkeypatch, text, **settings)
    assert len(lines) == bool(why), lines
    for line in lines:
        assert line.startswith("datasets.shades.sampling.sampler: found mine:euler, allowed: ")
        assert why in line


def test_a_mean_that_no_own_sampler_has(folder, monkeypatch) -> None:
    key = "datasets.shades"
    (line,) = said(folder, monkeypatch, EULER, **{f"{key}.sampling.sampler": "mine:euler"})
    assert line.startswith(f"{key}.setups.clean/x0+sign.injection: found mean, allowed: score (")
    guided = "guidance: classifier, classifier: clean, scales: [1]"
    world = (
        "{w: {components: [{mean: [0.0], label: 0}, {mean: [1.0], label: 1}], samples: 16, "
        "samplers: {a: {sampler: 'mine:euler', steps: 4}}, setups: {g: {%s}}}}"
    )
    (line,) = said(folder, monkeypatch, EULER, worlds=world % guided)
    assert line.startswith("worlds.w.setups.g.injection: found mean, allowed: score (mine:euler")
    score = f"{guided}, injection: score"
    assert said(folder, monkeypatch, EULER, worlds=world % score) == []


PULL = """
import random
import numpy as np
import torch
from guidebench.diffusion.samplers import Prediction

class Pull:
    def __init__(self, denoise, classifier, target, scale, schedule, **options):
        self.denoise, self.classifier, self.scale = denoise, classifier, scale
        self.schedule = schedule

    def __call__(self, x, t, step, *, corrector=False):
        alpha, sigma = self.schedule.alpha(t).to(x.dtype), self.schedule.sigma(t).to(x.dtype)
        x = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(self.classifier.log_prob(x, t).sum(), x)
        eps = self.denoise(x, t).eps - sigma * self.scale * gradient
        return Prediction(eps, (x - sigma * eps) / alpha)
"""
PUSHED = "eps = self.denoise(x, t).eps"
GUIDES = {
    "as it should be": ("", "", ""),
    "torch's chance": (PUSHED, f"{PUSHED} + torch.randn_like(x)", "torch's global random gene"),
    "numpy's chance": (PUSHED, f"{PUSHED} + np.random.rand()", "nothing in it may be random"),
    "Python's chance": (PUSHED, f"{PUSHED} + random.random()", "nothing in it may be random"),
    "chance of the row's place": (
        PUSHED,
        f"{PUSHED} + torch.randn(x.shape, generator=torch.Generator().manual_seed(step))",
        "depends on its place among the rows",
    ),
    "a network's first weights": (
        "self.schedule = schedule",
        "self.schedule = schedule\n        self.scale = float(torch.randn(()))",
        "nothing in it may be random",
    ),
    "a seed of torch's": (PUSHED, f"torch.manual_seed(step); {PUSHED}", "torch's global random"),
    "rows together": ("* gradient", "* gradient / gradient.norm()", "depends on the rows beside"),
    "two images": ("(x - sigma * eps) / alpha", "self.denoise(x, t).x0", "of one image, x = "),
    "a keyword": (", *, corrector=False", "", "unexpected keyword argument 'corrector'"),
    "an exception": (PUSHED, f"raise ValueError('mine'); {PUSHED}", "ValueError: mine"),
}


@pytest.mark.parametrize("name", GUIDES)
def test_a_guide_is_tried(name, folder, monkeypatch) -> None:
    old, new, why = GUIDES[name]
    keys = {
        "datasets.shades.setups.mine/x0.guidance": "mine:Pull",
        "datasets.shades.setups.mine/x0.sampler": "heun" if name == "a keyword" else "ddim",
        "datasets.shades.setups.mine/x0.scales": "[3]",
    }
    lines = said(folder, monkeypatch, PULL.replace(old, new), **keys)
    assert len(lines) == bool(why), lines
    for line in lines:
        key = "datasets.shades.setups.mine/x0.guidance"
        assert line.startswith(f"{key}: found mine:Pull, allowed: one that does what it says (")
        assert why in line


SIGN = """
import torch

class Sign:
    def __init__(self, exponent, **options):
        self.mean = 0.0

    def __call__(self, gradient):
        self.mean = 0.5 * self.mean + 0.5 * gradient.sign()
        return self.mean
"""
STABILIZERS = {
    "as it should be": ("", "", ""),
    "torch's chance": ("return self.mean", "return self.mean * torch.rand(())", "global random"),
    "rows together": ("gradient.sign()", "gradient / gradient.std()", "on the rows beside it"),
    "a state of all": (
        "self.mean = 0.0",
        "Sign.n = getattr(Sign, 'n', 0) + 1\n        self.mean = Sign.n",
        "nothing in it may be random",
    ),
    "a shape": ("return self.mean", "return self.mean[:1]", "answered an update of shape (1, "),
}


@pytest.mark.parametrize("where", ["setups.clean/x0+sign.stabilizer", "sensitivity.stabilizers.s"])
@pytest.mark.parametrize("name", STABILIZERS)
def test_a_stabilizer_is_tried(name, where, folder, monkeypatch) -> None:
    old, new, why = STABILIZERS[name]
    keys = {f"datasets.shades.{where}": "{name: 'mine:Sign'}"}
    lines = said(folder, monkeypatch, SIGN.replace(old, new), **keys)
    assert len(lines) == bool(why), lines
    for line in lines:
        assert line.startswith(f"datasets.shades.{where}.name: found mine:Sign, allowed: one that")
        assert why in line


METRICS = {
    "as it should be": Edit("", "", ""),
    "arguments": Edit("samples, reference", "samples", "too many positional arguments"),
    "no title": Edit('"spread", "Of', '3, "Of', "attribute title: found 3, allowed: a text"),
    "no direction": Edit(
        ", False", ", 0", "attribute smaller_is_better: found 0, allowed: True or"
    ),
    "an array": Edit(
        "samples.std()", "samples.std(axis=0)", "answered values of shape (64,), allowed"
    ),
    "a text": Edit("return samples", "return 'x' or samples", "answered str, allowed"),
    "nan": Edit("reference.std()", "float('nan')", "answered nan for 6 samples and 24 real ones"),
    "chance": Edit("reference.std()", "np.random.rand()", "the same samples gave other values"),
    "an edit": Edit("return samples", "samples -= 1\n    return samples", "read-only"),
    "an import": Edit("import numpy", "import nowhere_2", "No module named 'nowhere_2'"),
}


@pytest.mark.parametrize("of", ["judge", "images"])
@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_tried(name, of, folder, monkeypatch) -> None:
    old, new, why = METRICS[name]
    if of == "images":
        why = why.replace("(64,)", "(1, 8, 8)")
    text = SPREAD.replace(old, new)
    own = {"metrics.own": f"{{spread: {{name: 'mine:spread', of: {of}}}}}"}
    lines = said(folder, monkeypatch, text, **own)
    assert len(lines) == bool(why), lines
    for line in lines:
        assert line.startswith("metrics.own.spread.name: found mine:spread, allowed: ")
        assert why in line
        assert line.endswith("; on data set shades)") == (name != "an import")


@pytest.mark.parametrize(("reference", "fewest"), [("all", 24), ("target", 12)])
def test_a_metric_is_tried_with_as_little_as_it_will_get(
    reference, fewest, folder, monkeypatch
) -> None:
    """A quarter less than the 8 seeds, and than half of 64 images, or of the 32 of a class."""
    text = SPREAD.replace(
        "return", f"assert (len(samples), len(reference)) == (6, {fewest})\n    return"
    )
    own = f"{{spread: {{name: 'mine:spread', reference: {reference}}}}}"
    assert said(folder, monkeypatch, text, **{"metrics.own": own}) == []
    for neighbours, lines in ((fewest, 0), (fewest + 1, 1)):
        own = f"name: 'my_metric:nearest', reference: {reference}"
        options = f"options: {{neighbours: {neighbours}}}"
        keys = {"metrics.own": f"{{nearest: {{{own}, {options}}}}}"}
        assert len(said(folder, monkeypatch, text, **keys)) == lines


def test_a_large_metric_is_tried_with_less(folder, monkeypatch) -> None:
    text = SPREAD.replace("return", "assert len(samples) == len(reference) == 2500\n    return")
    numbers = {"data.train": 9000, "sampling.selection": 8000, "sampling.evaluation": 8000}
    keys = {f"datasets.shades.{key}": value for key, value in numbers.items()}
    own = {"metrics.own": "{spread: {name: 'mine:spread', of: images}}"}
    assert said(folder, monkeypatch, text, **own, **keys) == []


def test_a_metric_of_gray_images_is_not_refused(folder, monkeypatch) -> None:
    """How many channels a data set of the user's has is not known before it is prepared."""
    own = {"metrics.own": "{spread: {name: 'mine:spread', of: images}}"}
    for channels in (1, 3):
        text = SPREAD.replace("return", f"assert samples.shape[1] == {channels}\n    return")
        assert said(folder, monkeypatch, text, **own) == []
    text = SPREAD.replace("return", "assert samples.shape[1] == 2\n    return")
    assert len(said(folder, monkeypatch, text, **own)) == 1
