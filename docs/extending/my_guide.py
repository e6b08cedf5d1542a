"""Guides of your own: `guidance: "my_guide:ByClassifier"`, with `classifier`, `options`, `scales`.

These two draw the images of `guidance: classifier` and of `guidance: cfg`; a test compares them.
"""

import torch

from guidebench.diffusion.samplers import Prediction


# What every sampler asks at each step; a new object for every trajectory, made with keywords:
# denoise: the denoiser, see below
# classifier: the one named in the setup, or None; see below
# target: the class that each row asks for, [N]
# scale: one of the setup's `scales`
# schedule: alpha(t), sigma(t), logsnr(t) of the forward process x_t = alpha x_0 + sigma eps
# all else: `options` of the setup
class ByClassifier:
    def __init__(self, denoise, classifier, target, scale, schedule, see="x0"):
        self.denoise, self.classifier, self.scale, self.see = denoise, classifier, scale, see

    # x [N, C, H, W] at the sampler's t; step counts from 0; corrector: Heun's second look in a step
    def __call__(self, x, t, step, *, corrector=False):
        x = x.detach().requires_grad_()
        prediction = self.denoise(x, t)  # (eps, x0) like x, from one evaluation; x0 is clipped
        # log p(target | .) [N], each row's own; without t the images are clean. There is also
        # classifier.logits(x, t) [N, classes]: take a row's own by .gather(1, target[:, None])
        log_prob = self.classifier.log_prob
        rows = log_prob(prediction.x0) if self.see == "x0" else log_prob(x, t)
        (gradient,) = torch.autograd.grad(rows.sum(), x)
        # shift moves the mean of a step, per posterior variance: samplers without one refuse it, so
        # answer them with another eps and x0. What is answered is clipped as `sampling` says.
        return prediction._replace(shift=self.scale * gradient)


# Classifier-free guidance; the denoiser needs `condition_dropout` to take a label
class ByLabel:
    def __init__(self, denoise, classifier, target, scale, schedule):
        self.denoise, self.target, self.scale, self.schedule = denoise, target, scale, schedule

    def __call__(self, x, t, step, *, corrector=False):
        given, free = self.denoise(x, t, label=self.target).eps, self.denoise(x, t).eps
        eps = (1 + self.scale) * given - self.scale * free
        return Prediction(eps, (x - self.schedule.sigma(t) * eps) / self.schedule.alpha(t))
