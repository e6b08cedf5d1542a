"""CPU seconds of Inception-v3 features: our `extract` against torch-fidelity's own loop.

On the same network (random weights), images, batch and thread.
Usage: .venv/bin/python benchmarks/features.py
"""

import tempfile
from pathlib import Path

import numpy as np
import pairs
import torch
from torch.utils.data import Dataset
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.utils import get_featuresdict_from_dataset

from guidebench.metrics.extractors import extract

IMAGES, BATCH, REPETITIONS = 32, 16, 3


class Images(Dataset):
    """As torch-fidelity reads them: one by one."""

    def __init__(self, images: np.ndarray) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.from_numpy(self.images[index])


def inception() -> FeatureExtractorInceptionV3:
    """torch-fidelity's network, which insists on a file of weights, with random ones."""
    torch.manual_seed(0)
    loads = torch.nn.Module.load_state_dict
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.pth"
        torch.save({}, path)
        torch.nn.Module.load_state_dict = lambda self, state: None
        try:
            return FeatureExtractorInceptionV3(
                "random", ["2048"], feature_extractor_weights_path=path
            ).eval()
        finally:
            torch.nn.Module.load_state_dict = loads


def main() -> None:
    """Median ratio over paired repetitions."""
    torch.set_num_threads(1)
    chance = np.random.default_rng(0)
    images = chance.integers(0, 256, (IMAGES, 3, 32, 32), dtype=np.uint8)
    network, features = inception(), {}

    def ours() -> None:
        (features["ours"],) = extract(network, images, torch.device("cpu"), BATCH)

    def theirs() -> None:
        # without its worker processes: the same threads on both sides
        found = get_featuresdict_from_dataset(Images(images), network, BATCH, False, True, False)
        features["theirs"] = found["2048"].numpy()

    found = pairs.cpu_seconds({"ours": ours, "theirs": theirs}, REPETITIONS)
    assert np.array_equal(features["ours"], features["theirs"])
    print(f"an image: {np.median(found['ours']) / IMAGES * 1e3:.0f} ms of one core")
    gain = pairs.ratio(found["theirs"], found["ours"])
    pairs.row("feature extraction, torch-fidelity / ours", f"{gain:.2f}", "≥ 1")


if __name__ == "__main__":
    main()
