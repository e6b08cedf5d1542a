"""The README's own methods: validated like ours, and run."""

import re
import sys
from types import SimpleNamespace

import pytest
import torch
import yaml
from conftest import REPOSITORY

from guidebench import data, grid
from guidebench.diffusion.schedules import DDPMLinear
from guidebench.guidance.networks import Networks
from guidebench.guidance.sampling import Asked, Sampler, build_guide
from guidebench.models.classifier import Classifier
from guidebench.models.denoiser import Denoiser, build, save
from guidebench.pipeline import code, specs
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.jobs import jobs
from guidebench.pipeline.sections import Setup
from guidebench.pipeline.validate import load

README = (REPOSITORY / "README.md").read_text()


def _block(language: str, start: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    return next(block for block in blocks if block.startswith(start))


@pytest.fixture
def config(tmp_path, monkeypatch):
    """The README's file and config section in a folder of their own."""
    (tmp_path / "my_methods.py").write_text(_block("python", "import numpy"))
    section = yaml.safe_load(_block("yaml", "    data:"))
    section["denoiser"] = {"channels": [8, 16], "norm_groups": 4}
    section["sampling"] = {"steps": 4, "micro_batch": 4}
    section["schedule"] = {"timesteps": 20}
    section["sensitivity"] = {"steps": 4}
    (tmp_path / "own.yaml").write_text(
        yaml.safe_dump({"name": "own", "datasets": {"own": section}})
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_methods", raising=False)
    return load("own.yaml")


def test_the_readmes_methods_run(config, tmp_path) -> None:
    options = config.datasets["own"]
    train, validation = data.load(options.data, 0)
    assert (len(train.images), len(validation.images)) == (64, 32)
    torch.manual_seed(0)
    classifier = Classifier(options.classifiers["clean"].architecture, 2, 8).eval()
    classifier.requires_grad_(False)
    assert isinstance(classifier.body[0], torch.nn.Conv2d)
    schedule = DDPMLinear(20, rescale=True)
    save(build(options.denoiser.model_dump(), 8, 1, 2), tmp_path / "d",
         schedule.betas.tolist(), "v")  # fmt: skip
    sampler = Sampler(
        Denoiser(tmp_path / "d", torch.device("cpu")), schedule,
        options.sampling.model_dump(mode="json"), (1, 8, 8),
    )  # fmt: skip
    seeds, labels = torch.arange(4), torch.ones(4, dtype=torch.long)
    brightness = {}
    for name, setup in options.setups.items():
        for scale in setup.scales:
            found = sampler(setup.model_dump(mode="json"), scale, classifier, seeds, labels)
            brightness[name, scale] = found.images.mean()
    # the guide pushes towards white, the harder the larger its scale
    assert brightness["nudge", 10] > brightness["nudge", 1] + 5
    assert brightness["clean/x0+sign", 0.1] != brightness["clean/x0+sign", 1]


@pytest.mark.parametrize(("setup", "said"), [
    ({"guidance": "my_methods:Nudge", "options": {"toward": 1}, "scales": [1]},
     r"my_methods:Nudge: got an unexpected keyword argument 'toward'"),
    ({"guidance": "classifier", "classifier": "clean", "scales": [1],
      "stabilizer": {"name": "my_methods:Sign", "options": {"gamma": 1}}},
     r"my_methods:Sign: got an unexpected keyword argument 'gamma'"),
])  # fmt: skip
def test_wrong_options_of_a_method_are_one_line(config, setup, said) -> None:
    """Only its own code knows them: they are refused when it is made."""
    schedule = DDPMLinear(20, rescale=True)
    section = Setup.model_validate(setup).model_dump(mode="json")
    options = config.datasets["own"].sampling.model_dump(mode="json")
    denoiser = SimpleNamespace(prediction="v")
    networks = Networks(denoiser, schedule, torch.ones(1, dtype=torch.long))
    with pytest.raises(UserError, match=said):
        build_guide(Asked(section, 1.0, networks, options, object()))


def test_their_code_is_in_the_specs(config, tmp_path) -> None:
    block = grid.blocks(config, "own")[0]
    before = {job.stage: specs.spec(config, job) for job in jobs(config)
            if job.classifier in ("", "clean")}  # fmt: skip
    old = [specs.cell_spec(config, "own", cell, block) for cell in grid.cells(config, "own")]
    file = tmp_path / "my_methods.py"
    file.write_text(file.read_text() + "\nMORE = 1\n")
    code.forget()
    after = load("own.yaml")
    for stage in ("prepare", "train_classifier", "sample"):
        job = next(job for job in jobs(after) if job.stage == stage
                   and job.classifier in ("", "clean"))  # fmt: skip
        assert specs.spec(after, job) != before[stage], stage
    for cell, spec in zip(grid.cells(after, "own"), old, strict=True):
        assert specs.cell_spec(after, "own", cell, block) != spec
