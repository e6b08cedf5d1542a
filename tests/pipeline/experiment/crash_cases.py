"""Mistakes that once passed, and broke a job later."""

from mistake_cases import RAW, Case, M, S
from world_cases import WORLD, W

LONG = "x" * 250
SKEW = [{"mean": [0.0, 1.0], "covariance": [[1.0, 2.0], [2.0, 1.0]], "label": 0}]
GUIDED = {"guidance": "classifier", "classifier": "clean", "scales": [1]}

CASES = {
    "seed beyond 64 bits": Case(("seed",), 2**63, str(2**63), f"at most {2**63 - 1}"),
    "two training images": Case((*S, "data", "train"), 2, "2", "at least 16: four of each of 4"),
    "a class without a covariance": Case((*M, "data", "train"), 39, "39", "at least 40"),
    "long name": Case(("name",), LONG, "a name of 250 letters", "at most 80"),
    "long setup": Case((*S, "setups", LONG), {}, "a name of 250 letters", "at most 80"),
    "long classifier": Case(
        (*S, "classifiers", LONG),
        {"architecture": "small_cnn"},
        "a name of 250 letters",
        "at most 80",
    ),
    "long data set": Case(("datasets", LONG), {}, "a name of 250 letters", "at most 80"),
    "long world": Case(("worlds", LONG), WORLD, "a name of 250 letters", "at most 80"),
    "world's setup with a colon": Case(
        W, WORLD | {"setups": {"a:b": {}}}, "'a:b'", "names like clean", "setups.a:b"
    ),
    "world's setup named floor": Case(
        W, WORLD | {"setups": {"floor": {}}}, "'floor'", "none of floor", "setups.floor"
    ),
    "world's sampler with a space": Case(
        W, WORLD | {"samplers": {"a b": {"steps": 2}}}, "'a b'", "letters", "samplers.a b"
    ),
    "world's setup that no sampler runs": Case(
        W,
        WORLD | {"setups": {"g": GUIDED}, "samplers": {"a": {"sampler": "ddim", "steps": 2}}},
        "mean",
        "or a sampler of ancestral",
        "setups.g.injection",
    ),
    "setups of one folder": Case(  # the file is sorted
        (*S, "setups", "Clean/raw"),
        {},
        "'clean/raw'",
        "differs from 'Clean/raw' in more than",
        "setups.clean/raw",
    ),
    "stabilizer with a space": Case(
        (*S, "sensitivity", "stabilizers", "a b"), {"name": "ema"}, "'a b'", "letters"
    ),
    "stabilizer named none": Case(
        (*S, "sensitivity", "stabilizers", "none"), {"name": "ema"}, "'none'", "none is"
    ),
    "covariance of no Gaussian": Case(
        W,
        WORLD | {"components": SKEW},
        "[[1.0, 2.0]",
        "positive definite",
        "components.0.covariance",
    ),
    "scales of an own name": Case(
        (*RAW[:-1], "clean/rwa"),
        {"scales": [1]},
        "[1.0]",
        "none without guidance",
        "setups.clean/rwa.scales",
    ),
}
