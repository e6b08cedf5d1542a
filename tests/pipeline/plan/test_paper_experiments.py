"""The paper's experiments at its scale: its settings, and that they can be planned."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from data_folders import write_faces
from numpy import arange
from processes import completed

from guidebench.models.denoiser import build
from guidebench.pipeline.experiment.config import Config, Dataset
from guidebench.pipeline.experiment.reading import load
from guidebench.pipeline.jobs.listing import jobs

FOLDER = "workflow/config"
BEST = {"sportballs": 15, "celeba": 150}
# guidance, classifier, input, stabilizer, beta
SEVEN = {
    ("none", None, "raw", "none", 0.9),
    ("classifier", "noise_trained", "raw", "none", 0.9),
    ("classifier", "clean", "raw", "none", 0.9),
    ("classifier", "clean", "x0", "none", 0.9),
    ("classifier", "clean", "x0", "ema", 0.9),
    ("classifier", "clean", "x0", "ema", 0.99),
    ("classifier", "clean", "x0", "adam", 0.9),
}


@pytest.fixture(params=["sportballs", "celeba"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def at(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """(data set, ending of the file's name) -> its experiment."""
    monkeypatch.chdir(repository)
    return lambda name, ending="64": load(f"{FOLDER}/{name}{ending}.yaml")


def _setups(dataset: Dataset) -> set[tuple[Any, ...]]:
    return {
        (s.guidance, s.classifier, s.input, s.stabilizer.name, s.stabilizer.beta)
        for s in dataset.setups.values()
    }


def test_the_network_has_the_papers_22_41_million_parameters(at: Any, name: str) -> None:
    denoiser = at(name).datasets[name].denoiser
    with torch.device("meta"):
        network = build(denoiser, 64, 3, 2)
    parameters = sum(value.numel() for value in network.parameters())
    assert round(parameters / 1e6, 2) == 22.41


def test_the_settings_are_the_papers(at: Any, name: str) -> None:
    config: Config = at(name)
    (dataset,) = config.datasets.values()
    assert dataset.schedule.model_dump() == {
        "name": "ddpm_linear",
        "timesteps": 400,
        "beta_start": 1e-4,
        "beta_end": 0.02,
        "rescale": False,
    }
    denoiser = dataset.denoiser
    assert (denoiser.prediction, denoiser.loss, denoiser.rate) == ("eps", "mse", "warmup_cosine")
    assert (denoiser.batch_size, denoiser.learning_rate, denoiser.warmup) == (128, 1e-4, 500)
    assert (denoiser.clip_norm, denoiser.mixed_precision) == (1.0, "bf16")
    train = dataset.data.train or 162_770
    assert denoiser.steps == 1000 * train // 128
    for key, classifier in dataset.classifiers.items():
        assert (key == "judge") == (classifier.architecture != "mobilenet_v3_small")
        assert classifier.steps == 20 * (train // 2) // 128
        assert classifier.noise_trained == (key == "noise_trained")
    sampling = dataset.sampling
    assert (sampling.sampler, sampling.steps, sampling.variance) == ("ancestral", 400, 0.0)
    assert (sampling.evaluation, sampling.clip, sampling.clip_gradient) == (50_176, True, "zero")
    assert _setups(dataset) == SEVEN
    assert {s.injection for s in dataset.setups.values()} == {"mean"}
    assert BEST[name] in dataset.setups["clean/x0+ema0.99"].scales


def test_the_images_are_the_papers(at: Any) -> None:
    balls = at("sportballs").datasets["sportballs"]
    assert (balls.data.size, balls.data.train, balls.data.validation) == (64, 80_000, 20_000)
    assert (min(balls.data.diameters), max(balls.data.diameters)) == (9, 25)
    assert (balls.data.offsets, balls.target) == ((0, 31), "baseball")
    faces = at("celeba").datasets["celeba"]
    assert (faces.data.size, faces.data.split, faces.data.train) == (64, "official", None)
    assert (faces.data.crop, faces.data.resize) == ("squash", "bilinear")
    assert faces.target == {"Male": False}


def test_the_drift_of_the_balls_attributes_is_measured(at: Any) -> None:
    assert all(
        at("sportballs", end).datasets["sportballs"].attributes for end in ("64", "64_small")
    )


def test_the_small_ones_have_the_same_setups_and_stages(at: Any, name: str) -> None:
    large, small = (at(name, ending).datasets[name] for ending in ("64", "64_small"))
    assert _setups(small) == SEVEN
    assert small.sensitivity.stabilizers == large.sensitivity.stabilizers
    assert small.schedule == large.schedule
    assert list(small.classifiers) == list(large.classifiers)
    assert small.target == large.target
    assert small.denoiser.steps < large.denoiser.steps
    assert small.sampling.evaluation < large.sampling.evaluation


def test_celebahq_guides_the_published_denoiser_as_the_paper_does(at: Any) -> None:
    """T = 1000, 1,024 samples, two classifiers of 20 epochs of half of 28,000 images."""
    dataset = at("celebahq", "256").datasets["celebahq"]
    assert dataset.denoiser.checkpoint == "models/ddpm-celebahq-256"
    assert (dataset.schedule.timesteps, dataset.schedule.rescale) == (1000, False)
    assert (dataset.data.size, dataset.data.train, dataset.data.validation) == (256, 28_000, 2_000)
    sampling = dataset.sampling
    assert (sampling.sampler, sampling.steps, sampling.variance) == ("ancestral", 1000, 0.0)
    assert sampling.evaluation == 1024
    assert {one.steps for one in dataset.classifiers.values()} == {20 * 14_000 // 128}
    assert 10 in dataset.setups["clean/x0+ema0.99"].scales


def test_the_small_celebahq_is_the_same_with_the_small_celebas_denoiser(at: Any) -> None:
    large, small = (at("celebahq", end).datasets["celebahq"] for end in ("256", "256_small"))
    assert _setups(small) == _setups(large)
    assert list(small.classifiers) == list(large.classifiers)
    assert (small.data.source, small.target) == (large.data.source, {"Male": False})
    faces = at("celeba", "64_small").datasets["celeba"]
    assert small.denoiser.checkpoint == "results/celeba64_small/celeba/denoiser"
    assert small.denoiser.prediction == faces.denoiser.prediction
    assert small.schedule == faces.schedule
    made = {"size", "crop", "resize"}
    assert small.data.model_dump(include=made) == faces.data.model_dump(include=made)
    assert small.sampling == faces.sampling


def test_the_comparison_of_classifiers_has_three_kinds_and_four_architectures(at: Any) -> None:
    """Each guides on x_t and, but for the noise-trained one, on x0_pred; all are attacked alike."""
    dataset = at("classifiers", "_small").datasets["sportballs"]
    guides = {name: one for name, one in dataset.classifiers.items() if name != "judge"}
    trained = {(one.noise_trained, one.adversarial is not None) for one in guides.values()}
    assert trained == {(False, False), (True, False), (False, True)}
    others = {"squeezenet1_1", "resnet18", "efficientnet_b0"}
    assert {one.architecture for one in guides.values()} == {"small_cnn", *others}
    asked = {(s.classifier, s.input) for s in dataset.setups.values() if s.guidance != "none"}
    both = {(name, source) for name in guides for source in ("raw", "x0")}
    assert asked == both - {("noise_trained", "x0")}
    assert {len(s.scales) for s in dataset.setups.values() if s.guidance != "none"} == {2}
    attack, trained_on = dataset.sensitivity.attack, guides["adversarial"].adversarial
    assert attack is not None
    assert trained_on is not None
    assert (attack.norm, attack.radius) == (trained_on.norm, trained_on.radius)
    assert attack.iterations > trained_on.iterations


def test_they_can_be_planned(at: Any, name: str, repository: Path, tmp_path: Path) -> None:
    """By the dry run of Snakemake that the forecast begins with; CelebA's on a partial copy."""
    command = [sys.executable, "-m", "guidebench", "plan"]
    command += ["--config", f"{FOLDER}/{name}64.yaml", "--images-per-second", "2000"]
    command += ["--workers", "8", "--set", "name=never_run", "--set", "seed=20261126"]
    if name == "celeba":
        write_faces(tmp_path, arange(40) % 2, train=30)
        command += ["--set", f"datasets.celeba.data.root={tmp_path}"]
    done = completed(*command, cwd=repository)
    assert done.returncode == 0, done.stderr
    count = len(list(jobs(at(name))))
    assert f"never_run: {count} jobs, 0 up to date, {count} to run" in done.stdout
    assert f"{name}: predicted peak memory: training " in done.stdout
    assert "with 8 jobs at a time" in done.stdout
