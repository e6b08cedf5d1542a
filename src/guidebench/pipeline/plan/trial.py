"""Before the first job: own methods, classifiers and lists tried, a GPU, memory predicted."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from guidebench.base import published
from guidebench.base.choices import classes, side
from guidebench.base.seeds import derive
from guidebench.pipeline.errors import UserError
from guidebench.pipeline.experiment.allowed_names import Mistake, below, in_words
from guidebench.pipeline.experiment.config import ARCHITECTURES, Config, Dataset
from guidebench.pipeline.experiment.image_counts import short
from guidebench.pipeline.experiment.reading import load
from guidebench.pipeline.experiment.sections import CelebaData, Classifier, CustomData, FolderData
from guidebench.pipeline.jobs import agreement, demands, parallel, sharing
from guidebench.pipeline.jobs.layout import Layout
from guidebench.pipeline.jobs.rates import kept, shape
from guidebench.pipeline.jobs.stages import STAGES
from guidebench.pipeline.plan import own_methods

LARGE = 2.0**30  # bytes that are worth a prediction, which takes seconds


def ready(path: str, settings: list[str], results: Path) -> Config:
    """The experiment, when all that it needs is there; UserError with a line for what is not."""
    config = load(path, settings)
    demands.check(config, path, results)
    check(config, path)
    return config


def gpu(config: Config, path: str, layout: Layout) -> None:
    """UserError where a network is to run on a GPU of this machine and torch has none."""
    needs_gpu = config.device == "cuda" or (config.device == "auto" and parallel.gpus_to_use())
    if needs_gpu and any(STAGES[job.stage].network for job in sharing.survey(config, layout).stale):
        try:
            parallel.on_gpu(config.device)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None


def memory(config: Config, layout: Layout) -> Iterator[str]:
    """A line on the memory that each data set's networks will need, where that may be much."""
    large = [name for name, dataset in config.datasets.items() if kept(dataset) > LARGE]
    running = sharing.survey(config, layout).stale if large else {}
    for name in large:
        if any(job.dataset == name and STAGES[job.stage].network for job in running):
            from guidebench.pipeline.plan import memory as need  # starts torch

            yield need.line(config, name)


def check(config: Config, path: str) -> None:
    """UserError with a line for each method that cannot be imported or does not take the images.

    torch is imported only for a config that names a method of the user's own, a classifier of
    torchvision, a checkpoint, or batches of one image.
    """
    mistakes = [*own_methods.mistakes(config), *_classifiers(config)]
    files = [*_denoiser_files(config), *_classifier_files(config), *_lists(config)]
    if lines := [*in_words(mistakes), *files]:
        raise UserError("\n".join(f"{path}: {line}" for line in lines))


def _usable(config: Config) -> Iterator[tuple[str, Classifier, Dataset]]:
    """Key, section and data set of every classifier whose architecture can be imported."""
    for name, dataset in config.datasets.items():
        for key, options in dataset.classifiers.items():
            if ":" in options.architecture and own_methods.imported(options.architecture):
                continue  # `own_methods.mistakes` says so
            yield f"datasets.{name}.classifiers.{key}", options, dataset


def _classifier_files(config: Config) -> Iterator[str]:
    """A line for each file of weights that does not fit, or does not take the images."""
    for key, options, dataset in _usable(config):
        if options.checkpoint is not None and (said := _misfit(options, dataset)):
            yield f"{key}.{said}"


def _lists(config: Config) -> Iterator[str]:
    """A line for each list or table of pictures that `prepare` would refuse, or is too short."""
    for name, dataset in config.datasets.items():
        if isinstance(dataset.data, CelebaData | FolderData):
            from guidebench.data import check_lists

            try:
                counts = check_lists(dataset.data, derive(config.seed, name, "data"))
                yield from in_words(below(f"datasets.{name}", short(dataset, *counts)))
            except UserError as error:
                said = str(error)
                yield f"datasets.{name}.{'' if said.startswith('data.') else 'data: '}{said}"


def _misfit(options: Classifier, dataset: Dataset) -> str | None:
    """What is wrong with a file of weights: key, found, allowed; None: nothing."""
    import torch

    from guidebench.base.seeds import normal
    from guidebench.models import classifier_checkpoint
    from guidebench.models.classifier import check_outputs

    size = side(dataset.data)
    try:
        model = classifier_checkpoint.read(options, len(classes(dataset.data)))
        images = normal(torch.arange(2), 0, (3, size, size)).clamp(-1, 1)
        check_outputs(model(images), Path(str(options.checkpoint)))
    except UserError as error:
        return str(error)
    except Exception as error:  # whatever a network says
        seen = options.input_size or size
        allowed = f"one that takes images of {seen} x {seen} ({own_methods.words(error)})"
        return f"architecture: found {options.architecture}, allowed: {allowed}"
    return None


def _denoiser_files(config: Config) -> Iterator[str]:
    """A line for all that a denoiser's checkpoint contradicts, or has no weights for."""
    for name, dataset in config.datasets.items():
        if dataset.denoiser.checkpoint:
            from guidebench.diffusion.schedules import build

            betas = build(dataset.schedule).discrete_betas().tolist()
            channels = None if isinstance(dataset.data, CustomData) else shape(dataset)[0]
            mistakes = list(agreement.mistakes(dataset, channels, betas))
            yield from in_words(below(f"datasets.{name}", mistakes))
            # of files that are not what they should be, one thing is enough
            if "denoiser.checkpoint" not in [key for key, *_ in mistakes]:
                said = _unfit(published.files(dataset.denoiser), side(dataset.data))
                yield from [f"datasets.{name}.denoiser.{said}"] if said else []


def _unfit(files: published.Files, size: int) -> str | None:
    """What is wrong with a denoiser's network or weights: key, found, allowed; None: nothing."""
    from guidebench.models import denoiser_checkpoint

    try:
        denoiser_checkpoint.opened(files, size)
    except UserError as error:
        return str(error)
    except Exception as error:  # whatever a network says
        allowed = f"a network that takes images of {size} x {size}"
        return f"checkpoint: found {files.config} ({own_methods.words(error)}), allowed: {allowed}"
    return None


def _classifiers(config: Config) -> Iterator[Mistake]:
    for path, options, dataset in _usable(config):
        trained = options.checkpoint is None
        if trained and (options.architecture not in ARCHITECTURES or options.batch_size == 1):
            yield from _tried(path, options, dataset)


def _tried(path: str, options: Classifier, dataset: Dataset) -> Iterator[Mistake]:
    outputs, size = len(classes(dataset.data)), options.input_size or side(dataset.data)
    if said := _refusal(options.architecture, outputs, options.hidden, size, 2):
        allowed = f"one that takes images of {size} x {size} ({said})"
        yield f"{path}.architecture", options.architecture, allowed
    elif options.batch_size == 1 and (
        said := _refusal(options.architecture, outputs, options.hidden, size, 1)
    ):
        yield f"{path}.batch_size", 1, f"at least 2 for {options.architecture} ({said})"


@cache
def _refusal(architecture: str, outputs: int, hidden: int, size: int, batch: int) -> str | None:
    """Why a classifier in training does not take images [batch, 3, size, size]; None: it does."""
    import torch

    from guidebench.models import classifier

    said = None
    # on "meta", without numbers, it takes no time; a network may need numbers for its shapes
    for device in ("meta", "cpu"):
        try:
            with torch.device(device), torch.no_grad():
                network = classifier.Classifier(architecture, outputs, hidden).train()
                network(torch.zeros(batch, 3, size, size))
                return None
        except Exception as error:  # whatever a network says
            said = own_methods.words(error)
    return said
