"""Train the denoiser and save its averaged weights in diffusers' layout."""

from __future__ import annotations

from guidebench.data.store import joined, read
from guidebench.models.denoiser import FILES, save
from guidebench.pipeline.jobs import parallel
from guidebench.stages.stage import Stage
from guidebench.stages.training import write_history
from guidebench.train.denoiser import train


def run(stage: Stage) -> None:
    """Train on all training images, continuing an earlier attempt of the same spec."""
    dataset = stage.job.dataset
    data_folder, folder = stage.layout.data(dataset), stage.layout.denoiser(dataset)
    stage.use("prepare", dataset)
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
