"""Keys that nothing reads where they stand."""

from mistake_cases import ADAM, RAW, Case, M, S
from world_cases import WORLD, W

CFG, UNGUIDED = (*M, "setups", "cfg"), (*S, "setups", "unguided")
CHECKPOINT = {"architecture": "resnet18", "checkpoint": "clean.pth"}
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
    "a state that norm_clip does not keep": Case(
        (*S, "setups", "clean/x0+adam"),
        {
            "guidance": "classifier",
            "classifier": "clean",
            "stabilizer": {"name": "norm_clip"},
            "scales": [1],
            "paper_compat": ["carried_state"],
        },
        "carried_state",
        "it only beside a stabilizer that keeps a state",
        "setups.clean/x0+adam.paper_compat",
    ),
    "a switch twice": Case(
        (*RAW, "paper_compat"), ["raw_logit"] * 2, "raw_logit, raw_logit", "each switch once"
    ),
    "an unknown switch": Case(
        (*RAW, "paper_compat"),
        ["raw_logits"],
        '"raw_logits"',
        "raw_logit, carried_state, half_precision",
        "setups.clean/raw.paper_compat.0",
    ),
    "an unknown switch of the metrics": Case(
        ("metrics", "paper_compat"),
        ["fid"],
        '"fid"',
        "drawn_reference",
        "0",
    ),
    "one draw of digits": Case(
        (*M, "data", "paper_compat"), ["one_draw"], "unknown key", "download"
    ),
    "a switch of the images twice": Case(
        (*S, "data", "paper_compat"), ["one_draw"] * 2, "one_draw, one_draw", "each switch once"
    ),
    "a switch of a training twice": Case(
        (*S, "denoiser", "paper_compat"),
        ["validation_images"] * 2,
        "validation_images, validation_images",
        "each switch once",
    ),
    "a switch of the metrics twice": Case(
        ("metrics", "paper_compat"), ["drawn_reference"] * 2, "drawn_reference", "each switch once"
    ),
    "an unknown switch of the analysis": Case(
        (*S, "sensitivity", "paper_compat"),
        ["raw_logit"],
        '"raw_logit"',
        "same_time, shared_state, clean_at_zero",
        "sensitivity.paper_compat.0",
    ),
    "a switch in a world": Case(
        W,
        WORLD
        | {
            "setups": {
                "raw": {
                    "guidance": "classifier",
                    "classifier": "clean",
                    "scales": [1],
                    "paper_compat": ["raw_logit"],
                }
            }
        },
        "raw_logit",
        "nothing in a world",
        "setups.raw.paper_compat",
    ),
    "a clip's gradient in a world": Case(
        W,
        WORLD
        | {
            "setups": {
                "x0": {
                    "guidance": "classifier",
                    "classifier": "clean",
                    "input": "x0",
                    "scales": [1],
                    "clip_gradient": "zero",
                }
            }
        },
        "zero",
        "nothing in a world: its x0_pred is not clipped",
        "setups.x0.clip_gradient",
    ),
    "a setup's gradient of a clip on x_t": Case(
        (*RAW, "clip_gradient"), "zero", "zero", "nothing, unless input is x0 or x0_frozen"
    ),
    "a shared state without stabilizers": Case(
        (*S, "sensitivity"),
        {"paper_compat": ["shared_state"]},
        "shared_state",
        "it only with sensitivity.stabilizers",
        "sensitivity.paper_compat",
    ),
    "a clean t = 0 that is not reported": Case(
        (*S, "sensitivity", "paper_compat"),
        ["clean_at_zero"],
        "clean_at_zero",
        "it only with sensitivity.steps: 100, which reach t = 0",
    ),
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
    "training beside a checkpoint": Case(
        (*S, "classifiers", "clean"),
        CHECKPOINT | {"steps": 9},
        "9",
        "300, unless checkpoint is 0 or null",
        "classifiers.clean.steps",
    ),
    "a half beside a guide's checkpoint": Case(
        (*S, "classifiers", "clean"),
        CHECKPOINT | {"half": "second"},
        "second",
        "first, unless checkpoint is 0 or null",
        "classifiers.clean.half",
    ),
    "outputs of a training": Case(
        (*S, "classifiers", "clean", "outputs"),
        [3, 1, 0, 2],
        "[3, 1, 0, 2]",
        "nothing, unless checkpoint is a file",
    ),
    "prefix of a training": Case(
        (*S, "classifiers", "clean", "prefix"), "net.", "net.", "unless checkpoint is a file"
    ),
    "a training beside a checkpoint": Case(
        (*S, "denoiser"),
        {"checkpoint": "x", "steps": 9},
        "9",
        "1000, unless checkpoint is 0 or null",
        "denoiser.steps",
    ),
    "a network beside a checkpoint": Case(
        (*S, "denoiser"),
        {"checkpoint": "x", "channels": [8]},
        "[8]",
        "[32, 64], unless checkpoint is 0 or null",
        "denoiser.channels",
    ),
    "a commit of no hub id": Case(
        (*S, "denoiser"),
        {"channels": [8, 16], "revision": "0" * 40},
        "nothing",
        "with revision a hub id",
        "denoiser.checkpoint",
    ),
    "a commit of a folder": Case(
        (*S, "denoiser"),
        {"checkpoint": "/data/ddpm", "revision": "0" * 40},
        "/data/ddpm",
        "with revision a hub id, `owner/name`",
        "denoiser.checkpoint",
    ),
    "warm-up of one_cycle": Case(
        (*S, "denoiser"),
        {"channels": [8, 16], "rate": "one_cycle", "warmup": 9},
        "9",
        "50, unless rate is warmup_cosine",
        "denoiser.warmup",
    ),
}
