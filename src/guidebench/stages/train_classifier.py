"""Train a classifier: clean, noise-trained, or the judge, each on its half of the images.

One that somebody else trained is read from its file instead.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file

from guidebench.base.jackknife import agresti_coull
from guidebench.data.store import half, read, to_float
from guidebench.models import classifier_checkpoint
from guidebench.models.classifier import check_outputs
from guidebench.pipeline.records.artifacts import atomic, write_json
from guidebench.stages.stage import Stage
from guidebench.stages.training import write_history
from guidebench.train.classifier import accuracy, train

FIRST = 64  # held-out images that one that was read must have finite logits for


def run(stage: Stage) -> None:
    """Train or read it, measure the accuracy on clean held-out images, save."""
    dataset, name = stage.job.dataset, stage.job.classifier
    data_folder, folder = stage.layout.data(dataset), stage.layout.classifier(dataset, name)
    stage.use("prepare", dataset)
    resumed = stage.resume()
    options = stage.options.classifiers[name]
    held_out = read(data_folder / "validation")
    files, steps = ["model.safetensors", "config.json", "metrics.json"], 0
    if options.checkpoint is None:
        model, history = train(
            half(read(data_folder / "train"), options.half),
            options,
            stage.schedule() if options.noise_trained else None,
            stage.seed("classifier", name),
            resumed,
            stage.events,
            stage.device,
        )
        write_history(folder, history)
        files, steps = [*files, "history.jsonl"], options.steps
    else:
        model = classifier_checkpoint.read(options, len(held_out.classes))
        model = model.to(stage.device).to(memory_format=torch.channels_last)
        images = to_float(held_out.images[:FIRST], stage.device)
        check_outputs(model(images), Path(options.checkpoint))
    share, count = accuracy(model, held_out, stage.device), len(held_out.images)
    stage.events.metric(steps, validation_accuracy=share)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic(folder / "model.safetensors") as temporary:
        save_file({key: value.contiguous() for key, value in model.state_dict().items()}, temporary)
    write_json(folder / "config.json", model.settings)
    write_json(
        folder / "metrics.json",
        {
            "accuracy": share,
            "se": agresti_coull(round(share * count), count),
            "n": count,
            "parameters": sum(p.numel() for p in model.parameters()),
        },
    )
    stage.finish(files)
    resumed.delete()
