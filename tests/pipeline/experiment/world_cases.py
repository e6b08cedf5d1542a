"""Mistakes in schedules, guides, grids, and worlds."""

from mistake_cases import RAW, Case, M, S

W = ("worlds", "w")
WORLD = {
    "components": [{"mean": [0.0, 1.0], "label": 0}, {"mean": [1.0, 0.0], "label": 1}],
    "samples": 64,
    "samplers": {"a": {"steps": 10}},
    "setups": {"unguided": {}},
}

GRIDS = {"steps": 4, "grid_images": 1}


def _world(key: str, value: object, found: str, allowed: str, at: str = "") -> Case:
    """A world with one key changed; `at`: the key that the line is about."""
    return Case(W, WORLD | {key: value}, found, allowed, at or key)


CASES = {
    "a sampler of a setup in a world": _world(
        "setups", {"u": {"sampler": "ddim"}}, "ddim", "nothing in a world", "setups.u.sampler"
    ),
    "samplers of a setup in a world": _world(
        "setups", {"u": {"vary": {"steps": [4]}}}, "keys", "nothing in a world", "setups.u.vary"
    ),
    "unknown schedule": Case(
        (*S, "schedule"), {"name": "cosine"}, '"cosine"', "vp_sde", "schedule.name"
    ),
    "key of another schedule": Case((*S, "schedule", "b_max"), 10.0, "unknown key", "beta_end"),
    "betas of an sde that fall": Case(
        (*S, "schedule"),
        {"name": "vp_sde", "b_min": 20.0},
        "20.0",
        "at most b_max",
        "schedule.b_min",
    ),
    "logsnr bounds in the wrong order": Case(
        (*S, "schedule"),
        {"name": "logsnr_cosine", "logsnr_min": 30.0},
        "30.0",
        "below logsnr_max",
        "schedule.logsnr_min",
    ),
    "roots of betas that fall": Case(
        (*S, "schedule"),
        {"name": "ddpm_scaled_linear", "beta_start": 0.5},
        "0.5",
        "at most beta_end (0.02)",
        "schedule.beta_start",
    ),
    "a beta far beyond noise": Case(
        (*S, "schedule"),
        {"name": "vp_sde", "b_max": 1e300},
        "1e+300",
        "at most 1000",
        "schedule.b_max",
    ),
    "a logsnr that is no signal": Case(
        (*S, "schedule"),
        {"name": "logsnr_cosine", "logsnr_min": -1e5},
        "-100000.0",
        "at least -1000",
        "schedule.logsnr_min",
    ),
    "a limit that float32 does not know": Case(
        (*S, "sampling"),
        {"sampler": "euler_maruyama", "limit": 1e300},
        "1e+300",
        "at most 1000000",
        "sampling.limit",
    ),
    "too few betas": Case(
        (*S, "schedule"),
        {"name": "ddpm_betas", "timesteps": 20, "betas": [0.1, 0.2]},
        "2 of them",
        "as many as schedule.timesteps (20)",
        "schedule.betas",
    ),
    "a beta of one": Case(
        (*S, "schedule"),
        {"name": "ddpm_betas", "timesteps": 2, "betas": [0.1, 1.0]},
        "1.0",
        "below 1",
        "schedule.betas.1",
    ),
    "too many steps of a cosine": Case(
        (*S, "schedule"), {"name": "ddpm_cosine", "timesteps": 3}, "4", "(3)", "sampling.steps"
    ),
    "a revision that is no commit": Case(
        (*S, "denoiser"),
        {"checkpoint": "a/b", "revision": "main"},
        '"main"',
        "a commit: 40 hex digits",
        "denoiser.revision",
    ),
    "a world's schedule backwards": _world(
        "schedule", {"name": "vp_sde", "b_min": 20.0}, "20.0", "at most b_max", "schedule.b_min"
    ),
    "a world's betas": _world(
        "schedule",
        {"name": "ddpm_betas", "timesteps": 20, "betas": [0.1]},
        "1 of them",
        "(20)",
        "schedule.betas",
    ),
    "conditional without dropout": Case((*RAW, "conditional"), True, "true", "condition_dropout"),
    "interval backwards": Case((*RAW, "interval"), [0.8, 0.2], "[0.8, 0.2]", "low <= high"),
    "options of our own guide": Case((*RAW, "options"), {"a": 1}, "['a']", "module:attribute"),
    "guide's module missing": Case((*RAW, "guidance"), "nosuch:Guide", "no such module", "import"),
    "classifier's module missing": Case(
        (*S, "classifiers", "clean", "architecture"), "nosuch:Net", "no such module", "import"
    ),
    "too many steps of a setup": Case((*RAW, "steps"), 101, "101", "schedule.timesteps (100)"),
    "too many steps of a grid": Case(
        (*S, "sampling"), GRIDS | {"grid_steps": 500}, "500", "(100)", "sampling.grid_steps"
    ),
    "grid of an unknown setup": Case(
        (*S, "sampling"),
        GRIDS | {"grid_setups": ["cfgg"]},
        "cfgg",
        "unguided",
        "sampling.grid_setups",
    ),
    "strip beyond T": Case((*S, "strip"), [1, 100], "[100", "from 0 to 99"),
    "strip between two t": Case((*S, "strip"), [1, 9.5], "[9.5", "whole times from 0 to 99"),
    "narrow shuffle_unet": Case(
        (*M, "denoiser"),
        {"architecture": "shuffle_unet", "channels": [8], "condition_dropout": 0.1},
        "[8]",
        "at least two",
        "denoiser.channels",
    ),
    "world without components": _world("components", [], "0 of them", "either"),
    "world's labels have a gap": _world(
        "components",
        [{"mean": [0.0], "label": 0}, {"mean": [1.0], "label": 2}],
        "[0, 2]",
        "each used",
    ),
    "world's means of two lengths": _world(
        "components",
        [{"mean": [0.0], "label": 0}, {"mean": [1.0, 2.0], "label": 0}],
        "[1, 2]",
        "one length",
    ),
    "world's covariance is not square": _world(
        "components",
        [{"mean": [0.0, 1.0], "covariance": [[1.0]], "label": 0}],
        "[[1.0]]",
        "2 rows of 2",
        "components.0.covariance",
    ),
    "world's target": _world("target", 2, "2", "0 to 1"),
    "world's samples": _world("samples", 66, "66", "multiple of metrics.jackknife_blocks"),
    "world's sampler": _world(
        "samplers", {"a": {"steps": 401}}, "401", "timesteps (400)", "samplers.a.steps"
    ),
    "world's classifier": _world(
        "setups",
        {"g": {"guidance": "classifier", "classifier": "robust", "scales": [1]}},
        "robust",
        "clean, noise_trained",
        "setups.g.classifier",
    ),
    "world's guided setup without scales": _world(
        "setups", {"g": {"guidance": "cfg"}}, "none", "at least one", "setups.g.scales"
    ),
    "world's scales without guidance": _world(
        "setups", {"g": {"scales": [1]}}, "[1.0]", "none without guidance", "setups.g.scales"
    ),
    "world's unknown sampler": _world(
        "samplers", {"a": {"sampler": "euler"}}, '"euler"', "euler_maruyama", "samplers.a.sampler"
    ),
    "world's own sampler that is not there": _world(
        "samplers",
        {"a": {"sampler": "nowhere:jump"}},
        "nowhere:jump",
        "module:attribute",
        "samplers.a.sampler",
    ),
    "world's interval": _world(
        "setups",
        {"g": {"guidance": "cfg", "scales": [1], "interval": [0.5, 0.1]}},
        "[0.5, 0.1]",
        "low <= high",
        "setups.g.interval",
    ),
    "world's own guide that is not there": _world(
        "setups",
        {"g": {"guidance": "nowhere:Guide", "scales": [1]}},
        "nowhere:Guide",
        "module:attribute",
        "setups.g.guidance",
    ),
    "steps of a world's setup": _world(
        "setups",
        {"g": {"guidance": "cfg", "scales": [1], "steps": 5}},
        "5",
        "its samplers have their own",
        "setups.g.steps",
    ),
    "clip of a world's setup": _world(
        "setups",
        {"g": {"guidance": "cfg", "scales": [1], "clip": True}},
        "true",
        "its x0_pred has no bounds",
        "setups.g.clip",
    ),
    "classifier named like a role": Case(
        (*S, "classifiers", "guide"), {}, "'guide'", "not guide, which is a role"
    ),
    "world named like a data set": Case(("worlds", "mnist"), WORLD, "'mnist'", "no name of a data"),
    "world is a path": Case(("worlds", "../x"), WORLD, "'../x'", "letters, digits"),
}
