"""Mistakes in an experiment file: an edit of the smoke experiment, and what is said of it."""

import math
from typing import Any, NamedTuple

from conftest import DELETE

S, M = ("datasets", "sportballs"), ("datasets", "mnist")
RAW, ADAM = (*S, "setups", "clean/raw"), (*S, "setups", "clean/x0+adam")


class Case(NamedTuple):
    """An edit of the smoke experiment, and what the line about it says."""

    path: tuple[str, ...]
    value: Any
    found: str
    allowed: str
    key: str = ""  # where the line is about another key than the edited one


CELEBA = {"source": "celeba", "root": "faces", "attribute": None, "size": 16}
CASES = {
    "unknown key": Case(("nam",), "x", "did you mean name?", "threads"),
    "unknown key in metrics": Case(
        ("metrics", "jackknife_block"), 4, "did you mean jackknife_blocks?", "inception"
    ),
    "unknown key two deep": Case(
        ("metrics", "inception", "weight"), "x", "did you mean weights?", "sha256"
    ),
    "unknown key of a data set": Case((*S, "targt"), 1, "did you mean target?", "setups"),
    "unknown key of data": Case((*S, "data", "sise"), 16, "did you mean size?", "canvas"),
    "key of another source": Case((*M, "data", "size"), 28, "unknown key", "download"),
    "unknown key of the denoiser": Case(
        (*S, "denoiser", "batchsize"), 8, "did you mean batch_size?", "flip"
    ),
    "unknown key of a classifier": Case(
        (*S, "classifiers", "clean", "hiden"), 8, "did you mean hidden?", "half"
    ),
    "unknown key of a setup": Case((*RAW, "scale"), [1], "did you mean scales?", "input"),
    "unknown key of a stabilizer": Case(
        (*ADAM, "stabilizer", "betta1"), 0.9, "did you mean beta1?", "per_step"
    ),
    "text for an integer": Case((*S, "denoiser", "steps"), "40", '"40"', "integer, above 0"),
    "too small where null is allowed": Case(
        (*S, "classifiers", "clean", "warmup"), -1, "-1", "integer, at least 0 or null"
    ),
    "boolean for an integer": Case((*S, "denoiser", "steps"), True, "true", "integer, above 0"),
    "list for a number": Case(("seed",), [1], "[1]", "integer, at least 0"),
    "fraction for an integer": Case((*S, "data", "train"), 1.5, "1.5", "integer, at least 2"),
    "a clip that the sampler cannot see": Case(
        (*S, "sampling"),
        {"sampler": "heun", "steps": 4, "recompute_eps": False},
        "false",
        "true: with heun clip needs it",
        "sampling.recompute_eps",
    ),
    "number for a boolean": Case((*S, "sampling", "clip"), 1, "1", "true or false"),
    "number for a list": Case((*RAW, "scales"), 3, "3", "list of numbers"),
    "text in a list": Case(
        (*S, "denoiser", "channels"), [8, "a"], '"a"', "integer", "denoiser.channels.1"
    ),
    "empty section": Case((*S, "classifiers", "clean"), None, "null", "keys and values"),
    "section that is text": Case((*S, "data"), "balls", '"balls"', "keys and values"),
    "list of the wrong length": Case((*S, "data", "scale"), [0.8], "[0.8]", "list of 2 numbers"),
    "boolean for a choice": Case(
        (*S, "denoiser", "mixed_precision"), False, "false", "no, tf32, bf16"
    ),
    "number for a name": Case(("name",), 202410, "202410", "a name of letters, digits, _ . and -"),
    "number for text": Case(("description",), 5, "5", "text (in quotes)"),
    "negative size": Case((*S, "data", "size"), -16, "-16", "at least 8 and at most 1024"),
    "zero steps": Case((*S, "denoiser", "steps"), 0, "0", "above 0"),
    "negative scale": Case((*RAW, "scales"), [-1], "-1", "at least 0", "setups.clean/raw.scales.0"),
    "nan": Case((*S, "denoiser", "learning_rate"), math.nan, "NaN", "finite number, above 0"),
    "a rate that float32 does not hold": Case(
        (*S, "denoiser", "learning_rate"), 1e39, "1e+39", "above 0 and at most 1e+30"
    ),
    "inf": Case((*RAW, "temperature"), math.inf, "Infinity", "finite number, above 0"),
    "momentum of one": Case((*ADAM, "stabilizer", "beta1"), 1.0, "1.0", "below 1"),
    "unknown data set": Case(
        (*S, "data", "source"), "cifar", '"cifar"', "sportballs, mnist, fashion_mnist, celeba"
    ),
    "no source": Case((*S, "data", "source"), DELETE, "nothing", "sportballs, mnist"),
    "no setups": Case((*S, "setups"), DELETE, "nothing", "named entries"),
    "a radius at which all is gray": Case(
        (*S, "classifiers", "clean", "adversarial"),
        {"norm": "linf", "radius": 1.0},
        "1.0",
        "below 1, where every image can become gray (linf)",
        "classifiers.clean.adversarial.radius",
    ),
    "the same of the L2 norm": Case(
        (*S, "sensitivity", "attack"),
        {"radius": 30},
        "30.0",
        "below 27.7128, where every image can become gray (l2)",  # root of 3 * 16 * 16
        "sensitivity.attack.radius",
    ),
    "the same of gray images": Case(
        (*M, "sensitivity", "attack"),
        {"radius": 30},
        "30.0",
        "below 28, where every image can become gray (l2)",
        "sensitivity.attack.radius",
    ),
    "a step wider than the ball": Case(
        (*S, "classifiers", "clean", "adversarial"),
        {"radius": 1.0, "step_size": 2.5},
        "2.5",
        "at most twice the radius (2)",
        "classifiers.clean.adversarial.step_size",
    ),
    "no radius": Case(
        (*S, "classifiers", "clean", "adversarial"),
        {"norm": "l2"},
        "nothing",
        "number, above 0",
        "classifiers.clean.adversarial.radius",
    ),
    "an unknown norm": Case(
        (*S, "classifiers", "clean", "adversarial"),
        {"norm": "l1", "radius": 1.0},
        '"l1"',
        "l2, linf",
        "classifiers.clean.adversarial.norm",
    ),
    "attacks on noise": Case(
        (*S, "classifiers", "noise_trained", "adversarial"),
        {"radius": 1.0},
        "an attack",
        "null with noise_trained",
    ),
    "an attacked judge": Case(
        (*S, "classifiers", "judge", "adversarial"), {"radius": 1.0}, "an attack", "null"
    ),
    "an image for each half of each class": Case(
        (*S, "data", "train"), 15, "15", "at least 16: four of each of 4 classes"
    ),
    "an image of each class": Case(
        (*M, "data", "validation"), 9, "9", "at least 10: one of each of 10 classes"
    ),
    "one class": Case(
        (*S, "data"),
        {
            "source": "digits:write_digits",
            "classes": ["a"],
            "size": 16,
            "train": 8,
            "validation": 8,
        },
        "['a']",
        "at least two different names",
        "data.classes",
    ),
    "a class twice": Case(
        (*S, "data"),
        {
            "source": "digits:write_digits",
            "classes": ["a", "b", "a"],
            "size": 16,
            "train": 8,
            "validation": 8,
        },
        "['a', 'b', 'a']",
        "two different names",
        "data.classes",
    ),
    "a class named as all of them": Case(
        (*S, "data"),
        {
            "source": "digits:write_digits",
            "classes": ["a", "each"],
            "size": 16,
            "train": 8,
            "validation": 8,
        },
        "['a', 'each']",
        "other names than each: as a",
        "data.classes",
    ),
    "no data sets": Case(("datasets",), {}, "none", "at least one data set"),
    "unknown sampler": Case((*S, "sampling", "sampler"), "huen", '"huen"', "dpmpp_2m, heun"),
    "unknown stabilizer": Case((*ADAM, "stabilizer", "name"), "adm", '"adm"', "none, ema, adam"),
    "unknown guidance": Case((*RAW, "guidance"), "clasifier", '"clasifier"', "none, classifier"),
    "stabilizer's module missing": Case(
        (*ADAM, "stabilizer", "name"), "nosuch:Thing", "nosuch:Thing (no such module)", "import"
    ),
    "stabilizer's package missing": Case(
        (*ADAM, "stabilizer", "name"), "no.such:Thing", "No module named 'no'", "import"
    ),
    "stabilizer's class missing": Case(
        (*ADAM, "stabilizer", "name"), "json:Thing", "no Thing in json", "import"
    ),
    "analysed stabilizer missing": Case(
        (*S, "sensitivity", "stabilizers", "own"),
        {"name": "nosuch:Thing"},
        "nosuch:Thing",
        "import",
        "sensitivity.stabilizers.own.name",
    ),
    "data set's module missing": Case(
        (*S, "data"),
        {"source": "nosuch:Thing", "train": 8, "validation": 8},
        "nosuch:Thing",
        "import",
        "data.source",
    ),
    "classifier not defined": Case(
        (*RAW, "classifier"), "dirty", "dirty", "not the judge (clean, noise_trained)"
    ),
    "classifier not named": Case((*RAW, "classifier"), None, "nothing", "clean, noise_trained"),
    "guided by the judge": Case((*RAW, "classifier"), "judge", "judge", "clean, noise_trained"),
    "classifier without guidance": Case(
        (*S, "setups", "unguided", "classifier"), "clean", "clean", "unless guidance is classifier"
    ),
    "unknown architecture": Case(
        (*S, "classifiers", "clean", "architecture"),
        "resnet19",
        "did you mean resnet",
        "small_cnn, small_resnet, a torchvision classifier or module:attribute of your own",
    ),
    "class that does not exist": Case((*S, "target"), "tennis", "'tennis'", "baseball, basketball"),
    "digit that does not exist": Case((*M, "target"), 10, "'10'", "7, 8, 9"),
    "no target": Case((*S, "target"), DELETE, "nothing", "baseball, basketball"),
    "target of the wrong kind": Case((*S, "target"), [1], "[1]", "text or integer"),
    "guidance without labels": Case(
        (*S, "data"),
        CELEBA,
        "classifier",
        "none (a data set without labels)",
        "setups.clean/raw.guidance",
    ),
    "target without labels": Case(
        (*S, "data"), CELEBA, "'baseball'", "null (a data set without labels)", "target"
    ),
    "cfg without dropout": Case(
        (*M, "denoiser", "condition_dropout"),
        DELETE,
        "cfg",
        "only with denoiser.condition",
        "setups.cfg.guidance",
    ),
    "more steps than T": Case(
        (*S, "sampling", "steps"), 101, "101", "at most schedule.timesteps (100)"
    ),
    "more pairs than T": Case(
        (*S, "sensitivity", "steps"), 101, "101", "at most schedule.timesteps (100)"
    ),
    "betas that fall": Case((*S, "schedule", "beta_start"), 0.5, "0.5", "at most beta_end (0.02)"),
    "beta of zero": Case((*S, "schedule", "beta_start"), 0.0, "0.0", "above 0"),
    "size not divisible": Case(
        (*S, "denoiser", "channels"), [8] * 6, "6 levels", "image side (16)"
    ),
    "patch not a divisor": Case(
        (*S, "denoiser", "patch"), 3, "3", "a divisor of the image side (16)"
    ),
    "size of patches not divisible": Case(
        (*S, "denoiser"),
        {"channels": [8] * 4, "patch": 4},
        "4 levels",
        "image side (16) / patch (4)",
        "denoiser.channels",
    ),
    "channels and groups": Case(
        (*S, "denoiser", "norm_groups"), 3, "[8, 16]", "norm_groups (3)", "denoiser.channels"
    ),
    "attention per level": Case((*S, "denoiser", "attention"), [True], "[True]", "2 values"),
    "attention heads": Case(
        (*S, "denoiser"),
        {"channels": [8, 16], "attention": [False, True], "head_dim": 12},
        "12",
        "divisor",
        "denoiser.head_dim",
    ),
    "canvas": Case((*S, "data", "canvas"), 65, "65", "a multiple of data.size (16)"),
    "scale range": Case((*S, "data", "scale"), [0.8, 0.5], "[0.8, 0.5]", "low <= high <= 1"),
    "diameters above the side": Case(
        (*S, "data", "diameters"), [4, 17], "[4, 17]", "at most data.size (16)"
    ),
    "no diameter": Case((*S, "data", "diameters"), [], "[]", "at least 1 of them"),
    "balls without a pixel": Case(
        (*S, "data", "scale"), [0.05, 0.5], "[0.05, 0.5]", "0.0625 (a pixel) <= low <= high <= 1"
    ),
    "offsets that fall": Case((*S, "data", "offsets"), [3, 1], "[3, 1]", "0 <= low <= high <= 4"),
    "offsets below zero": Case((*S, "data", "offsets"), [-1, 1], "[-1, 1]", "0 <= low <= high"),
    "offsets out of the picture": Case(
        (*S, "data"),
        {"source": "sportballs", "size": 16, "canvas": 16, "diameters": [4, 9], "offsets": [0, 8]},
        "[0, 8]",
        "0 <= low <= high <= 7, so that the largest ball is in the picture",
        "data.offsets",
    ),
    "a crop that is no number": Case(
        (*S, "data"), CELEBA | {"crop": "squish"}, '"squish"', "squash", "data.crop"
    ),
    "a filter that there is not": Case(
        (*S, "data"), CELEBA | {"resize": "cubic"}, '"cubic"', "bicubic, bilinear", "data.resize"
    ),
    "a split that there is not": Case(
        (*S, "data"), CELEBA | {"split": "person"}, '"person"', "official, identity", "data.split"
    ),
    "a folder without numbers of images": Case(
        (*S, "data"), {"source": "folder", "root": "x"}, "nothing", "integer", "data.train"
    ),
    "a table without an attribute": Case(
        (*S, "data"),
        {
            "source": "folder",
            "root": "x",
            "table": "t.csv",
            "attribute": None,
            "size": 16,
            "train": 16,
            "validation": 16,
        },
        "t.csv",
        "null without data.attribute",
        "data.table",
    ),
    "mean injection with ddim": Case(
        (*S, "sampling", "sampler"),
        "ddim",
        "mean",
        "score (ddim has no posterior mean",
        "setups.clean/raw.injection",
    ),
    "a mean that a setup's own sampler lacks": Case(
        (*S, "setups", "clean/raw", "sampler"),
        "heun",
        "mean",
        "score (heun has no posterior mean",
        "setups.clean/raw.injection",
    ),
    "a mean that one of its samplers lacks": Case(
        (*S, "setups", "clean/raw", "vary"),
        {"sampler": ["ancestral", "ddim", "heun"]},
        "mean",
        "score (ddim has no posterior mean",
        "setups.clean/raw.injection",
    ),
    "a setup's own sampler that is not there": Case(
        (*S, "setups", "unguided", "sampler"), "nowhere:jump", "no such module", "module:attribute"
    ),
    "a scale that no axis shows": Case(
        (*RAW, "scales"), [1e-40, 1.0], "[1e-40]", "0, or at least 1e-30", "setups.clean/raw.scales"
    ),
    "a scale beyond float32": Case(
        (*RAW, "scales"), [1e300], "1e+300", "at most 1e+30", "setups.clean/raw.scales.0"
    ),
    "a sampler twice": Case(
        (*S, "setups", "unguided", "vary"),
        {"sampler": ["ddim", "ddim"]},
        "['ddim', 'ddim']",
        "each once",
        "setups.unguided.vary.sampler",
    ),
    "more steps than there are": Case(
        (*S, "setups", "unguided", "vary"),
        {"steps": [10, 10_000]},
        "10000",
        "at most schedule.timesteps",
        "setups.unguided.vary.steps",
    ),
    "eta that only a sampler reads which nobody asks for": Case(
        (*S, "sampling", "eta"), 0.5, "0.5", "0.0, unless sampler is ddim"
    ),
    "a name with an @": Case(
        (*S, "setups"),
        {"unguided": {}, "unguided@ddim": {"sampler": "ddim"}},
        "'unguided@ddim'",
        "names like clean",
        "setups.unguided@ddim",
    ),
    "an own sampler that is not there": Case(
        (*S, "sampling", "sampler"), "nowhere:jump", "no such module", "module:attribute"
    ),
    "an own metric that is not there": Case(
        ("metrics", "own"),
        {"mine": {"name": "json:nothing"}},
        "no nothing in json",
        "module:attribute",
        "mine.name",
    ),
    "an own metric that is no plug-in": Case(
        ("metrics", "own"), {"mine": {"name": "fid"}}, '"fid"', "own", "mine.name"
    ),
    "an own metric of features that there are not": Case(
        ("metrics", "own"),
        {"mine": {"name": "json:dumps", "of": "inception"}},
        "inception",
        "judge or images, unless metrics.inception has weights",
        "mine.of",
    ),
    "an own metric with the name of ours": Case(
        ("metrics", "own"),
        {"fid": {"name": "json:dumps"}},
        "'fid'",
        "none of backward_passes",
        "fid",
    ),
    "an own metric that is taken for a share": Case(
        ("metrics", "own"),
        {"accuracy_mine": {"name": "json:dumps"}},
        "'accuracy_mine'",
        "nor one that begins with accuracy_",
        "accuracy_mine",
    ),
    "an own metric with a space": Case(
        ("metrics", "own"),
        {"my own": {"name": "json:dumps"}},
        "'my own'",
        "letters",
        "my own",
    ),
    "the same scale twice": Case((*RAW, "scales"), [1, 1.0], "[1.0, 1.0]", "each scale once"),
    "guided without scales": Case((*RAW, "scales"), [], "none", "at least one"),
    "unguided with scales": Case(
        (*S, "setups", "unguided", "scales"), [1], "[1.0]", "none without guidance"
    ),
    "evaluation and blocks": Case(
        (*S, "sampling", "evaluation"), 18, "18", "multiple of metrics.jackknife_blocks (4)"
    ),
    "finalists and blocks": Case(
        (*S, "sampling", "finalists"),
        {"evaluation": 22},
        "22",
        "sampling.evaluation (16) and a multiple of 4, the jackknife's blocks, more",
        "sampling.finalists.evaluation",
    ),
    "finalists with fewer seeds": Case(
        (*S, "sampling", "finalists"),
        {"evaluation": 16},
        "16",
        "sampling.evaluation (16) and a multiple of 4, the jackknife's blocks, more",
        "sampling.finalists.evaluation",
    ),
    "selection and blocks": Case(
        (*S, "sampling", "selection"), 6, "6", "multiple of metrics.jackknife_blocks (4)"
    ),
    "no judge": Case(
        (*S, "classifiers", "judge"), DELETE, "no judge", "must be named judge", "classifiers"
    ),
    "judge of the same architecture": Case(
        (*S, "classifiers", "judge", "architecture"),
        "small_cnn",
        "small_cnn",
        "another architecture than the judge's",
        "classifiers.clean.architecture",
    ),
    "outputs that are not the classes": Case(
        (*S, "classifiers", "clean"),
        {"architecture": "resnet18", "checkpoint": "a.pth", "outputs": [3, 8]},
        "[3, 8]",
        "4 different numbers, one for each of baseball, basketball",
        "classifiers.clean.outputs",
    ),
    "an output twice": Case(
        (*S, "classifiers", "clean"),
        {"architecture": "resnet18", "checkpoint": "a.pth", "outputs": [3, 8, 3, 1]},
        "[3, 8, 3, 1]",
        "4 different numbers",
        "classifiers.clean.outputs",
    ),
    "a checkpoint of another kind": Case(
        (*S, "classifiers", "clean"),
        {"architecture": "resnet18", "checkpoint": "a.onnx"},
        "a.onnx",
        ".safetensors, .pt, .pth, .bin, .ckpt, .tar",
        "classifiers.clean.checkpoint",
    ),
    "a mean without a deviation": Case(
        (*S, "classifiers", "clean", "mean"),
        [0.5, 0.5, 0.5],
        "null",
        "three numbers, beside mean",
        "classifiers.clean.std",
    ),
    "a mean of one channel": Case(
        (*S, "classifiers", "clean", "mean"), [0.5], "[0.5]", "list of 3 numbers"
    ),
    "a judge's checkpoint of a guide's architecture": Case(
        (*S, "classifiers", "judge"),
        {"architecture": "small_cnn", "checkpoint": "a.pth"},
        "small_cnn",
        "another architecture than the judge's",
        "classifiers.clean.architecture",
    ),
    "judge on the same half": Case(
        (*S, "classifiers", "judge", "half"),
        "first",
        "first",
        "another half than the judge's",
        "classifiers.clean.half",
    ),
    "judge trained on noise": Case(
        (*S, "classifiers", "judge", "noise_trained"), True, "true", "false"
    ),
    "more digits than the package has": Case((*M, "data", "train"), 4900, "4900", "5000 together"),
    "all digits without a folder": Case((*M, "data", "train"), None, "null", "data.root"),
    "fashion without a folder": Case(
        (*M, "data", "source"), "fashion_mnist", "null", "a folder", "data.root"
    ),
    "download without a folder": Case(
        (*M, "data", "download"), True, "null", "folder to download into", "data.root"
    ),
    "no inception weights": Case(
        ("metrics", "inception", "weights"), "nope.pth", "nope.pth", "an existing file"
    ),
    "not a sha256": Case(("metrics", "inception", "sha256"), "abc", '"abc"', "64 hex digits"),
    "name is a path": Case(("name",), "../x", '"../x"', "no path"),
    "name of a file in results": Case(("name",), "mlflow.db", "mlflow.db", "results/"),
    "data set is a path": Case(("datasets", "../x"), {}, "'../x'", "letters, digits, _ and -"),
    "data set is a results folder": Case(("datasets", "tables"), {}, "'tables'", "none of"),
    "classifier is a path": Case(
        (*S, "classifiers", "../x"), {"half": "first"}, "'../x'", "letters, digits, _ and -"
    ),
    "setup is a path": Case((*S, "setups", "../x"), {}, "'../x'", "names like clean"),
    "setup climbs out": Case((*S, "setups", "clean/.."), {}, "'clean/..'", "names like clean"),
    "setup called floor": Case((*S, "setups", "floor"), {}, "'floor'", "none of floor"),
    "setup above another": Case((*S, "setups", "clean"), {}, "setups below clean/", "folder"),
}
