"""A stabilizer of your own: `stabilizer: {name: "my_stabilizer:Sign", options: {beta: 0.95}}`."""


# A new object for every trajectory, so its state starts anew; rows never meet each other
class Sign:
    # exponent: full-grid steps per step taken, so that beta means the same on 50 and on 1000 steps
    # (1 with `per_step: literal`); all else: `stabilizer.options`
    def __init__(self, exponent, beta=0.9):
        self.beta, self.mean = beta**exponent, 0.0

    # once a step: the gradient of log p(target | x) by x_t, [N, C, H, W], to what is added of it
    def __call__(self, gradient):
        self.mean = self.beta * self.mean + (1 - self.beta) * gradient.sign()
        return self.mean
