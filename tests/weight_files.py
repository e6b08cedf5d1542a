"""Files of weights as others write them, of networks with random weights."""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torchvision import models

from guidebench.pipeline.experiment import sections

State = dict[str, Tensor]


def torchvision_model(name: str, outputs: int, **options: Any) -> nn.Module:
    """A model of torchvision in eval mode, whose logits differ from image to image."""
    torch.manual_seed(0)
    model: nn.Module = models.get_model(name, weights=None, num_classes=outputs, **options)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the running statistics become those of what it has seen
    with torch.no_grad():
        model.train()(torch.randn(8, 3, 32, 32))
        last = [one for one in model.modules() if isinstance(one, nn.Linear | nn.Conv2d)][-1]
        last.weight.normal_()
    return model.eval()


def prefixed(state: State, prefix: str) -> State:
    """Each name with something before it."""
    return OrderedDict((prefix + name, tensor) for name, tensor in state.items())


# how files of weights look: ending, and what is in the file
LAYOUTS: dict[str, tuple[str, Callable[[State], Any]]] = {
    "torchvision's": (".pth", lambda state: state),
    "the paper's": (".safetensors", lambda state: prefixed(state, "classifier.")),
    "parallel": (".pt", lambda state: {"state_dict": prefixed(state, "module.net."), "epoch": 3}),
    "a training's": (".bin", lambda state: {"model": state, "optimizer": {"lr": 0.1}, "args": []}),
}


def write(folder: Path, model: nn.Module, layout: str = "torchvision's") -> Path:
    """A file of a model's weights in one of the LAYOUTS."""
    ending, content = LAYOUTS[layout]
    return write_content(folder / f"weights{ending}", content(model.state_dict()))


def write_content(path: Path, content: Any) -> Path:
    """A file of that content, in the format of its ending."""
    if path.suffix == ".safetensors":
        save_file({name: tensor.contiguous() for name, tensor in content.items()}, path)
    else:
        torch.save(content, path)
    return path


def section(path: Path, architecture: str = "mobilenet_v3_small", **keys: Any) -> Any:
    """A classifier's section of the config."""
    return sections.Classifier(architecture=architecture, checkpoint=str(path), **keys)


def random_inception(path: Path) -> Path:
    """Random weights in the layout of torch-fidelity's pt_inception-2015-12-05 file."""
    torch.save({}, path)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(torch.nn.Module, "load_state_dict", lambda self, state: None)
        torch.manual_seed(0)
        network = FeatureExtractorInceptionV3(
            "random", ["2048"], feature_extractor_weights_path=path
        )
    torch.save(network.state_dict(), path)
    return path
