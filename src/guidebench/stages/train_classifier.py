"""Train a classifier: clean, noise-trained, or the judge, each on its half of the images."""

from __future__ import annotations

from safetensors.torch import save_file

from guidebench.base.jackknife import agresti_coull
from guidebench.data.store import half, read
from guidebench.pipeline.records.artifacts import atomic, write_json
from guidebench.stages.stage import Stage
from guidebench.stages.training import write_history
from guidebench.train.classifier import accuracy, train


def run(stage: Stage) -> None:
    """Train, measure the accuracy on clean held-out images, save."""
    dataset, name = stage.job.dataset, stage.job.classifier
    data_folder, folder = stage.layout.data(dataset), stage.layout.classifier(dataset, name)
    stage.use("prepare", dataset)
    checkpoint = stage.resume()
    options = stage.options.classifiers[name]
    data = half(read(data_folder / "train"), options.half)
    schedule = stage.schedule() if options.noise_trained else None
    model, history = train(
        data,
        options,
        schedule,
        stage.seed("classifier", name),
        checkpoint,
        stage.events,
        stage.device,
    )
    held_out = read(data_folder / "validation")
    share, count = accuracy(model, held_out, stage.device), len(held_out.images)
    stage.events.metric(options.steps, validation_accuracy=share)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic(folder / "model.safetensors") as temporary:
        save_file({key: value.contiguous() for key, value in model.state_dict().items()}, temporary)
    write_json(
        folder / "config.json",
        {
            "architecture": options.architecture,
            "classes": len(data.classes),
            "hidden": options.hidden,
        },
    )
    write_json(
        folder / "metrics.json",
        {
            "accuracy": share,
            "se": agresti_coull(round(share * count), count),
            "n": count,
            "parameters": sum(p.numel() for p in model.parameters()),
        },
    )
    write_history(folder, history)
    stage.finish(["model.safetensors", "config.json", "metrics.json", "history.jsonl"])
    checkpoint.delete()
