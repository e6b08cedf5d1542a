"""Train the denoiser, or read one that somebody else trained, and save it in diffusers' layout."""

from guidebench.base import published
from guidebench.data.store import joined, read
from guidebench.models.denoiser import FILES, save
from guidebench.models.denoiser_checkpoint import adopt
from guidebench.pipeline.jobs import agreement, parallel
from guidebench.stages.stage import Stage
from guidebench.stages.training import write_history
from guidebench.train.denoiser import train


def run(stage: Stage) -> None:
    """What the other stages sample with: trained on all training images, or from a checkpoint."""
    stage.use("prepare", stage.job.dataset)
    if stage.options.denoiser.checkpoint is None:
        _train(stage)
    else:
        _adopt(stage)


def _train(stage: Stage) -> None:
    """Train and save averaged weights, continuing an earlier attempt of the same spec."""
    dataset = stage.job.dataset
    data_folder, folder = stage.layout.data(dataset), stage.layout.denoiser(dataset)
    checkpoint = stage.resume()
    options = stage.options.denoiser
    schedule, data = stage.schedule(), read(data_folder / "train")
    if "validation_images" in options.paper_compat:
        data = joined(data, read(data_folder / "validation"))
    model, history = train(
        data,
        options,
        schedule,
        stage.seed("denoiser"),
        checkpoint,
        stage.events,
        stage.device,
    )
    if parallel.rank():
        return
    save(model, folder, schedule.discrete_betas().tolist(), options.prediction)
    write_history(folder, history)
    stage.finish([*FILES, "history.jsonl"])
    checkpoint.delete()


def _adopt(stage: Stage) -> None:
    """Save the network of a checkpoint; UserError when it is not what the config says."""
    dataset, options = stage.job.dataset, stage.options.denoiser
    channels, size = read(stage.layout.data(dataset) / "train").images.shape[1:3]
    betas = stage.schedule().discrete_betas().tolist()
    agreement.check(dataset, stage.options, channels, betas)
    files, folder = published.files(options), stage.layout.denoiser(dataset)
    adopt(files, folder, betas, options.prediction, size)
    stage.finish(FILES)
