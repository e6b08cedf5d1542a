"""The notebooks' experiments at their full sizes: a few training steps, one sampled micro-batch."""

from pathlib import Path

import numpy as np
import pytest
from conftest import REPOSITORY
from safetensors.torch import load_file
from tiny import run_job

from guidebench import api
from guidebench.data.store import read
from guidebench.guidance import sampling
from guidebench.models.denoiser import WEIGHTS
from guidebench.pipeline.jobs.layout import Job
from guidebench.pipeline.records.artifacts import read_json

STEPS = 4


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("name", "dataset", "network", "parameters"),
    [
        ("mnist_cfg_full", "mnist", "ShuffleUNet", 352_899),
        ("fashion_ddpm_full", "fashion", "UNet2DModel", 1_893_109),
    ],
)
def test_a_few_steps_at_full_size(
    name: str,
    dataset: str,
    network: str,
    parameters: int,
    data_root: Path,
    tmp_path: Path,
    monkeypatch,
) -> None:
    """Real networks on all real images: finite losses and weights, finite states to the end."""
    settings = {
        "data.root": data_root,
        "denoiser.steps": STEPS,
        "classifiers.noise_trained.steps": 2,
        "sampling.steps": 10,
    }
    one = api.load(
        str(REPOSITORY / f"workflow/config/{name}.yaml"),
        [f"datasets.{dataset}.{key}={value}" for key, value in settings.items()],
        tmp_path,
    )
    options, layout = one.config.datasets[dataset], one.layout
    for job in ("prepare", "train_denoiser"):
        run_job(one.config, Job(job, dataset), layout)
    run_job(one.config, Job("train_classifier", dataset, "noise_trained"), layout)
    assert read(layout.data(dataset) / "train").images.shape == (60_000, 1, 28, 28)
    folder = layout.denoiser(dataset)
    assert read_json(folder / "unet/config.json")["_class_name"] == network
    assert sum(value.numel() for value in one.denoiser(dataset).model.parameters()) == parameters
    assert all(value.isfinite().all() for value in load_file(folder / WEIGHTS).values())
    assert (folder / "history.jsonl").read_text().count("\n") == STEPS

    finite = []
    plain = sampling.to_uint8
    monkeypatch.setattr(
        sampling, "to_uint8", lambda x: finite.append(bool(x.isfinite().all())) or plain(x)
    )
    size = options.sampling.micro_batch
    for setup, scale in (("unguided", None), ("cfg", 1.0), ("noise_trained/raw", 1.0)):
        samples = one.sample(dataset, setup, scale, size)
        assert samples.images.shape == (size, 1, 28, 28)
        assert np.ptp(samples.images) > 100
    assert len(finite) >= 3
    assert all(finite)
