"""How much memory a data set's networks need: one step of each kind on tensors without numbers."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection
from typing import Any

import psutil
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from guidebench.analysis.sensitivity import BATCH
from guidebench.base import published
from guidebench.base.choices import classes
from guidebench.diffusion.schedules import DDPMLinear
from guidebench.guidance.built import clip_gradient
from guidebench.guidance.gradients import ClassifierGradient
from guidebench.models import classifier_checkpoint, denoiser_checkpoint
from guidebench.models import denoiser as denoisers
from guidebench.models.classifier import Classifier
from guidebench.models.precision import autocast
from guidebench.pipeline.experiment.config import Config, Dataset
from guidebench.pipeline.experiment.sections import Classifier as Section
from guidebench.pipeline.experiment.sections import Setup
from guidebench.pipeline.jobs.rates import kinds, shape

MIB = 2**20
CPU = torch.device("cpu")
# of the images of a sensitivity analysis: themselves, noise, x_t, x_{t-1} and both gradients; and
# for each stabilizer both of its results and its states
ALWAYS, STABILIZED = 6, 6
# of a process: scratch of its kernels and holes of its heap, measured at 64 x 64: 1.1 to 1.35
HEAP = 1.2


class Live(TorchDispatchMode):
    """Follows the bytes of the tensors that operations in it make: `peak` is their most at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(
        self, function: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        """Run an operation, and see what it made."""
        made = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                self._follow(tensor.untyped_storage())
        return made

    def _follow(self, storage: Any) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key not in self._known:
            self._known.add(key)
            self.now += size
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self._gone, key, size)

    def _gone(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size


def predicted(config: Config, name: str) -> dict[str, float]:
    """Peak MiB in training its denoiser, in sampling and in the sensitivity analysis.

    Of the GPU where one is used, else of the process, its libraries included.
    """
    options = config.datasets[name]
    gpu = config.device == "cuda" or (config.device == "auto" and torch.cuda.is_available())
    libraries, heap = (0, 1.0) if gpu else (psutil.Process().memory_info().rss, HEAP)
    sizes = {
        "sampling": _sampling(options, kinds(config, name).values()),
        "sensitivity": _sensitivity(options),
    }
    if options.denoiser.checkpoint is None:
        sizes = {"training": _training(options)} | sizes
    return {stage: (libraries + heap * size) / MIB for stage, size in sizes.items()}


def line(config: Config, name: str) -> str:
    """What a data set's networks will need at once, and which keys of the config decide it."""
    options = config.datasets[name]
    again = ", gradient_checkpointing" if options.sampling.gradient_checkpointing else ""
    decided_by = {
        "training": f" (batch_size {options.denoiser.batch_size})",
        "sampling": f" (micro_batch {options.sampling.micro_batch}{again})",
    }
    sizes = [
        f"{stage} {size:,.0f} MiB{decided_by.get(stage, '')}"
        for stage, size in predicted(config, name).items()
    ]
    return f"{name}: predicted peak memory: {', '.join(sizes)}"


def weights(options: Dataset, classifier: str) -> int:
    """Bytes of the weights of a classifier, or with "" of the denoiser."""
    section = options.classifiers.get(classifier)
    if section and section.checkpoint is not None:
        return _bytes(classifier_checkpoint.read(section, len(classes(options.data))))
    # on "meta", without numbers, it takes neither time nor memory; a user's own may need them
    own = section is not None and ":" in section.architecture
    with torch.device("cpu" if own else "meta"):
        return _bytes(
            _classifier(options, section, section.architecture) if section else _network(options)
        )


def _network(options: Dataset) -> torch.nn.Module:
    if options.denoiser.checkpoint is not None:
        return denoiser_checkpoint.of_config(published.files(options.denoiser).config)
    channels, side, _ = shape(options)
    return denoisers.build(options.denoiser, side, channels, len(classes(options.data)))


def _classifier(options: Dataset, section: Section, architecture: str) -> Classifier:
    return Classifier(
        architecture,
        len(classes(options.data)),
        section.hidden,
        mean=section.mean,
        std=section.std,
        input_size=section.input_size,
    )


def _bytes(network: torch.nn.Module) -> int:
    return sum(value.nbytes for value in network.state_dict().values())


def _images(options: Dataset, count: int) -> Tensor:
    x = torch.zeros(count, *shape(options))
    return x.contiguous(memory_format=torch.channels_last)


def _asked(network: Any, rows: int) -> dict[str, Any]:
    """What a network is called with beside images and times."""
    conditional = network.config.num_class_embeds is not None
    label = torch.zeros(rows, dtype=torch.long) if conditional else None
    return {"class_labels": label, "return_dict": False}


def _training(options: Dataset) -> int:
    """Of an iteration: weights, their average and AdamW's two moments, and what backward keeps."""
    denoiser, network = options.denoiser, _network(options)
    rows = denoiser.batch_size // denoiser.gpus
    with FakeTensorMode() as mode:
        x, asked = _images(options, rows), _asked(network, rows)
        weights: dict[str, Tensor] = {}
        weights |= {key: mode.from_tensor(value) for key, value in network.named_parameters()}
        with Live() as live:
            with autocast(CPU, denoiser.mixed_precision):
                output = functional_call(network, weights, (x, torch.zeros(rows)), asked)[0]
            functional.mse_loss(output.float(), x).backward()
    return 4 * _bytes(network) + live.peak


def _sampling(options: Dataset, setups: Collection[Setup]) -> int:
    """Of a step guided by any of the setups; of a user's guide, its networks alone."""
    # through the denoiser is more than all else
    through = [setup for setup in setups if setup.input == "x0"]
    rows = options.sampling.micro_batch
    return max(
        _step(
            options,
            one.classifier,
            one.input,
            rows * (2 if one.guidance == "cfg" else 1),
            options.sampling.precision,
        )
        for one in through or setups
    )


def _step(options: Dataset, guide: str | None, kind: str, rows: int, precision: str) -> int:
    """Of a step on that many rows: the weights, and what the gradient to x_t keeps."""
    network = _network(options).eval().requires_grad_(False)
    if options.sampling.gradient_checkpointing:
        denoisers.checkpointed(network)

    def evaluate(x: Tensor, _: Any) -> Tensor:
        with autocast(CPU, precision):
            output: Tensor = network(x, torch.zeros(rows), **_asked(network, rows))[0]
        return output.to(x.dtype)

    if guide is None:
        with FakeTensorMode(allow_non_fake_inputs=True), Live() as live, torch.no_grad():
            evaluate(_images(options, rows), 0)
        return _bytes(network) + live.peak
    section = options.classifiers[guide]
    # a user's own code may not run without numbers
    architecture = "small_cnn" if ":" in section.architecture else section.architecture
    classifier = _classifier(options, section, architecture)
    gradient = ClassifierGradient(
        evaluate,
        options.denoiser.prediction,
        DDPMLinear(2),  # of any process: it needs no memory
        classifier.eval().requires_grad_(False),
        kind,
        clip_gradient(options.sampling),
    )
    with FakeTensorMode(allow_non_fake_inputs=True), Live() as live:
        gradient(_images(options, rows), 0, 0)
    return _bytes(network) + _bytes(classifier) + live.peak


def _sensitivity(options: Dataset) -> int:
    """Of the analysis of the classifiers that guide: on x0_pred, unless all are noise-trained."""
    asked, named = options.sensitivity, options.classifiers
    guides = [name for name in named if name != "judge"]
    clean = [name for name in guides if not named[name].noise_trained]
    rows, whole = min(BATCH, asked.images), _images(options, asked.images).nbytes
    kind = "x0" if clean else "raw"
    steps = [_step(options, name, kind, rows, "float32") for name in clean or guides]
    return max(steps, default=0) + whole * (ALWAYS + STABILIZED * len(asked.stabilizers))
