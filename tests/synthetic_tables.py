"""Synthetic result tables in which every claim of the findings table holds."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from guidebench.report import chosen
from guidebench.report.tables import Tables

T = 100
K = 8
N = 256
TIMES = range(4, T, 5)
EMA99, EMA9, WITH_ADAM = "clean/x0+ema0.99", "clean/x0+ema0.9", "clean/x0+adam"
SETUPS = {
    "unguided": ("unguided", None, None, None, []),
    "noise_trained/raw": ("classifier", "noise_trained", "raw", "none", [1.0, 3.0, 10.0, 30.0]),
    "clean/raw": ("classifier", "clean", "raw", "none", [1.0, 3.0, 10.0, 30.0]),
    "clean/x0": ("classifier", "clean", "x0", "none", [1.0, 3.0, 10.0, 30.0]),
    EMA9: ("classifier", "clean", "x0", "ema", [3.0, 10.0, 30.0, 100.0]),
    EMA99: ("classifier", "clean", "x0", "ema", [10.0, 30.0, 100.0, 300.0]),
    WITH_ADAM: ("classifier", "clean", "x0", "adam", [0.03, 0.1, 0.3, 1.0]),
}
# setup -> (accuracy_guide, accuracy_judge, fd_judge, cfd_judge) at each scale
LEVELS = {
    "unguided": [(0.25, 0.25, 2.0, 40.0)],
    "noise_trained/raw": [(0.6, 0.6, 5, 20), (0.9, 0.88, 9, 9), (0.99, 0.97, 14, 6), (1, 1, 20, 9)],
    "clean/raw": [(0.5, 0.26, 4, 39), (0.8, 0.27, 9, 60), (1, 0.2, 30, 80), (1, 0.1, 90, 200)],
    "clean/x0": [(0.6, 0.5, 5, 25), (0.98, 0.8, 9, 15), (0.99, 0.9, 9.5, 11), (1, 0.8, 30, 22)],
    EMA9: [(0.5, 0.5, 5, 25), (0.98, 0.85, 9, 12), (0.99, 0.97, 9.5, 7), (1, 1, 30, 22)],
    EMA99: [(0.5, 0.5, 4, 25), (0.98, 0.9, 8, 8), (0.99, 0.97, 8.5, 3), (1, 1, 26, 12)],
    WITH_ADAM: [(0.5, 0.5, 6, 27), (0.98, 0.8, 12, 14), (0.99, 0.9, 18, 12), (1, 0.9, 40, 30)],
}
ADAM = {"beta2": 0.999, "eps": 1e-4, "per_step": "full_grid"}
SECONDS = {"prepare": 6.1, "train_denoiser": 210.0, "sample": 180.4, "metrics": 5.0}
FLOOR = (0.99, 0.99, 0.4, 0.5)
MEASURED = ("commit", "versions", "config_text")  # of this machine
COSTS = ("seconds", "peak_memory", "denoiser_evaluations", "backward_passes", "load")
METRICS = ("accuracy_guide", "accuracy_judge", "fd_judge", "cfd_judge")
SENSITIVITY = {  # level at every t, and how it grows with t
    ("clean", "raw", "none"): (10.0, 0.0),
    ("clean", "x0", "none"): (4.0, 0.0),
    ("noise_trained", "raw", "none"): (1.0, 0.0),
    ("clean", "x0", "ema0.9"): (2.0, 0.0),
    ("clean", "x0", "ema0.99"): (0.9, 0.0),
    ("clean", "x0", "adam"): (3.0, 0.02),
}


def accuracy(curve: tuple[str, str, str], t: int) -> float:
    """Falls to chance by 0.3 T (clean/raw), slowly (clean/x0), hardly (noise-trained)."""
    ends = {"clean": {"raw": 0.3, "x0": 0.9}, "noise_trained": {"raw": 3.0, "x0": 1.2}}
    end = ends[curve[0]][curve[1]]
    return 0.25 + 0.73 * max(0.0, 1 - (t / T / end) ** 2)


def results(name: str, noise: float = 0.0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Result rows and jackknife replicates; `noise` is the spread of the replicates."""
    rows, blocks = [], []
    generator = np.random.default_rng(0)
    cells = [
        (setup, scale, level)
        for setup, (*_, scales) in SETUPS.items()
        for scale, level in zip(scales or [np.nan], LEVELS[setup], strict=True)
    ]
    for setup, scale, level in [*cells, ("floor", np.nan, FLOOR)]:
        for split, n in (("selection", N // 2), ("evaluation", N)):
            if (setup, split) == ("floor", "selection"):
                continue
            common = {"dataset": name, "setup": setup, "scale": scale, "split": split}
            measured = dict(zip(METRICS, map(float, level), strict=True)) | {
                "diverged": 0.0,
                "seconds": 0.02 if setup == "unguided" else 0.05,
                "peak_memory": 900.0,
                "denoiser_evaluations": 50.0,
                "load": 1.5,
                "backward_passes": 50.0 if "x0" in setup else 0.0,
            }
            for metric, value in measured.items():
                se = np.sqrt(value * (1 - value) / n) if metric.startswith("acc") else 0.02 * value
                score = {"seed": 1, "metric": metric, "value": value, "se": se, "n": n}
                reference = "2000 training images" if "fd" in metric else ""
                rows.append(common | score | {"extractor": "judge", "reference": reference})
            for metric in METRICS:
                wobble = generator.normal(size=K) * (0.002 + noise) * max(measured[metric], 0.1)
                blocks += [
                    common | {"metric": metric, "block": block, "value": measured[metric] + by}
                    for block, by in enumerate(wobble)
                ]
    return pd.DataFrame(rows), pd.DataFrame(blocks)


def row(values: np.ndarray) -> dict[str, Any]:
    """What the table of sensitivities says of the values of all images."""
    return {"mean": values.mean(), "sd": values.std(ddof=1), "n": len(values), "values": values}


def sensitivity(name: str) -> pd.DataFrame:
    """Curves along t of 512 (accuracy) or 32 images, which differ more than the curves do."""
    rows = []
    generator = np.random.default_rng(1)
    base = np.exp(generator.normal(size=32))
    for curve, (level, growth) in SENSITIVITY.items():
        common = dict(
            zip(("dataset", "classifier", "input", "stabilizer"), (name, *curve), strict=True)
        )
        own = base * np.exp(0.05 * generator.normal(size=32))
        for t in TIMES:
            value = level * np.exp(growth * t) * own
            found = {
                "grad_sensitivity": value,
                "grad_cosine": 1 / (1 + value / 10),
                "grad_relative": value / 3,
                "update_norm": 5.0 / level * own,
            }
            if curve[2] == "none":
                correct = np.arange(512) < round(512 * accuracy(curve, t))
                found |= {"logit_sensitivity": 2 * value, "accuracy": correct.astype(float)}
            rows += [
                common | {"t": t, "quantity": quantity} | row(values)
                for quantity, values in found.items()
            ]
    alone = ("noise_trained", "x0", "none")  # it guides on x_t: of x0_pred its accuracy alone
    for t in TIMES:
        correct = (np.arange(512) < round(512 * accuracy(alone, t))).astype(float)
        common = dict(zip(("classifier", "input", "stabilizer"), alone, strict=True))
        rows.append(common | {"dataset": name, "t": t, "quantity": "accuracy"} | row(correct))
    return pd.DataFrame(rows)


def tables(*names: str, noise: float = 0.0) -> Tables:
    """Tables of one or more data sets with the same numbers."""
    names = names or ("balls",)
    measured = [results(name, noise) for name in names]
    models = {"denoiser": 1.0, "clean": 1.4, "noise_trained": 1.4, "judge": 1.4}
    facts = {
        "data": {"source": "sportballs", "size": 32, "scale": [0.6, 0.9]},
        "paper_compat": [],
        "corrected": None,
        "target": "baseball",
        "classes": ["baseball", "basketball", "volleyball", "soccer ball"],
        "chance": 0.25,
        "schedule": "ddpm_linear",
        "rescaled": True,
        "timesteps": T,
        "terminal_snr": 0.0175,
        "steps": 50,
        "variance_ratios": {"0.1": 0.282, "1": 0.753},
        "sampler": "ancestral",
        "n": N,
        "n_selection": N // 2,
        "n_chosen": N,
        "finalists": None,
        "image_size": 32,
        "channels": 3,
        "cut": None,
        "train": 4000,
        "validation": 1000,
        "denoiser_parameters": 262531,
        "trained": {"clean": "clean", "noise_trained": "noise_trained", "judge": "clean"},
        "stabilizers": {
            "ema0.9": {"name": "ema", "beta": 0.9, "variant": {}},
            "ema0.99": {"name": "ema", "beta": 0.99, "variant": {}},
            "adam": {"name": "adam", "beta": 0.9, "variant": {}},
        },
        "setups": {
            setup: dict(
                zip(("kind", "classifier", "input", "stabilizer", "scales"), entry, strict=True)
            )
            | {
                "stabilizer_options": ADAM | {"beta": 0.99 if setup.endswith("0.99") else 0.9},
                "asked": entry[0] != "unguided",
                "variant": {},
                "clip_gradient": "straight_through" if entry[2] == "x0" else None,
            }
            for setup, entry in SETUPS.items()
        },
    }
    return Tables(
        results=pd.concat([first for first, _ in measured], ignore_index=True),
        jackknife=pd.concat([second for _, second in measured], ignore_index=True),
        sensitivity=pd.concat([sensitivity(name) for name in names], ignore_index=True),
        classifiers=pd.DataFrame(
            {"dataset": name, "classifier": model, "architecture": "small_cnn"}
            for name in names
            for model in models
            if model != "denoiser"
        ).assign(accuracy=0.98, se=0.004, n=1000, parameters=61234),
        history=pd.DataFrame(
            {"dataset": name, "model": model, "step": step, "quantity": "loss"}
            | {"value": start * np.exp(-step / 400) + 0.05 + 0.01 * (step * 7919 % 13)}
            for name in names
            for model, start in models.items()
            for step in range(0, 1000, 10)
        ),
        costs=pd.DataFrame(
            {"stage": stage, "dataset": name, "job": name, "seconds": seconds}
            for name in names
            for stage, seconds in SECONDS.items()
        ).assign(peak_memory_mib=800.0, device="cpu"),
        summary={
            "name": "demo",
            "seed": 1,
            "description": "Synthetic numbers.",
            "commit": "abc123",
            "versions": {"torch": "2.15.0"},
            "config_text": "name: demo\nseed: 1\n",
            "datasets": {name: copy.deepcopy(facts) for name in names},
        },
    )


def write(found: Tables, folder: Path) -> None:
    """Write tables as stage `collect` does."""
    folder.mkdir(parents=True, exist_ok=True)
    frames = {name: value for name, value in vars(found).items() if name != "summary"}
    costs = frames["results"].metric.isin(COSTS)
    frames |= {"cell_costs": frames["results"][costs], "results": frames["results"][~costs]}
    for name, frame in frames.items():
        frame.to_parquet(folder / f"{name}.parquet", index=False)
    parts: dict[str, dict[str, Any]] = {"summary": {}, "environment": {}}
    for key, value in found.summary.items():
        parts["environment" if key in MEASURED else "summary"][key] = value
    for name, part in parts.items():
        (folder / f"{name}.json").write_text(json.dumps(part))


def pictures(path: Path, found: Tables, dataset: str) -> Path:
    """Write a pictures file with random balls."""
    generator = np.random.default_rng(2)
    facts = found.facts(dataset)
    shape = (facts["channels"], facts["image_size"], facts["image_size"])

    def some(count: int) -> np.ndarray:
        y, x = np.mgrid[: shape[1], : shape[1]]
        images = np.full((count, *shape), 255, np.uint8)
        for image in images:
            cy, cx = generator.uniform(10, shape[1] - 10, 2)
            inside = (y - cy) ** 2 + (x - cx) ** 2 < generator.uniform(5, 10) ** 2
            image[:, inside] = generator.integers(0, 255, (shape[0], 1))
        return images

    arrays = {
        "real": some(64),
        "target": some(16),
        "forward": some(8),
        "embedding": np.cos(np.outer(np.arange(T), 10.0 ** -np.linspace(0, 4, 8))),
        "embedding_t": np.arange(float(T)),
        "forward_t": np.linspace(0, T - 1, 8).round().astype(int),
    }
    for setup, (*_, scales) in SETUPS.items():
        for scale in scales or [None]:
            name = "none" if scale is None else f"{scale:g}"
            arrays[f"sample:{setup}:{name}"] = some(24)
            arrays[f"film:{setup}:{name}"] = some(3 * 6 * 2).reshape(3, 6, 2, *shape)
    for cell in chosen.beside(found, dataset):
        arrays[f"first:{cell.key}"] = some(facts["n"])
    arrays["judged"] = np.arange(facts["n"]) % len(facts["classes"])
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)
    return path
