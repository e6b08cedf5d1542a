"""Train the denoiser and save its averaged weights in diffusers' layout."""

from __future__ import annotations

from guidebench.data.store import read
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
    schedule = stage.schedule()
    model, history = train(
        read(data_folder / "train"),
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
