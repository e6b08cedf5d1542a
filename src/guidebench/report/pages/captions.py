"""What stands below each picture of the report: what it shows and how to read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from guidebench.report.figures.films import FILMS
from guidebench.report.figures.sheets import ROWS
from guidebench.report.metrics import metrics


class Caption(NamedTuple):
    """A picture's heading, and the sentences below it."""

    heading: str
    text: str


DATA = {
    "sheet_real": Caption(
        "Real images",
        "The first training images, up to 64 of them, enlarged by repeating pixels, as in every "
        "picture of this page.",
    ),
    "sheet_target": Caption(
        "The target class",
        "Real images of the class that guidance asks for; cFD compares samples with these.",
    ),
    "sheet_forward": Caption(
        "The forward process",
        "One image at growing noise. Guidance by a "
        "classifier on x_t has to read pictures like these.",
    ),
    "time_embedding": Caption(
        "The time as the network sees it",
        "The denoiser's own embedding of t, before any trained layer. Left: up to three times, at "
        "5, 6 and 15 % of the process (10, 12 and 30 of the DDPM notebook's 200), near ones alike; "
        "right: times over the whole process, up to 200 of them, from clean upwards. Of a "
        "UNet2DModel one half of the dimensions are sines, the other cosines, each slower than the "
        "one before.",
    ),
}

FORWARD = {
    "accuracy": Caption(
        "Accuracy against t (the paper's figure 1)",
        "Held-out images, noised to time t. clean/raw sees x_t, clean/x0 sees the denoiser's "
        "estimate x0_pred of the clean image, the noise-trained classifier sees x_t and was "
        "trained on such images; noise_trained/x0, which the paper does not show, reads x0_pred "
        "instead. One that is adversarially trained, if there is one, never saw noise either. "
        "Where a curve meets the dotted line, the classifier guesses. "
        "Bands: 95 % interval over images.",
    ),
    "logit_sensitivity": Caption(
        "Logit sensitivity against t (the paper's figure 2)",
        "|f(x_t) - f(x_t-1)| / |x_t - x_t-1| for the same image and the same noise: how far the "
        "logits move when t moves by one. Lower is smoother. Mean over images; the band is one "
        "standard deviation in the logarithm (mean times and divided by a factor, from mean and "
        "sd of a log-normal), because mean minus sd would fall below zero. x0 of a denoiser that "
        "was trained on continuous times can be jagged at high noise: its estimate turns with the "
        "phases of the time embedding, and 1 / alpha magnifies that.",
    ),
    "grad_sensitivity": Caption(
        "Gradient sensitivity against t (the paper's figure 3)",
        "The same for the gradient g of the log-probability of the target (of each image's own "
        "class, where all classes are generated), the vector that guidance adds. A high value can "
        "mean that neighbouring steps push in unrelated directions, but it also grows with the "
        "size of g: see the two panels below. Band as in figure 2.",
    ),
    "grad_sensitivity_stabilized": Caption(
        "Gradient sensitivity with stabilisers (the paper's figure 4)",
        "The same for gradients after EMA or ADAM, whose state walks every t from noise to clean, "
        "of which those of the other figures are shown. EMA lowers it by construction: a new "
        "gradient enters with the factor 1 - beta. A low value alone does not mean that "
        "the direction is a good one. Band as in figure 2.",
    ),
    "gradient_checks": Caption(
        "Two checks that the paper does not have",
        "Left: cosine of the two neighbouring gradients (1: same direction, whatever the size). "
        "Right: size of the stabilised vector that is added, before the guidance scale, which "
        "says where along t a setup pushes; it explains why best scales differ so much.",
    ),
    "implicit": Caption(
        "The implicit classifier (CFG paper, section 3.2)",
        "Cosine between a trained classifier's gradient of log p(y | x_t) and the one that the "
        "conditional denoiser implies, -(eps(x, y) - eps(x)) / sigma, for each image's own label. "
        "Near 0, guidance with and without a classifier push in unrelated directions. Band: 95 % "
        "interval of the mean over images.",
    ),
}

GUIDED = {
    "tradeoff": Caption(
        "Clear against varied (the CFG paper's headline figure)",
        "Each line walks over its scales. What guidance is said to do: buy clear images (up) and "
        "pay with distance from the data (right). Claims 15 and 16 say whether it did.",
    ),
}


EVALUATIONS = {
    "evaluations": Caption(
        "Quality against denoiser evaluations",
        "Each way of sampling at its own best scale, chosen on selection seeds: a column for each "
        "sampler, a line for each guide, points from few steps to many. Evaluations are counted, "
        "not timed; guidance on x0_pred goes backward through each of them, too, which costs about "
        "as much again. Dotted: floor. Bars: 95 % intervals. Broken cells are left out.",
    ),
}


def guided(summary: Mapping[str, Any]) -> dict[str, Caption]:
    """Of figures of guided samples: each metric's against the scale, and the trade-off."""
    own = metrics(summary).values()
    return GUIDED | {metric.file: Caption(metric.heading, metric.text) for metric in own}


COMPARED = {
    "architectures": Caption(
        "Classifiers of several architectures",
        "Left: accuracy along t, solid on x_t, dashed on x0_pred. Middle and right: what guidance "
        "by each reaches at the setup and scale that are best on selection seeds, circles on x_t, "
        "squares on x0_pred; bars are 95 % intervals. They differ in size and in how well so short "
        "a training suits them, too: see the table of classifiers.",
    ),
    "outcome": Caption(
        "Sensitivity tied to outcome",
        "Each setup at its selected scale: how sensitive its gradient is (mean over t and images, "
        "the stabilizer included, as in the figures along the forward process), against what "
        "guidance reaches. Setups whose gradient was not analysed are left out: of x0_frozen, of a "
        "noise-trained classifier on x0_pred, with a temperature or clip of their own, with a "
        "label for the denoiser; of one guide by several samplers or steps, all but the plainest.",
    ),
}


def compared(correlations: Mapping[str, str], setups: int) -> dict[str, Caption]:
    """Of figures across setups; `correlations`: of the sensitivity with each metric, in words."""
    heading, text = COMPARED["outcome"]
    words = ", ".join(f"{found} with {metric}" for metric, found in correlations.items())
    text += (
        f" Spearman's rank correlation over these {setups} setups: {words}. Its 95 % interval is a "
        "bootstrap: setups are drawn with replacement, and of every draw the analysed images, "
        "while the other axis moves by its error over seeds and reference; images, seeds and "
        "reference are those of all setups at once. It describes these setups: they share "
        "classifiers, and are no sample of all ways to guide."
    )
    return COMPARED | {"outcome": Caption(heading, text)}


SAMPLES = {
    "sheet_best": Caption(
        "Unguided beside each guide at its selected scale",
        "Column by column the same seed, so the same start noise: what differs is guidance alone, "
        "between setups of the same sampler and steps. No image is picked: these are the first "
        "evaluation seeds. A guide that is sampled in several ways (sampler, steps) has one row; "
        f"of more guides than {ROWS} those that are best on the selection seeds have theirs. The "
        "tables have all.",
    ),
    "sheet_film": Caption(
        "From noise to image",
        "The first evaluation seed on its way, from left to right: x_t as the sampler holds it, "
        "and x0_pred, the denoiser's estimate of where it goes, which x0 guidance reads. "
        f"Guides as in the sheet above, the best on the selection seeds of more than {FILMS}.",
    ),
    "sheet_animation": Caption(
        "The same as an animation",
        "The first evaluation seeds: x_t in the left half of each row, x0_pred in the right. The "
        "same guides.",
    ),
}

PAPER = {
    "sheet_table": Caption(
        "Metrics and first samples, unconditional beside best conditional (the paper's tables 1-3)",
        "Unguided (once more where one of the others has another sampler or other steps); the "
        "setup that is best on selection seeds; and, where that is another one, the "
        "paper's best, clean/x0+ema0.99, at the paper's scale if it was sampled, else at its "
        "selected one. The same seeds at the same places: the first, up to ten, and, where there "
        "is one target class, the first, up to ten, of which the judge calls the unguided sample "
        "another class. The paper picked those of its table 3 by hand (male); here code does. "
        "Brackets: 95 % intervals; ±: one standard error; raw: not corrected for the bias of n.",
    ),
}


def generations(title: str, shown: int) -> Caption:
    """Of the sheet of a cell's first generations."""
    return Caption(
        f"The first {shown} generations: {title} (the paper's figure 9 shows 256)",
        "In the order of their seeds, the same for every cell; pictures above 64 pixels are "
        "averaged down.",
    )


DRIFT = {
    "attribute_drift": Caption(
        "Where the balls lie and how large they are",
        "Share of images whose ball lies further left, further up, or is smaller than a value, as "
        "read by a network that was trained on true values. Dashed: unguided samples of the same "
        "seeds, once for each sampler and number of steps of the setups; dotted: held-out real "
        "images. Of guidance that changes the class alone the line lies on the dashed one. A guide "
        "that is sampled in several ways is drawn once; the table has all.",
    ),
}

TRAINING = {
    "loss": Caption(
        "Loss curves",
        "Thin: as logged; thick: running mean of up to 25 points. The noise-trained "
        "classifier's loss usually stays higher: part of its images are almost noise.",
    ),
}

COSTS = Caption(
    "Cost per stage",
    "Wall-clock seconds of each stage's jobs, when each last ran, on a machine "
    "that may have done other things. Compare methods by passes through the denoiser.",
)
