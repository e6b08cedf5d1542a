"""A sampler of your own: `sampling: {sampler: "my_sampler:tempered", options: {temperature: 0.9}}`.

At temperature 1 it draws the images of `ancestral`; a test compares them.
"""

from itertools import pairwise

import torch


# predict(x, t, step): the guide, one evaluation: eps and x0 like x, and shift, what guidance adds
#     to the mean per posterior variance, or None. A second look within a step: corrector=True
# x: the start noise [N, *shape]; a row may depend on no other row
# schedule: alpha(t), sigma(t), logsnr(t), beta(t), time(t), as float64
# grid: times from noise to clean data, one more than there are steps; the last one is below 0
# noise(step): N(0, 1) like x, of each row's own seed; draw nothing from elsewhere
# callback(step, t, x, prediction): to be called once in each step, on what was predicted
# all else: `sampling.options`
def tempered(predict, x, schedule, grid, noise, callback, temperature=1.0):
    for step, (s, r) in enumerate(pairwise(grid)):
        prediction = predict(x, s, step)
        callback(step, s, x, prediction)
        # the posterior of x_r given x_s and x0 (DDPM, eq. 7); at the clean end it is x0 itself
        ratio = torch.exp(schedule.logsnr(s) - schedule.logsnr(r))
        c = -torch.expm1(schedule.logsnr(s) - schedule.logsnr(r))
        mean = ratio * schedule.alpha(r) / schedule.alpha(s) * x
        mean = mean + c * schedule.alpha(r) * prediction.x0
        deviation = torch.sqrt(c) * schedule.sigma(r)
        if prediction.shift is not None:
            mean = mean + deviation**2 * prediction.shift
        x = mean if r < 0 else mean + temperature * deviation * noise(step)
    return x  # the images, in [-1, 1] where the model is good


# what is known of it before it runs, and held against what it does; these are the defaults but one
tempered.evaluations = 1  # calls of predict in a step, at most: what a run will cost
tempered.has_mean = True  # it follows prediction.shift (false: such a guide is refused with it)
tempered.walks_signal = False  # true: a grid that stays where sigma / alpha is bounded
