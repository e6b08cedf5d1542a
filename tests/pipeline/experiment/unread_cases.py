"""Keys that nothing reads where they stand."""

from mistake_cases import ADAM, RAW, Case, M, S
from world_cases import WORLD, W

CFG, UNGUIDED = (*M, "setups", "cfg"), (*S, "setups", "unguided")
OWN = {"guidance": "json:loads", "scales": [1]}


def _own(key: str, value: object, found: str, allowed: str) -> Case:
    return Case((*S, "setups", "own"), OWN | {key: value}, found, allowed, f"setups.own.{key}")


CASES = {
    "a scale beside diameters": Case(
        (*S, "data"),
        {"source": "sportballs", "size": 16, "canvas": 16, "scale": [0.2, 0.3], "diameters": [4]},
        "[0.2, 0.3]",
        "[0.4, 0.7], unless diameters is 0 or null",
        "data.scale",
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
    "a label beside an own guide": Case(
        (*M, "setups", "own"),
        OWN | {"conditional": True},
        "true",
        "false, unless guidance is none or classifier or cfg",
        "setups.own.conditional",
    ),
    "hold beside raw": Case((*RAW, "hold"), "eps", "eps", "v, unless input is x0_frozen"),
    "hold beside x0": Case((*ADAM, "hold"), "eps", "eps", "v, unless input is x0_frozen"),
    "ema's beta beside adam": Case(
        (*ADAM, "stabilizer", "beta"), 0.5, "0.5", "0.9, unless name is ema or nesterov or rmsprop"
    ),
    "adam's eps beside ema": Case(
        (*RAW, "stabilizer"),
        {"name": "ema", "eps": 1e-8},
        "1e-08",
        "unless name is adam",
        "setups.clean/raw.stabilizer.eps",
    ),
    "options of our own stabilizer": Case(
        (*ADAM, "stabilizer", "options"), {"a": 1}, "['a']", "module:attribute"
    ),
    "keys of no stabilizer": Case(
        (*RAW, "stabilizer"),
        {"per_step": "literal"},
        "literal",
        "full_grid, unless name is",
        "setups.clean/raw.stabilizer.per_step",
    ),
    "an analysed stabilizer's": Case(
        (*S, "sensitivity", "stabilizers", "ema0.9"),
        {"name": "ema", "beta1": 0.5},
        "0.5",
        "0.9, unless name is adam",
        "sensitivity.stabilizers.ema0.9.beta1",
    ),
    "eta beside ancestral": Case((*S, "sampling", "eta"), 1.0, "1.0", "unless sampler is ddim"),
    "options of our own sampler": Case(
        (*S, "sampling", "options"), {"a": 1}, "['a']", "unless sampler is module:attribute"
    ),
    "recompute_eps beside ancestral": Case(
        (*S, "sampling", "recompute_eps"), False, "false", "true, unless sampler is euler_maruyama"
    ),
    "gradient of no clip": Case(
        (*S, "sampling"),
        {"steps": 4, "clip": False, "clip_gradient": "zero"},
        "zero",
        "straight_through, unless clip is true",
        "sampling.clip_gradient",
    ),
    "variance beside ddim in a world": Case(
        W,
        WORLD | {"samplers": {"a": {"sampler": "ddim", "variance": 1.0, "steps": 9}}},
        "1.0",
        "0.0, unless sampler is ancestral",
        "samplers.a.variance",
    ),
    "unet2d's keys of shuffle_unet": Case(
        (*S, "denoiser"),
        {"architecture": "shuffle_unet", "channels": [8, 16], "layers_per_block": 2},
        "2",
        "1, unless architecture is unet2d",
        "denoiser.layers_per_block",
    ),
    "heads without attention": Case(
        (*S, "denoiser", "head_dim"), 4, "4", "8, unless attention is true at some level"
    ),
    "heads where no level attends": Case(
        (*S, "denoiser"),
        {"channels": [8, 16], "attention": [False, False], "head_dim": 4},
        "4",
        "8, unless attention is true at some level",
        "denoiser.head_dim",
    ),
    "setups of no grid": Case(
        (*S, "sampling", "grid_setups"),
        ["unguided"],
        "['unguided']",
        "nothing, unless grid_images is above 0",
    ),
    "steps of no grid": Case(
        (*S, "sampling", "grid_steps"), 3, "3", "nothing, unless grid_images is above 0"
    ),
    "digits instead of clothes": Case(
        (*M, "data"),
        {"source": "fashion_mnist", "root": "x", "otherwise": "package"},
        "package",
        "stop, unless source is mnist",
        "data.otherwise",
    ),
    "digits instead of a download": Case(
        (*M, "data"),
        {"source": "mnist", "root": "x", "download": True, "otherwise": "package"},
        "package",
        "stop, unless download is false",
        "data.otherwise",
    ),
    "sha256 of no weights": Case(
        ("metrics", "inception", "sha256"), "0" * 64, "0" * 64, "unless metrics.inception.weights"
    ),
    "warm-up of one_cycle": Case(
        (*S, "denoiser"),
        {"channels": [8, 16], "rate": "one_cycle", "warmup": 9},
        "9",
        "50, unless rate is warmup_cosine",
        "denoiser.warmup",
    ),
}
