"""The findings table: the paper's claims, decided from the result tables and never by hand."""

from functools import partial
from typing import Any

from guidebench.report.claims import (
    accuracy,
    chance,
    distance,
    growth,
    smoothness,
    thresholds,
    tradeoff,
)
from guidebench.report.claims.claim import CHOSEN, EXACT, FIRST, JACKKNIFE, PAIRED, Claim, finding
from guidebench.report.claims.kinds import (
    CFG,
    CLEAN,
    CLEAN_ADAM,
    CLEAN_EMA,
    CLEAN_EMA9,
    CLEAN_EMA99,
    CLEAN_RAW,
    CLEAN_X0,
    CLEAN_X0_ANY,
    NOISE_TRAINED,
)
from guidebench.report.claims.premises import NO_GRADIENT, REACHED_BEFORE
from guidebench.report.tables import Tables

CLAIMS = [
    Claim(
        "The clean (non-robust) classifier's accuracy on x_t falls to chance early.",
        f"|accuracy of clean/raw - chance| <= 0.10 at some t <= 0.45 T: {EXACT} inside of it, "
        "tried from the last such t down; does not hold where it is outside at all",
        chance.near_chance,
        (CLEAN_RAW,),
        forward=True,
    ),
    Claim(
        "The noise-trained (robust) classifier is still accurate at that t.",
        f"accuracy of noise_trained/raw >= 0.80 at the first t of claim 1: {EXACT} {FIRST}",
        chance.noise_trained_accurate,
        (CLEAN_RAW, NOISE_TRAINED),
        forward=True,
    ),
    Claim(
        "x0_pred before the clean classifier restores at least half of the loss there.",
        "accuracy(clean/x0) - accuracy(clean/raw) >= half of [accuracy on clean images - "
        f"accuracy(clean/raw)] at that t: paired 95 % interval over images {FIRST}",
        chance.x0_restores,
        (CLEAN_RAW, CLEAN_X0),
        forward=True,
    ),
    Claim(
        "The clean classifier's logits are more sensitive than the noise-trained one's.",
        f"logit sensitivity clean/raw > noise_trained/raw: {PAIRED}",
        partial(smoothness.falls, "logit_sensitivity"),
        (CLEAN_RAW, NOISE_TRAINED),
        forward=True,
    ),
    Claim(
        "Gradients: clean/raw is more sensitive than clean/x0, and that more than noise-trained.",
        f"gradient sensitivity clean/raw > clean/x0 > noise_trained/raw: each {PAIRED}",
        partial(smoothness.falls, "grad_sensitivity"),
        (CLEAN_RAW, CLEAN_X0, NOISE_TRAINED),
        forward=True,
        moot=NO_GRADIENT,
    ),
    Claim(
        "EMA lowers the gradient sensitivity, 0.99 more than 0.9.",
        f"gradient sensitivity clean/x0 > +ema0.9 > +ema0.99: each {PAIRED}",
        partial(smoothness.falls, "grad_sensitivity"),
        (CLEAN_X0, CLEAN_EMA9, CLEAN_EMA99),
        forward=True,
    ),
    Claim(
        "With ADAM the gradient sensitivity rises towards noise.",
        "Spearman correlation of its mean with t >= 0.5: 95 % bootstrap interval over images, "
        "each with its whole curve",
        smoothness.rises,
        (CLEAN_ADAM,),
        forward=True,
        moot=NO_GRADIENT,
    ),
    Claim(
        "Guidance by the clean classifier on x_t (clean/raw) fails.",
        "at every scale: accuracy_judge < unguided + 0.15 (does not count where unguided is above "
        "0.85 for certain), or >= 50 % diverged, or cfd_judge "
        f"higher than unguided; {EXACT} or {JACKKNIFE}, shared by the three reasons, and for "
        "“does not hold” by the scales (Bonferroni)",
        accuracy.clean_raw_fails,
        (CLEAN_RAW,),
        judged=True,
    ),
    Claim(
        "Guidance by clean/x0 with EMA reaches 90 % by the guide and by the judge.",
        "accuracy_guide and accuracy_judge >= 0.90 for some clean/x0+ema* setup, at the scale "
        f"with the highest smaller one of the two on selection seeds: {EXACT}, shared by the "
        "setups, and for “does not hold” by the two (Bonferroni)",
        accuracy.ema_reaches,
        (CLEAN_EMA,),
        judged=True,
        moot=REACHED_BEFORE,
    ),
    Claim(
        "ADAM needs at most a fifth of the scale for 90 %.",
        "clean/x0+adam reaches accuracy_guide >= 0.90 at a scale <= 1/5 of one at which clean/x0 "
        "with every other stabiliser was measured not to; fails where ADAM does not reach it at "
        f"a scale >= 1/5 of one at which another does; {EXACT}, shared by all scales "
        "(Bonferroni)",
        thresholds.adam_needs_less,
        (CLEAN_ADAM, CLEAN_X0_ANY),
        moot=REACHED_BEFORE,
    ),
    Claim(
        "Unconditional FD rises with the scale for the noise-trained classifier.",
        f"{{fd}} at the largest minus at the smallest unbroken scale: {JACKKNIFE} above 0; open "
        "where Spearman's correlation of {fd} with the scale is below 0.5, or {fd} falls again "
        "from its peak (interval below 0)",
        distance.fd_rises,
        (NOISE_TRAINED,),
    ),
    Claim(
        "cFD falls with the scale, then turns (noise-trained classifier).",
        "the scale with the lowest sliced distance on selection seeds is an inner one; {cfd} of "
        "unguided minus that there, and of the largest unbroken scale minus that: each "
        f"{JACKKNIFE} above 0",
        distance.cfd_turns,
        (NOISE_TRAINED,),
    ),
    Claim(
        "Among the clean classifier's setups x0+EMA0.99 has the best cFD.",
        f"{{cfd}} of each other one minus clean/x0+ema0.99: all above 0; {JACKKNIFE}, Holm's "
        f"procedure over them, for “does not hold”, too; {CHOSEN}",
        distance.best_of_its_classifier,
        (CLEAN_EMA99, CLEAN),
    ),
    Claim(
        "clean/x0+EMA0.99 also beats the noise-trained classifier's best cFD.",
        f"{{cfd}} of noise_trained/raw minus clean/x0+ema0.99: {JACKKNIFE} above 0; {CHOSEN}",
        distance.beats,
        (CLEAN_EMA99, NOISE_TRAINED),
    ),
]


# the first ones speak of classifiers on noisy images, whatever is generated
WITHOUT_TARGET = 4
# of the CFG paper and the notebooks, where every class is generated in turn
ENDS = f"cfg's largest unbroken weight against its smallest: {JACKKNIFE} excludes 0"
TRADE_OFF = [
    Claim(
        "Images get clearer with the weight: IS (on the judge) rises.",
        ENDS,
        partial(tradeoff.ends, "is_judge", 1),
        (CFG,),
        judged=True,
    ),
    Claim(
        "They pay with distance from the data: FD rises with the weight.",
        ENDS,
        tradeoff.farther,
        (CFG,),
    ),
    Claim(
        "Images of a class get more alike with the weight.",
        f"mean feature distance within a class, {ENDS}",
        partial(tradeoff.ends, "diversity_judge", -1),
        (CFG,),
    ),
    Claim(
        "Guidance leaves out part of the data: recall falls with the weight.",
        ENDS,
        partial(tradeoff.ends, "recall_judge", -1),
        (CFG,),
    ),
    Claim(
        "Classifier guidance is an adversarial attack on its classifier, unlike cfg.",
        "the noise-trained classifier's minus the judge's accuracy on samples of "
        "noise_trained/raw, minus the same on samples of cfg, each at its largest unbroken "
        f"scale: {JACKKNIFE} above 0",
        tradeoff.attack,
        (NOISE_TRAINED, CFG),
        judged=True,
    ),
]
# of nrCG's text again, with numbers after those that earlier findings have
LATER = [
    Claim(
        "ADAM's FD rises faster with the scale than the others'.",
        "({fd} at the largest minus at the smallest unbroken scale above 0) / (that scale minus "
        "this one): of clean/x0+adam minus of noise_trained/raw, and of clean/x0 with every other "
        f"stabiliser: each {JACKKNIFE} above 0",
        growth.adam_rises_faster,
        (CLEAN_ADAM, CLEAN_X0_ANY, NOISE_TRAINED),
    ),
    Claim(
        "The FD of clean/x0 and clean/x0+EMA levels off, and rises again past a scale.",
        "a step between neighbouring scales, the best on selection seeds: there {fd} changes by "
        "less than half of its rise from unguided, either way; from there to the largest unbroken "
        "scale it rises, and faster (over the logarithm of the scale) than in the step: each "
        f"{JACKKNIFE} above 0, for clean/x0 and every clean/x0+ema*",
        growth.levels_off,
        (CLEAN_X0, CLEAN_EMA),
    ),
    Claim(
        "clean/x0+EMA0.99 is as smooth as the noise-trained classifier at t < T/2.",
        "gradient sensitivity noise_trained/raw > clean/x0+ema0.99 on average over t < T/2: "
        f"{PAIRED}",
        partial(smoothness.falls, "grad_sensitivity", until=0.5),
        (NOISE_TRAINED, CLEAN_EMA99),
        forward=True,
        moot=NO_GRADIENT,
    ),
]
NUMBERED = dict(enumerate([*CLAIMS, *TRADE_OFF, *LATER], start=1))


def decide(tables: Tables) -> list[dict[str, Any]]:
    """Every claim on every data set: dataset, id, claim, criterion, values, verdict, reason.

    Values are JSON-safe: a number that is not finite is None.
    """
    return [
        finding(claim, tables, dataset, number)
        for dataset in tables.datasets
        for number, claim in claims(tables, dataset)
    ]


def claims(tables: Tables, dataset: str) -> list[tuple[int, Claim]]:
    """The claims that a data set can decide, with their numbers: one target, or all in turn."""
    each = tables.facts(dataset)["target"] == "each"
    claimed = [*CLAIMS[:WITHOUT_TARGET], *TRADE_OFF] if each else [*CLAIMS, *LATER]
    return [(number, claim) for number, claim in NUMBERED.items() if claim in claimed]
