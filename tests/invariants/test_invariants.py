"""An image depends on its seed: not on the call, the block, the order, or the process."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from guidebench.base.seeds import derive
from guidebench.diffusion.schedules import DDPMLinear
from guidebench.guidance.sampling import Sampler
from guidebench.models.classifier import Classifier
from guidebench.models.denoiser import Denoiser, build, save
from guidebench.pipeline.experiment import sections
from guidebench.pipeline.experiment.sections import Sampling, Setup, Stabilizer

OPTIONS = sections.Denoiser(channels=[8, 16], norm_groups=4, condition_dropout=0.2)
GUIDED = Setup(guidance="classifier", input="x0", stabilizer=Stabilizer(name="ema"))
SETUPS = {
    "unguided": (Setup(), None),
    "raw": (GUIDED.model_copy(update={"input": "raw"}), 5.0),
    "x0+ema": (GUIDED, 30.0),
    "cfg": (Setup(guidance="cfg"), 2.0),
}
SCHEDULE = DDPMLinear(24, rescale=True)
SEEDS = [derive("image", number) for number in range(12)]
HALF = slice(6, None)


def _sample(folder: Path, setup: str, seeds: list[int], micro_batch: int = 4) -> np.ndarray:
    torch.manual_seed(1)
    classifier = Classifier("small_cnn", 3, 8).eval().requires_grad_(False)
    denoiser = Denoiser(folder, torch.device("cpu"))
    sampling = Sampling(steps=6, micro_batch=micro_batch)
    sampler = Sampler(denoiser, SCHEDULE, sampling, (3, 8, 8))
    images: np.ndarray = sampler(
        *SETUPS[setup], classifier, torch.tensor(seeds), torch.ones(len(seeds)).long()
    ).images
    return images


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("denoiser")
    torch.manual_seed(0)
    save(build(OPTIONS, 8, 3, 3), path, SCHEDULE.betas.tolist(), "v")
    return path


@pytest.fixture(autouse=True)
def _one_thread():
    """Bytes are compared: as many threads as the jobs of the pipeline use."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("setup", SETUPS)
def test_calls_blocks_and_order_change_nothing(folder: Path, setup: str) -> None:
    together = _sample(folder, setup, SEEDS)
    assert len({image.tobytes() for image in together}) == 12
    for cut in (1, 4, 10):
        # blocks of 10 and of 1 seeds leave a micro-batch that is padded
        split = [_sample(folder, setup, part) for part in (SEEDS[:cut], SEEDS[cut:])]
        assert np.array_equal(np.concatenate(split), together)
    order = [7, 2, 11, 0, 5, 9, 1, 10, 3, 8, 4, 6]
    shuffled = _sample(folder, setup, [SEEDS[i] for i in order])
    assert np.array_equal(shuffled, together[order])


def test_another_process_changes_nothing(folder: Path, tmp_path: Path) -> None:
    together = _sample(folder, "x0+ema", SEEDS)
    command = [sys.executable, __file__, folder, tmp_path / "half.npy"]
    done = subprocess.run(command, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert np.array_equal(np.load(tmp_path / "half.npy"), together[HALF])


@pytest.mark.parametrize("setup", SETUPS)
@pytest.mark.parametrize("micro_batch", [1, 3, 12])
def test_another_micro_batch_rounds_otherwise(folder: Path, setup: str, micro_batch: int) -> None:
    """Convolutions round differently at other batch sizes (which is why the size is in the spec).

    float32 keeps images equal within one of 255 levels, and nearly all values exactly.
    """
    usual = _sample(folder, setup, SEEDS).astype(int)
    other = _sample(folder, setup, SEEDS, micro_batch).astype(int)
    assert np.abs(usual - other).max() <= 1
    assert (usual != other).mean() < 0.01


if __name__ == "__main__":
    torch.set_num_threads(1)
    there, output = sys.argv[1:]
    np.save(output, _sample(Path(there), "x0+ema", SEEDS[HALF]))
