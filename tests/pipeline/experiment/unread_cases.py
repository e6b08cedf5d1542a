"""Keys that nothing reads where they stand."""

from mistake_cases import ADAM, RAW, Case, M, S
from world_cases import _world

CFG, UNGUIDED = (*M, "setups", "cfg"), (*S, "setups", "unguided")
DENOISER, SAMPLING, SENSITIVITY = (*S, "denoiser"), (*S, "sampling"), (*S, "sensitivity")
CLEAN, DIGITS = (*S, "classifiers", "clean"), (*M, "data")
CHECKPOINT = {"architecture": "resnet18", "checkpoint": "clean.pth"}
OWN = {"guidance": "json:loads", "scales": [1]}
GUIDED = {"guidance": "classifier", "classifier": "clean", "scales": [1]}


def _in(path: tuple[str, ...], value: object, key: str, found: str, allowed: str) -> Case:
    """A section, and its key that the line is about."""
    return Case(path, value, found, allowed, ".".join((*path[2:], key)))


def _own(key: str, value: object, found: str, allowed: str) -> Case:
    return _in((*S, "setups", "own"), OWN | {key: value}, key, found, allowed)


CASES = {
    "a scale beside diameters": _in(
        (*S, "data"),
        {"source": "sportballs", "size": 16, "canvas": 16, "scale": [0.2, 0.3], "diameters": [4]},
        "scale",
        "[0.2, 0.3]",
        "[0.4, 0.7], unless diameters is null or left out",
    ),
    "stabilizer beside cfg": Case(
        (*CFG, "stabilizer"), {"name": "ema"}, "'ema'", "nothing, unless guidance is classifier"
    ),
    "input beside cfg": Case((*CFG, "input"), "x0", "x0", "raw, unless guidance is classifier"),
    "temperature beside cfg": Case((*CFG, "temperature"), 0.5, "0.5", "1.0, unless guidance is"),
    "injection beside none": Case((*UNGUIDED, "injection"), "score", "score", "mean, unless"),
    "interval beside none": Case(
        (*UNGUIDED, "interval"), [0, 0.5], "[0.0, 0.5]", "unless guidance is classifier or cfg"
    ),
    "ramp beside an own guide": _own("ramp", "rising", "rising", "constant, unless guidance is"),
    "interval beside an own guide": _own("interval", [0, 0.5], "[0.0, 0.5]", "[0.0, 1.0], unless"),
    "stabilizer beside an own guide": _own("stabilizer", {"name": "adam"}, "'adam'", "classifier"),
    "injection beside an own guide": _own("injection", "score", "score", "mean, unless"),
    "temperature beside an own guide": _own("temperature", 2.0, "2.0", "1.0, unless"),
    "a label beside an own guide": _in(
        (*M, "setups", "own"),
        OWN | {"conditional": True},
        "conditional",
        "true",
        "false, unless guidance is none or classifier or cfg",
    ),
    "hold beside raw": Case((*RAW, "hold"), "eps", "eps", "v, unless input is x0_frozen"),
    "hold beside x0": Case((*ADAM, "hold"), "eps", "eps", "v, unless input is x0_frozen"),
    "switches beside cfg": Case(
        (*CFG, "paper_compat"),
        ["raw_logit"],
        "['raw_logit']",
        "nothing, unless guidance is classifier",
    ),
    "switches beside an own guide": _own("paper_compat", ["raw_logit"], "['raw_logit']", "unless"),
    "a state that no stabilizer carries": Case(
        (*RAW, "paper_compat"),
        ["carried_state"],
        "carried_state",
        "it only beside a stabilizer that keeps a state",
    ),
    "a state that norm_clip does not keep": _in(
        ADAM,
        GUIDED | {"stabilizer": {"name": "norm_clip"}, "paper_compat": ["carried_state"]},
        "paper_compat",
        "carried_state",
        "it only beside a stabilizer that keeps a state",
    ),
    "a switch twice": Case(
        (*RAW, "paper_compat"), ["raw_logit"] * 2, "raw_logit, raw_logit", "each switch once"
    ),
    "an unknown switch": _in(
        (*RAW, "paper_compat"),
        ["raw_logits"],
        "0",
        '"raw_logits"',
        "raw_logit, carried_state, half_precision",
    ),
    "an unknown switch of the metrics": Case(
        ("metrics", "paper_compat"), ["fid"], '"fid"', "drawn_reference", "0"
    ),
    "one draw of digits": Case((*DIGITS, "paper_compat"), ["one_draw"], "unknown key", "download"),
    "a switch of the images twice": Case(
        (*S, "data", "paper_compat"), ["one_draw"] * 2, "one_draw, one_draw", "each switch once"
    ),
    "a switch of a training twice": Case(
        (*DENOISER, "paper_compat"),
        ["validation_images"] * 2,
        "validation_images, validation_images",
        "each switch once",
    ),
    "a switch of the metrics twice": Case(
        ("metrics", "paper_compat"), ["drawn_reference"] * 2, "drawn_reference", "each switch once"
    ),
    "an unknown switch of the analysis": _in(
        (*SENSITIVITY, "paper_compat"),
        ["raw_logit"],
        "0",
        '"raw_logit"',
        "same_time, shared_state, clean_at_zero",
    ),
    "a switch in a world": _world(
        "setups",
        {"raw": GUIDED | {"paper_compat": ["raw_logit"]}},
        "raw_logit",
        "nothing in a world",
        "setups.raw.paper_compat",
    ),
    "a clip's gradient in a world": _world(
        "setups",
        {"x0": GUIDED | {"input": "x0", "clip_gradient": "zero"}},
        "zero",
        "nothing in a world: its x0_pred is not clipped",
        "setups.x0.clip_gradient",
    ),
    "a setup's gradient of a clip on x_t": Case(
        (*RAW, "clip_gradient"), "zero", "zero", "nothing, unless input is x0 or x0_frozen"
    ),
    "a shared state without stabilizers": _in(
        SENSITIVITY,
        {"paper_compat": ["shared_state"]},
        "paper_compat",
        "shared_state",
        "it only with sensitivity.stabilizers",
    ),
    "a clean t = 0 that is not reported": Case(
        (*SENSITIVITY, "paper_compat"),
        ["clean_at_zero"],
        "clean_at_zero",
        "it only with sensitivity.steps: 100, which reach t = 0",
    ),
    "ema's beta beside adam": Case(
        (*ADAM, "stabilizer", "beta"), 0.5, "0.5", "0.9, unless name is ema or nesterov or rmsprop"
    ),
    "adam's eps beside ema": _in(
        (*RAW, "stabilizer"), {"name": "ema", "eps": 1e-8}, "eps", "1e-08", "unless name is adam"
    ),
    "options of our own stabilizer": Case(
        (*ADAM, "stabilizer", "options"), {"a": 1}, "['a']", "module:attribute"
    ),
    "keys of no stabilizer": _in(
        (*RAW, "stabilizer"),
        {"per_step": "literal"},
        "per_step",
        "literal",
        "full_grid, unless name is",
    ),
    "an analysed stabilizer's": _in(
        (*S, "sensitivity", "stabilizers", "ema0.9"),
        {"name": "ema", "beta1": 0.5},
        "beta1",
        "0.5",
        "0.9, unless name is adam",
    ),
    "eta beside ancestral": Case((*SAMPLING, "eta"), 1.0, "1.0", "unless sampler is ddim"),
    "options of our own sampler": Case(
        (*SAMPLING, "options"), {"a": 1}, "['a']", "unless sampler is module:attribute"
    ),
    "recompute_eps beside ancestral": Case(
        (*SAMPLING, "recompute_eps"), False, "false", "true, unless sampler is euler_maruyama"
    ),
    "gradient of no clip": _in(
        SAMPLING,
        {"steps": 4, "clip": False, "clip_gradient": "zero"},
        "clip_gradient",
        "zero",
        "straight_through, unless clip is true",
    ),
    "variance beside ddim in a world": _world(
        "samplers",
        {"a": {"sampler": "ddim", "variance": 1.0, "steps": 9}},
        "1.0",
        "0.0, unless sampler is ancestral",
        "samplers.a.variance",
    ),
    "unet2d's keys of shuffle_unet": _in(
        DENOISER,
        {"architecture": "shuffle_unet", "channels": [8, 16], "layers_per_block": 2},
        "layers_per_block",
        "2",
        "1, unless architecture is unet2d",
    ),
    "heads without attention": Case(
        (*DENOISER, "head_dim"), 4, "4", "8, unless attention is true at some level"
    ),
    "heads where no level attends": _in(
        DENOISER,
        {"channels": [8, 16], "attention": [False, False], "head_dim": 4},
        "head_dim",
        "4",
        "8, unless attention is true at some level",
    ),
    "setups of no grid": Case(
        (*SAMPLING, "grid_setups"),
        ["unguided"],
        "['unguided']",
        "nothing, unless grid_images is above 0",
    ),
    "steps of no grid": Case(
        (*SAMPLING, "grid_steps"), 3, "3", "nothing, unless grid_images is above 0"
    ),
    "digits instead of clothes": _in(
        DIGITS,
        {"source": "fashion_mnist", "root": "x", "otherwise": "package"},
        "otherwise",
        "package",
        "stop, unless source is mnist",
    ),
    "digits instead of a download": _in(
        DIGITS,
        {"source": "mnist", "root": "x", "download": True, "otherwise": "package"},
        "otherwise",
        "package",
        "stop, unless download is false",
    ),
    "sha256 of no weights": Case(
        ("metrics", "inception", "sha256"), "0" * 64, "0" * 64, "unless metrics.inception.weights"
    ),
    "training beside a checkpoint": _in(
        CLEAN, CHECKPOINT | {"steps": 9}, "steps", "9", "300, unless checkpoint is null or left out"
    ),
    "a half beside a guide's checkpoint": _in(
        CLEAN,
        CHECKPOINT | {"half": "second"},
        "half",
        "second",
        "first, unless checkpoint is null or left out",
    ),
    "outputs of a training": Case(
        (*CLEAN, "outputs"), [3, 1, 0, 2], "[3, 1, 0, 2]", "nothing, unless checkpoint is a file"
    ),
    "prefix of a training": Case((*CLEAN, "prefix"), "net.", "net.", "unless checkpoint is a file"),
    "a training beside a checkpoint": _in(
        DENOISER,
        {"checkpoint": "x", "steps": 9},
        "steps",
        "9",
        "1000, unless checkpoint is null or left out",
    ),
    "a network beside a checkpoint": _in(
        DENOISER,
        {"checkpoint": "x", "channels": [8]},
        "channels",
        "[8]",
        "[32, 64], unless checkpoint is null or left out",
    ),
    "a commit of no hub id": _in(
        DENOISER,
        {"channels": [8, 16], "revision": "0" * 40},
        "checkpoint",
        "nothing",
        "with revision a hub id",
    ),
    "a commit of a folder": _in(
        DENOISER,
        {"checkpoint": "/data/ddpm", "revision": "0" * 40},
        "checkpoint",
        "/data/ddpm",
        "with revision a hub id, `owner/name`",
    ),
    "warm-up of one_cycle": _in(
        DENOISER,
        {"channels": [8, 16], "rate": "one_cycle", "warmup": 9},
        "warmup",
        "9",
        "50, unless rate is warmup_cosine",
    ),
}
