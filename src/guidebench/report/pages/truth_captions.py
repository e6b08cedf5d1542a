"""What stands below each picture of a world, of which everything is known."""

from guidebench.report.pages.captions import Caption

TRUTH = {
    "truth_classes": Caption(
        "Guidance pulls the classes apart (the CFG notes' mixture of Gaussians)",
        "Dots: guided samples of each class; lines: where the density p(x) p(y | x)^s, normalised, "
        "holds 39, 86 and 99 % of its mass (s is the guidance scale, or 1 + w of cfg). Guidance "
        "with the exact score and the exact classifier still does not sample that density, except "
        "at s = 1: the tilted density's own diffusion has another score.",
    ),
    "truth_densities": Caption(
        "The target class by every guide and scale",
        "Dots: samples of the first sampler; lines: the density that the scale is read as aiming "
        "at. SW: sliced Wasserstein distance between the two. Setups with a temperature other "
        "than 1 aim at no such density and are left out.",
    ),
    "truth_scale": Caption(
        "Error against the scale",
        "Left: distance from the true conditional p(x | y), right: from the true tilted density. "
        "Dotted: exact samples of the same n, which is what a perfect sampler would get.",
    ),
    "truth_temperature": Caption(
        "Temperature beside scale (the low-temperature reading of the CFG notes)",
        "The classifier's softmax(logits / temperature) at several temperatures. If a low "
        "temperature were nothing but a large scale, the curves at the right would be one.",
    ),
    "truth_evaluations": Caption(
        "Error against denoiser evaluations",
        "The samplers alone, with the exact conditional denoiser: what is left at the right is the "
        "floor of this n, what falls is the error of finite steps.",
    ),
    "truth_curl": Caption(
        "The curl of guided fields",
        "Of eps at t = 0.3 of the process, over the plane; lines: where p_t holds 39, 86 and 99 % "
        "of its mass. White: no rotation, the field is a gradient there. Each row at its largest "
        "scale; one colour scale for all. Trained networks are arbitrary where there are no data.",
    ),
}
