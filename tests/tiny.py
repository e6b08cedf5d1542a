"""The tiniest experiment with every stage, and a warm process that runs its jobs."""

import json
import os
import pickle
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

TRAINED = {"steps": 3, "batch_size": 8, "checkpoint_every": 1}
DENOISER = TRAINED | {"channels": [8], "warmup": 1}
SENSITIVITY = {"images": 4, "accuracy_images": 4, "steps": 2}
SAMPLING = {"steps": 2, "selection": 8, "evaluation": 8, "block": 8, "micro_batch": 4}
SAMPLING |= {"trajectories": 1}
BALLS = {"source": "sportballs", "size": 8, "canvas": 8, "poses": 2}


def experiment(root: Path) -> dict[str, Any]:
    """Two data sets, one of them from files below `root`, with a sampler each, and a world."""
    attack = {"norm": "linf", "radius": 0.1, "iterations": 2}
    classifiers = {
        "clean": TRAINED,
        "noise_trained": TRAINED | {"noise_trained": True},
        "adversarial": TRAINED | {"adversarial": attack},
        "judge": TRAINED | {"architecture": "small_resnet", "half": "second"},
    }
    common = {
        "schedule": {"timesteps": 20},
        "denoiser": DENOISER,
        "sensitivity": SENSITIVITY | {"stabilizers": {"ema": {"name": "ema"}}, "attack": attack},
    }
    sampling = SAMPLING | {"selection": 4}
    guided = {"guidance": "classifier", "classifier": "clean", "scales": [1]}
    return {
        "name": "tiny",
        "metrics": {"jackknife_blocks": 4},
        "datasets": {
            "balls": common
            | {
                "data": BALLS | {"train": 48, "validation": 48, "rotation": "in_plane"},
                "target": "baseball",
                "classifiers": classifiers,
                "sampling": sampling,
                "attributes": {"steps": 3, "batch_size": 8},
                "setups": {
                    "unguided": {},
                    "clean/raw": guided | {"scales": [1, 10]},
                    "clean/x0+ema": guided | {"input": "x0", "stabilizer": {"name": "ema"}},
                    "noise_trained/raw": guided | {"classifier": "noise_trained"},
                },
            },
            "digits": common
            | {
                "data": {"source": "mnist", "root": str(root), "train": 64, "validation": 64},
                "target": "3",
                "denoiser": DENOISER | {"condition_dropout": 0.2},
                "classifiers": {key: classifiers[key] for key in ("clean", "judge")},
                "sampling": sampling | {"sampler": "heun"},
                "setups": {
                    "unguided": {},
                    "clean/raw+adam": guided
                    | {"injection": "score", "stabilizer": {"name": "adam"}},
                    "cfg": {"guidance": "cfg", "scales": [2]},
                },
            },
        },
        "worlds": {
            "two": {
                "components": [{"mean": [-1.0, 0.0], "label": 0}, {"mean": [1.0, 0.0], "label": 1}],
                "schedule": {"timesteps": 20},
                "samples": 16,
                "samplers": {"ddim": {"sampler": "ddim", "steps": 2}},
                "setups": {"unguided": {}, "cfg": {"guidance": "cfg", "scales": [1]}},
            }
        },
    }


class Died(Exception):
    """The process that did the work ended without an answer."""


def apart(work: Callable[[], Any]) -> Any:
    """The answer of `work`, done in a fork of this warm process; Died when it was killed."""
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(receive)
        with open(send, "wb") as pipe:
            try:
                pickle.dump((True, work()), pipe)
            except Exception:
                pickle.dump((False, traceback.format_exc()), pipe)
        os._exit(0)
    os.close(send)
    with open(receive, "rb") as pipe:
        content = pipe.read()
    os.waitpid(child, 0)
    if not content:
        raise Died
    fine, answer = pickle.loads(content)
    if not fine:
        raise AssertionError(answer)
    return answer


def warm() -> None:
    """Import every module that a stage may import, and read their code: forks find it done."""
    import gc
    import importlib
    import pkgutil

    import guidebench
    from guidebench.pipeline.records.descriptions import describe

    for found in pkgutil.walk_packages(guidebench.__path__, "guidebench."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    from torchvision import models  # noqa: F401

    describe("stages.prepare:run")
    gc.freeze()  # a collection in a fork would copy it all


def draw_coarsely(laid_out: bool = False) -> None:
    """Figures of this process are drawn with few pixels and saved as these alone, in little time.

    It is matplotlib that is told so: all functions of ours run as always.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    save = Figure.savefig

    def saved(figure: Figure, path: Path, **options: Any) -> None:
        if path.suffix == ".svg":
            path.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
        else:
            save(figure, path, **options | {"dpi": 8})

    Figure.savefig = saved  # type: ignore[method-assign]
    if not laid_out:
        ConstrainedLayoutEngine.execute = lambda *_: None  # type: ignore[method-assign]


def run_job(config: Any, job: Any, layout: Any) -> None:
    """One job, as its command would run it."""
    from guidebench.pipeline.run.stage_process import run_stage

    run_stage(config, job, layout)


def run_job_coarsely(config: Any, job: Any, layout: Any) -> None:
    """The same with figures that only say that they were drawn."""
    draw_coarsely()
    run_job(config, job, layout)


def configured(values: dict[str, Any], path: Path) -> Any:
    """The experiment as the command line reads it."""
    from guidebench.pipeline.experiment.reading import load

    path.write_text(json.dumps(values))
    return load(str(path), [])
